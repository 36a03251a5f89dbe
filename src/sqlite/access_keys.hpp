#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <holdfast/iam/access_keys.hpp>

#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

/// Access keys, each with its policy.
class AccessKeyTable {
 public:
  explicit AccessKeyTable(Database& database);

  [[nodiscard]] std::vector<iam::AccessKeyRow> load();
  [[nodiscard]] Result<void> add(const iam::AccessKeyRow& row);
  [[nodiscard]] Result<void> change(std::string_view id, const iam::AccessKeyChange& change);
  [[nodiscard]] Result<void> remove(std::string_view id);

 private:
  /// Returns `not_found` unless the last statement changed a row.
  [[nodiscard]] Result<void> found();

  Database& database_;
  Statement load_;
  Statement add_key_;
  Statement add_policy_;
  Statement change_key_;
  Statement change_policy_;
  Statement remove_key_;
  Statement remove_policy_;
};

[[nodiscard]] std::unique_ptr<iam::AccessKeyStore> make_access_key_store(OperationQueue& queue,
                                                                         Channel& channel);

}  // namespace holdfast::sqlite
