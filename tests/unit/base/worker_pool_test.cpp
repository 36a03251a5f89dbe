// Tests the worker pool.

#include <array>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <pthread.h>

#include <holdfast/base/worker_pool.hpp>

namespace holdfast {
namespace {

std::string name_of_this_thread() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

/// Runs on the test's thread what others post.
class TestExecutor final : public Executor {
 public:
  void post(Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  void run_all() {
    std::deque<Task> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) task();
  }

 private:
  std::mutex mutex_;
  std::deque<Task> tasks_;
};

class WorkerPoolTest : public testing::Test {
 protected:
  using Done = std::promise<Result<std::string>>;

  template <class F>
  std::future<Result<std::string>> run(WorkerPool& pool, F work) {
    auto done = std::make_shared<Done>();
    submit(pool,
           make_job<std::string>(std::move(work), executor_, [done](Result<std::string> result) {
             done->set_value(std::move(result));
           }));
    return done->get_future();
  }
  void submit(WorkerPool& pool, Work::Job job) {
    pool.submit(std::move(job), [this](Work::Job& pushed) -> const Error* {
      return queue_.push(pushed) ? nullptr : &full_;
    });
  }
  Result<std::string> result_of(std::future<Result<std::string>> result) {
    while (result.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      executor_.run_all();
    }
    return result.get();
  }

  const Error full_{Errc::too_many_requests, "full"};
  TestExecutor executor_;
  FifoQueue queue_{2};
};

TEST_F(WorkerPoolTest, RunsOnNamedThreadsAndAnswersOnTheExecutor) {
  WorkerPool pool({.name = "hf-test", .threads = 1}, queue_);
  const auto thread = std::this_thread::get_id();
  std::optional<std::thread::id> answered_on;
  submit(pool,
         make_job<std::string>([] { return Result<std::string>(name_of_this_thread()); }, executor_,
                               [&](const Result<std::string>& result) {
                                 EXPECT_EQ(result.value(), "hf-test-0");
                                 answered_on = std::this_thread::get_id();
                               }));
  while (!answered_on) executor_.run_all();
  EXPECT_EQ(answered_on, thread);
}

TEST_F(WorkerPoolTest, RefusesWhatGoesBeyondTheQueue) {
  std::promise<void> gate;
  const auto open = gate.get_future().share();
  std::promise<void> begun;
  WorkerPool pool({.name = "hf-test", .threads = 1}, queue_);
  auto first = run(pool, [&begun, open] {
    begun.set_value();
    open.wait();
    return Result<std::string>("first");
  });
  begun.get_future().wait();
  const auto number = [](int n) { return [n] { return Result<std::string>(std::to_string(n)); }; };
  auto second = run(pool, number(2));
  auto third = run(pool, number(3));
  bool ran = false;
  auto refused = run(pool, [&ran] {
    ran = true;
    return Result<std::string>("never");
  });
  EXPECT_EQ(result_of(std::move(refused)).error().code, Errc::too_many_requests);
  EXPECT_FALSE(ran);
  gate.set_value();
  EXPECT_EQ(result_of(std::move(first)).value(), "first");
  EXPECT_EQ(result_of(std::move(second)).value(), "2");
  EXPECT_EQ(result_of(std::move(third)).value(), "3");
  EXPECT_EQ(result_of(run(pool, number(4))).value(), "4");
}

TEST_F(WorkerPoolTest, WaitsForWhatRunsAndRefusesWhatWaitsAtAStop) {
  std::promise<void> begun;
  WorkerPool pool({.name = "hf-test", .threads = 1, .stopping = {Errc::unavailable, "over"}},
                  queue_);
  auto running = run(pool, [&] {
    begun.set_value();
    // As long as work that looks may run.
    while (!pool.stopping()) std::this_thread::yield();
    return Result<std::string>("finished");
  });
  begun.get_future().wait();
  auto waiting = run(pool, [] { return Result<std::string>("never"); });
  pool.stop();
  auto late = run(pool, [] { return Result<std::string>("never"); });
  EXPECT_EQ(result_of(std::move(running)).value(), "finished");
  EXPECT_EQ(result_of(std::move(waiting)).error().message, "over");
  EXPECT_EQ(result_of(std::move(late)).error().message, "over");
  pool.stop();
}

TEST_F(WorkerPoolTest, RunsAtOnceOnAllItsThreads) {
  WorkerPool pool({.name = "hf-test", .threads = 2}, queue_);
  std::promise<void> one;
  std::promise<void> other;
  auto first = run(pool, [&] {
    one.set_value();
    other.get_future().wait();
    return Result<std::string>(name_of_this_thread());
  });
  auto second = run(pool, [&] {
    other.set_value();
    one.get_future().wait();
    return Result<std::string>(name_of_this_thread());
  });
  EXPECT_NE(result_of(std::move(first)).value(), result_of(std::move(second)).value());
}

// A queue of one name: the next work is ready only when the one before it is finished.
class NamedQueue final : public WorkQueue {
 public:
  void push(Work::Job job) { (busy_ ? behind_ : ready_).push_back({std::move(job), "name"}); }
  bool empty() const override { return ready_.empty(); }
  Work take() override {
    busy_ = true;
    Work out = std::move(ready_.front());
    ready_.pop_front();
    return out;
  }
  void finished(const std::string& name) override {
    EXPECT_EQ(name, "name");
    busy_ = false;
    ready_ = std::exchange(behind_, {});
  }

 private:
  bool busy_ = false;
  std::deque<Work> ready_;
  std::deque<Work> behind_;
};

TEST(WorkerPoolQueueTest, KnowsOfAnEndBeforeItIsAnswered) {
  NamedQueue queue;
  WorkerPool pool({.name = "hf-test"}, queue);
  std::promise<std::string> done;
  const auto push = [&queue](Work::Job& job) -> const Error* {
    queue.push(std::move(job));
    return nullptr;
  };
  pool.submit(
      [&](const Error*) -> Task {
        return [&] {
          pool.submit(
              [&](const Error*) -> Task {
                done.set_value("both");
                return {};
              },
              push);
        };
      },
      push);
  EXPECT_EQ(done.get_future().get(), "both");
}

TEST(WorkerPoolQueueTest, RefusesWhatWaitsBehindWhatRunsAtAStop) {
  NamedQueue queue;
  WorkerPool pool({.name = "hf-test"}, queue);
  std::promise<void> begun;
  bool refused = false;
  const auto push = [&queue](Work::Job& job) -> const Error* {
    queue.push(std::move(job));
    return nullptr;
  };
  pool.submit(
      [&](const Error*) -> Task {
        begun.set_value();
        while (!pool.stopping()) std::this_thread::yield();
        return {};
      },
      push);
  begun.get_future().wait();
  pool.submit(
      [&](const Error* refusal) -> Task {
        refused = refusal != nullptr;
        return {};
      },
      push);
  pool.stop();
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace holdfast
