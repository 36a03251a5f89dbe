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

/// Operations of identity, iam and the connections table that may wait.
inline constexpr std::size_t kOthersMax = 65'536;

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
  explicit OperationQueue(storage::SlotLimits limits, const Clock& clock = system_clock(),
                          std::size_t others_max = kOthersMax)
      : clock_(clock), others_max_(others_max), slots_(std::make_shared<storage::Slots>(limits)) {}

  [[nodiscard]] const std::shared_ptr<storage::Slots>& slots() const noexcept { return slots_; }
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
