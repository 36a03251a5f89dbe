#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

#include "operation.hpp"

namespace holdfast::sqlite {

struct QueueLimits {
  std::size_t slots = 0;            ///< inserts and records
  std::size_t payload_bytes = 0;    ///< of inserts and records
  std::size_t others = 65'536;      ///< operations of identity, iam and the connections table
  std::int64_t database_bytes = 0;  ///< 0: no bound
};

/// Slots of the bounded queue. Outlives the store: a reservation may be given back at any time.
class Slots {
 public:
  explicit Slots(QueueLimits limits)
      : limits_(limits), database_bytes_max_(limits.database_bytes) {}

  [[nodiscard]] static std::optional<delivery::Reservation> reserve(
      const std::shared_ptr<Slots>& slots, std::size_t payload_bytes);
  [[nodiscard]] std::size_t taken() const noexcept { return taken_.load(kRelaxed); }
  [[nodiscard]] const QueueLimits& limits() const noexcept { return limits_; }
  /// What the database takes now, against the bound on it.
  void set_database_bytes(std::int64_t bytes) noexcept { database_bytes_.store(bytes, kRelaxed); }
  /// The bound itself; 0: none.
  [[nodiscard]] std::int64_t database_bytes_max() const noexcept {
    return database_bytes_max_.load(kRelaxed);
  }
  void set_database_bytes_max(std::int64_t bytes) noexcept {
    database_bytes_max_.store(bytes, kRelaxed);
  }
  static constexpr std::int64_t kAnyRoom = INT64_MAX;
  /// What the disk has room for, the rows' own cost included.
  void set_room(std::int64_t bytes) noexcept { room_.store(bytes, kRelaxed); }
  /// No more from now on.
  void close() noexcept { closed_.store(true, kRelaxed); }

 private:
  /// A message is in the log and in the file, each time with its row.
  static constexpr std::int64_t kCopies = 2;
  static constexpr std::int64_t kRowBytes = 256;
  static constexpr auto kRelaxed = std::memory_order_relaxed;

  const QueueLimits limits_;
  std::atomic<std::size_t> taken_{0};
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::int64_t> database_bytes_{0};
  std::atomic<std::int64_t> database_bytes_max_;
  std::atomic<std::int64_t> room_{kAnyRoom};
  std::atomic<bool> closed_{false};
};

/// Of a moment since when something waits.
inline constexpr SteadyTime kNothingWaits = SteadyTime::max();

/// Which of the queue's lanes an operation takes.
enum class Lane : std::uint8_t {
  reserved,  ///< inserts, records, and what the mailboxes cannot do without: never refused
  other,     ///< in one order with the above, but bounded
  read,      ///< reads that nobody's commit waits for
};

/// What waits for the store's thread. Any thread submits; one takes.
class OperationQueue {
 public:
  explicit OperationQueue(QueueLimits limits, const Clock& clock = system_clock())
      : clock_(clock), slots_(std::make_shared<Slots>(limits)) {}

  [[nodiscard]] const std::shared_ptr<Slots>& slots() const noexcept { return slots_; }
  /// Never blocks. An operation that finds no room, or the store stopped, fails.
  void submit(Lane lane, Channel* channel, OperationPtr operation);

  struct Taken {
    std::vector<OperationPtr> writes;
    std::vector<OperationPtr> reads;
    SteadyTime oldest = kNothingWaits;  ///< when the first of them came
    bool stopping = false;
  };
  /// Moves what waits into `out` (whose vectors are empty), and waits until `deadline` for it when
  /// there is nothing.
  void take(Taken& out, SteadyTime deadline);
  /// Waits until so many operations wait, or until `deadline`.
  void linger(std::size_t operations, SteadyTime deadline);
  void stop();
  /// Nothing can be submitted from here on; what was, is in `out`.
  void close(Taken& out);
  [[nodiscard]] std::size_t size() const;
  /// When the first of those that wait came.
  [[nodiscard]] SteadyTime oldest() const;

 private:
  /// Takes the operation when there is room for it, and leaves it where it is otherwise.
  bool enqueue(Lane lane, OperationPtr& operation);
  void wait(std::unique_lock<std::mutex>& lock, std::size_t operations, SteadyTime deadline);

  const Clock& clock_;
  std::shared_ptr<Slots> slots_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<OperationPtr> writes_;
  std::vector<OperationPtr> reads_;
  SteadyTime oldest_ = kNothingWaits;
  std::size_t others_ = 0;
  std::size_t wake_at_ = 0;  ///< operations that wake the taker; 0: it is not waiting
  bool stopping_ = false;
  bool closed_ = false;
};

}  // namespace holdfast::sqlite
