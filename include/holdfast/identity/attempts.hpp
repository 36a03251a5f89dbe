#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/stores.hpp>

/// Counts attempts: wrong passwords, and codes that were requested and tried. Counts are in memory
/// and limited. They are written to the database after the attempts, so that a restart forgets
/// nothing and a flood of guesses is not a flood of commits.
namespace holdfast::identity {

/// The source of a request, whose share of a limit it takes.
struct Source {
  enum class Kind : std::uint8_t {
    client,      ///< a stranger or a user: `id` is the address
    access_key,  ///< a signed call: `id` is the key's
    operations,  ///< the operator, or the program itself
  };
  Kind kind = Kind::client;
  std::string id{};

  [[nodiscard]] static Source of_client(std::string address) {
    return {.kind = Kind::client, .id = std::move(address)};
  }
  [[nodiscard]] static Source of_access_key(std::string key_id) {
    return {.kind = Kind::access_key, .id = std::move(key_id)};
  }
  [[nodiscard]] static Source of_operator() { return {.kind = Kind::operations, .id = {}}; }
};

/// Counts that outlive the process. Any thread.
class KeptCounts {
 public:
  using Row = AttemptStore::Row;
  virtual ~KeptCounts() = default;
  /// Takes over what an earlier run has written.
  virtual void restore(const Row& row) = 0;
  /// At most `max` names whose counts have changed since they were taken last; without a `state`
  /// one that was forgotten.
  [[nodiscard]] virtual std::vector<Row> take_changes(std::size_t max) = 0;
  /// It was not written: it is among the next changes.
  virtual void put_back(const Row& row) = 0;
  /// Forgets the names whose time is over.
  virtual void forget_idle() = 0;
};

/// Counts wrong passwords by name. Five are free; each further one locks the name, for 2^(n-5) s
/// and at most an hour. One is forgiven each hour. A hundred in a row lock the name permanently:
/// only another name (that of a new password) or a success helps. Names are forgotten a week after
/// the last attempt. The table is limited. When it is full, it forgets the longest idle name of
/// those with the fewest failures, so evicting a name takes as large a flood for each of its
/// failures. Thread-safe.
class Lockout final : public KeptCounts {
 public:
  static constexpr std::uint32_t kInARowMax = 100;

  /// `secret` keeps names from being guessed at where they are kept.
  explicit Lockout(const Clock& clock, std::size_t capacity = 100'000, std::string secret = {});
  ~Lockout() override;
  enum class Attempt : std::uint8_t {
    allowed,
    locked,  ///< this name has failed too often; the attempt does not count
  };
  /// Takes an attempt. Concurrent attempts of one name are counted before they are tried, so that a
  /// burst cannot guess more than five times.
  [[nodiscard]] Attempt begin(const std::string& name);
  /// Takes an attempt. Sets `locks` if the attempt locks the name unless it succeeds or is
  /// withdrawn.
  [[nodiscard]] Attempt begin(const std::string& name, bool& locks);
  void succeeded(const std::string& name);
  /// Undoes `begin` for an attempt that was never tried, because the hasher's queue was full.
  void withdrawn(const std::string& name);

  void restore(const Row& row) override;
  [[nodiscard]] std::vector<Row> take_changes(std::size_t max) override;
  void put_back(const Row& row) override;
  void forget_idle() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Counts events of the last 24 hours by name. Limited like `Lockout`. Thread-safe.
class DailyLimits final : public KeptCounts {
 public:
  explicit DailyLimits(const Clock& clock, std::size_t capacity = 100'000, std::string secret = {});
  ~DailyLimits() override;
  /// Takes one event from the limit of `max` in any 24 hours. Returns whether the limit allows it.
  [[nodiscard]] bool take(const std::string& name, std::size_t max);
  /// Returns the last event taken, because it did not happen.
  void withdrawn(const std::string& name);
  void forget(const std::string& name);

  void restore(const Row& row) override;
  [[nodiscard]] std::vector<Row> take_changes(std::size_t max) override;
  void put_back(const Row& row) override;
  void forget_idle() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All counts, shared by the shards. Unknown names have separate tables, because a flood of them
/// must not evict the counts of users.
struct AttemptCounts {
  explicit AttemptCounts(const Clock& clock, std::size_t capacity = 100'000,
                         const std::string& secret = {})
      : logins(clock, capacity, secret),
        logins_of_unknown_names(clock, capacity, secret),
        codes(clock, capacity, secret),
        codes_of_unknown_names(clock, capacity, secret),
        console(clock, capacity, secret) {}

  Lockout logins;
  Lockout logins_of_unknown_names;
  DailyLimits codes;                   ///< codes requested and tried, by user and purpose
  DailyLimits codes_of_unknown_names;  ///< codes for unknown names, and codes sent, by address
  Lockout console;
};

/// Brings the counts to the database and back. Calls come from the executor of the store's handle;
/// it outlives its completions.
class AttemptKeeper {
 public:
  AttemptKeeper(std::shared_ptr<AttemptCounts> counts, AttemptStore& store, const Clock& clock);

  void load(Completion<Result<void>> done);
  /// Writes the changed counts, a limited number in one transaction, unless a write is under way.
  /// Call it every second.
  void write();
  /// Writes all that is left.
  void finish(Completion<Result<void>> done);
  /// Forgets idle counts. Call it every minute.
  void forget_idle();

 private:
  void write_some(Completion<Result<bool>> done);
  [[nodiscard]] std::vector<KeptCounts*> lists();

  std::shared_ptr<AttemptCounts> counts_;
  AttemptStore& store_;
  const Clock& clock_;
  bool writing_ = false;
};

}  // namespace holdfast::identity
