#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/delivery/message_store.hpp>

namespace holdfast::sqlite {

class Tables;
struct Channel;

/// The fate of an operation whose transaction was rolled back.
enum class OnRollback : std::uint8_t {
  fail,          ///< answers `unavailable`
  retry,         ///< runs again, alone, with back-off; fails after some attempts
  retry_always,  ///< runs again until it succeeds or the store stops
};

/// The place of an operation in a transaction.
enum class Load : std::uint8_t {
  light,    ///< in the order of arrival
  removal,  ///< deletes: behind all that came in with it, as far as the transaction's budget goes
  sweep,  ///< as `removal`, but not while there are too many dead letters: expires and forgets rows
};

/// One call on a handle. It is made on the handle's executor, runs on the store's thread inside a
/// transaction, and completes on the executor.
class Operation {
 public:
  explicit Operation(OnRollback on_rollback, Load load = Load::light)
      : on_rollback_(on_rollback), load_(load) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  /// Does the work, and keeps the result for `complete`. May run again after a rollback.
  virtual void run(Tables& tables) = 0;
  /// Called when the operation, or its user's totals, met a damaged page. Its transaction goes on
  /// without it.
  virtual void on_damage() {}
  /// Makes `unavailable` the result.
  virtual void fail() = 0;
  /// Calls the caller's completion, once.
  void answer() {
    HOLDFAST_ASSERT(!std::exchange(is_answered_, true), "operation.answers_once");
    complete();
  }
  /// Called after the commit. Returns true if only a part is done; then it runs again in a later
  /// transaction.
  [[nodiscard]] virtual bool committed() { return false; }
  /// Returns the user whose messages it inserts; null if it inserts none. That user's later
  /// messages must not be stored without it.
  [[nodiscard]] virtual const UserId* inserts_for() const { return nullptr; }
  /// Returns the user whose totals it changes; null for none, or for many.
  [[nodiscard]] virtual const UserId* counts_for() const { return inserts_for(); }
  /// Returns the bytes of payload that it carries or asks for.
  [[nodiscard]] virtual std::size_t bytes() const { return 0; }

  [[nodiscard]] OnRollback on_rollback() const noexcept { return on_rollback_; }
  [[nodiscard]] Load load() const noexcept { return load_; }

  Channel* channel = nullptr;  ///< null: no answer is expected
  std::uint32_t attempts = 0;
  SteadyTime due;  ///< of the next attempt

 protected:
  virtual void complete() = 0;
  /// Makes the rest follow, since a part is committed.
  void never_give_up() noexcept { on_rollback_ = OnRollback::retry_always; }

 private:
  bool is_answered_ = false;
  OnRollback on_rollback_;
  Load load_;
};

using OperationPtr = std::unique_ptr<Operation>;

/// Collects the completions of one executor's operations. The store's thread posts them once per
/// batch.
struct Channel {
  explicit Channel(Executor& completion_executor) : executor(completion_executor) {}

  Executor& executor;
  std::vector<OperationPtr> completed;
};

[[nodiscard]] inline std::unexpected<Error> store_unavailable() {
  return holdfast::fail(Errc::unavailable, "the store cannot commit at the moment");
}

/// An operation made of a function on the tables and a completion.
template <class T, class Work>
class CallOperation final : public Operation {
 public:
  CallOperation(OnRollback on_rollback, Load load, Work work, Completion<Result<T>> done)
      : Operation(on_rollback, load), work_(std::move(work)), done_(std::move(done)) {}

  void run(Tables& tables) override {
    if constexpr (std::is_void_v<decltype(work_(tables))>) {
      work_(tables);
      result_.emplace();
    } else {
      result_.emplace(work_(tables));
    }
  }
  void fail() override { result_.emplace(store_unavailable()); }
  void complete() override {
    HOLDFAST_ASSERT(result_, "operation.answers_what_it_has");
    done_(std::move(*result_));
  }

 private:
  Work work_;
  Completion<Result<T>> done_;
  std::optional<Result<T>> result_;
};

/// An operation made of a function that sweeps as much as the transaction's budget allows. The
/// function returns whether there may be more; if so, it goes on in later transactions until the
/// store stops.
template <class Work>
class SweepOperation final : public Operation {
 public:
  SweepOperation(Work work, Completion<Result<void>> done)
      : Operation(OnRollback::fail, Load::sweep), work_(std::move(work)), done_(std::move(done)) {}

  void run(Tables& tables) override { wants_more_ = work_(tables); }
  void fail() override { result_ = store_unavailable(); }
  void complete() override { done_(std::move(result_)); }
  [[nodiscard]] bool committed() override { return wants_more_; }

 private:
  Work work_;
  Completion<Result<void>> done_;
  Result<void> result_;
  bool wants_more_ = false;
};

template <class T, class Work>
[[nodiscard]] OperationPtr make_operation(OnRollback on_rollback, Work work,
                                          Completion<Result<T>> done, Load load = Load::light) {
  return std::make_unique<CallOperation<T, Work>>(on_rollback, load, std::move(work),
                                                  std::move(done));
}

template <class Work>
[[nodiscard]] OperationPtr make_sweep(Work work, Completion<Result<void>> done) {
  return std::make_unique<SweepOperation<Work>>(std::move(work), std::move(done));
}

}  // namespace holdfast::sqlite
