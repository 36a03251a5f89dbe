#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>

#include <holdfast/net/server.hpp>

#include "asio.hpp"
#include "poller.hpp"

namespace holdfast::net {

class ShardSet;

/// Runs one thread and its loop. Tasks from the shard itself go to a local queue. Tasks from
/// another shard go to an outbox per target, which is handed over once per turn. Other threads post
/// to the inbox at once.
class ShardLoop final : public Shard {
 public:
  ShardLoop(ShardSet& set, std::size_t index, std::size_t count);
  ~ShardLoop() override;

  void post(Task task) override;
  void every(Milliseconds period, Task task) override;
  [[nodiscard]] std::size_t index() const noexcept override { return index_; }
  void collect(MetricCollector& out) const override {
    metrics_.collect(out, {{"shard", std::to_string(index_)}});
  }

  [[nodiscard]] asio::io_context& context() noexcept { return context_; }
  /// Returns the poller of the shard's sockets. On the shard.
  [[nodiscard]] Poller& poller() noexcept { return poller_; }
  /// Returns the buffer into which all connections of the shard receive. Valid within one handler.
  [[nodiscard]] std::vector<char>& scratch() noexcept { return scratch_; }
  /// Returns an empty string with room, if one was given back. On the shard.
  [[nodiscard]] std::string take_buffer();
  void give_buffer(std::string&& buffer);
  /// Runs `task` when the shard stops, after all earlier tasks. On the shard.
  void at_stop(Task task);

  void start();
  /// The round of a stop: the first one also runs the tasks of `at_stop`.
  enum class Settle : std::uint8_t { first, again };
  /// Waits until all posted tasks have run. Returns whether there were any since the last call. Not
  /// on a shard.
  bool settle(Settle settle);
  void stop();

 private:
  struct Periodic;

  /// Returns whether this is the shard's thread, or the shard has none.
  [[nodiscard]] bool is_mine() const noexcept;
  void run();
  void arm(std::shared_ptr<Periodic> periodic);
  void end_turn_later();
  void end_turn();
  void deliver(std::vector<Task>& batch);
  void take_inbox();
  void run_all(std::vector<Task>& tasks);

  ShardSet& set_;
  const std::size_t index_;
  // Sockets and timers need no locks, because only the shard's thread uses them. Posting needs
  // some.
  asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  Poller poller_{context_};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
  std::vector<char> scratch_;
  std::vector<std::string> buffers_;
  std::vector<Task> at_stop_;
  MetricSet metrics_;
  LatencyHistogram lag_{metrics_,
                        {"holdfast_event_loop_lag_seconds",
                         "Delay of the timers of each shard's event loop: the time that ready work "
                         "waits for its turn."}};

  // Only the shard's thread uses these.
  std::vector<Task> local_;
  std::vector<std::vector<Task>> outboxes_;
  std::vector<Task> running_;
  std::uint64_t tasks_run_ = 0;
  std::uint64_t tasks_run_at_settle_ = 0;
  bool turn_end_due_ = false;

  std::mutex inbox_mutex_;
  std::vector<Task> inbox_;
  bool signalled_ = false;
  bool stopped_ = false;
};

class ShardSet final : public Shards {
 public:
  explicit ShardSet(std::size_t count);
  ~ShardSet() override;

  [[nodiscard]] std::size_t count() const noexcept override { return loops_.size(); }
  [[nodiscard]] ShardLoop& at(std::size_t index) noexcept override { return *loops_[index]; }
  void start() override;
  void stop() override;
  [[nodiscard]] ShardSet& set() noexcept override { return *this; }

 private:
  std::vector<std::unique_ptr<ShardLoop>> loops_;
  bool running_ = false;
};

}  // namespace holdfast::net
