#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/storage/store.hpp>

#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

/// Facts of the instance, by name.
class InstanceTable {
 public:
  explicit InstanceTable(Database& database);

  [[nodiscard]] std::string get_or_set(std::string_view name, std::string_view value);
  [[nodiscard]] std::optional<std::string> find(std::string_view name);

 private:
  Statement set_;
  Statement get_;
};

[[nodiscard]] std::unique_ptr<storage::InstanceStore> make_instance_store(OperationQueue& queue,
                                                                          Channel& channel);

}  // namespace holdfast::sqlite
