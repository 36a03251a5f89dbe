#pragma once

#include <string_view>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

#include "sqlite.hpp"

namespace holdfast::sqlite {

/// What users had pending when their access ended, until it is among the dead letters.
class PendingPurgeTable {
 public:
  explicit PendingPurgeTable(Database& database);

  /// Of what is committed, and what this transaction has inserted; nothing when that is nothing.
  void add(const UserId& user, std::string_view reason);
  void remove(const UserId& user, Sequence up_to);
  [[nodiscard]] std::vector<delivery::PendingPurge> load();

 private:
  Statement add_;
  Statement remove_;
  Statement load_;
};

}  // namespace holdfast::sqlite
