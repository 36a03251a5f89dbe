#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <holdfast/identity/stores.hpp>

#include "bounded_delete.hpp"
#include "queue.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

/// The counts of tried passwords and codes.
class AttemptTable {
 public:
  using Row = identity::AttemptStore::Row;
  explicit AttemptTable(Database& database);

  [[nodiscard]] std::vector<Row> load(WallTime now);
  void write(const std::vector<Row>& rows);

 private:
  Statement remove_old_;
  Statement load_;
  Statement put_;
  Statement remove_;
};

/// Addresses from which users have logged in.
class KnownAddressTable {
 public:
  KnownAddressTable(Database& database, WorkBudget& budget);

  [[nodiscard]] std::optional<WallTime> find(const UserId& sub, const Digest& address);
  void add(const UserId& sub, const Digest& address, WallTime seen_at, std::size_t max_per_user);
  /// Drops all addresses of a user.
  void drop(const UserId& sub);
  /// Sweeps rows that expired before `before`; as `BoundedDelete::run`.
  [[nodiscard]] bool sweep(WallTime before) { return sweep_.run(before); }

 private:
  Statement find_;
  Statement put_;
  Statement trim_;
  Statement drop_;
  BoundedDelete sweep_;
};

[[nodiscard]] std::unique_ptr<identity::AttemptStore> make_attempt_store(OperationQueue& queue,
                                                                         Channel& channel);
[[nodiscard]] std::unique_ptr<identity::KnownAddressStore> make_known_address_store(
    OperationQueue& queue, Channel& channel);

}  // namespace holdfast::sqlite
