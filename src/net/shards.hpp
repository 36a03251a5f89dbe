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

/// One thread and its loop. Tasks come in three ways: from the shard itself (a local queue), from
/// another shard of the set (an outbox per target, handed over once per loop turn), and from any
/// other thread (the inbox at once).
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
  /// Of the shard's sockets. On the shard.
  [[nodiscard]] Poller& poller() noexcept { return poller_; }
  /// Receives before they are parsed go here: one buffer for all connections of the shard, valid
  /// within one handler.
  [[nodiscard]] std::vector<char>& scratch() noexcept { return scratch_; }
  /// An empty string with room, from those given back. On the shard.
  [[nodiscard]] std::string take_buffer();
  void give_buffer(std::string&& buffer);
  /// Runs on the shard when it stops, after what was posted before. On the shard.
  void at_stop(Task task);

  void start();
  /// Waits until what is posted has run; whether that was anything since the last time. The first
  /// time with `stopping`, which runs what `at_stop` was given. Not on a shard.
  bool settle(bool stopping);
  void stop();

 private:
  struct Periodic;

  /// On the shard's thread, or while it has none.
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
  // Only the shard's thread uses its sockets and timers: they need no locks, what is posted does.
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

  // Only the shard's thread touches these.
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

 private:
  std::vector<std::unique_ptr<ShardLoop>> loops_;
  bool running_ = false;
};

}  // namespace holdfast::net
