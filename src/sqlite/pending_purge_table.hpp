#pragma once

#include <string_view>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

#include "sqlite.hpp"

namespace holdfast::sqlite {

/// The users whose access ended with messages pending, until those are dead letters.
class PendingPurgeTable {
 public:
  explicit PendingPurgeTable(Database& database);

  /// Adds a user, up to their last message, this transaction's included. Does nothing without
  /// messages.
  void add(const UserId& user, std::string_view reason);
  void remove(const UserId& user, Sequence up_to);
  [[nodiscard]] std::vector<delivery::PendingPurge> load();

 private:
  Statement add_;
  Statement remove_;
  Statement load_;
};

}  // namespace holdfast::sqlite
