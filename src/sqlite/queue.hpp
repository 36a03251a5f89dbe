#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/storage/slots.hpp>

#include "operation.hpp"

namespace holdfast::sqlite {

/// Limits the waiting operations of identity, iam and the connections table.
inline constexpr std::size_t kOthersMax = 65'536;

/// Stands for a moment when nothing waits.
inline constexpr SteadyTime kNothingWaits = SteadyTime::max();

/// The lane of the queue that an operation takes.
enum class Lane : std::uint8_t {
  reserved,  ///< inserts, records, and others that mailboxes need: never refused
  other,     ///< in one order with `reserved`, but limited in number
  read,      ///< reads that no commit waits for
};

/// Queues operations for the store's thread. Any thread submits; one takes.
class OperationQueue {
 public:
  explicit OperationQueue(storage::SlotLimits limits, const Clock& clock = system_clock(),
                          std::size_t others_max = kOthersMax)
      : clock_(clock), others_max_(others_max), slots_(std::make_shared<storage::Slots>(limits)) {}

  [[nodiscard]] const std::shared_ptr<storage::Slots>& slots() const noexcept { return slots_; }
  /// Queues an operation without blocking. It fails if there is no room, or the store has stopped.
  void submit(Lane lane, Channel* channel, OperationPtr operation);

  struct Taken {
    std::vector<OperationPtr> writes;
    std::vector<OperationPtr> reads;
    SteadyTime oldest = kNothingWaits;  ///< when the first of them came
    bool stopping = false;
  };
  /// Moves the waiting operations into `out`, whose vectors are empty. If there are none, waits for
  /// some until `deadline`.
  void take(Taken& out, SteadyTime deadline);
  /// Waits until so many operations wait, or until `deadline`.
  void linger(std::size_t operations, SteadyTime deadline);
  void stop();
  /// Refuses further operations. Moves the waiting ones into `out`.
  void close(Taken& out);
  [[nodiscard]] std::size_t size() const;
  /// Returns when the first waiting operation came.
  [[nodiscard]] SteadyTime oldest() const;

 private:
  /// Takes the operation if there is room for it. Otherwise leaves it where it is.
  bool enqueue(Lane lane, OperationPtr& operation);
  void wait(std::unique_lock<std::mutex>& lock, std::size_t operations, SteadyTime deadline);

  const Clock& clock_;
  const std::size_t others_max_;
  std::shared_ptr<storage::Slots> slots_;
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
