#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "storage/data_file.hpp"
#include "storage/messages.hpp"
#include "storage/session.hpp"
#include "storage/store_thread.hpp"
#include "unit/storage/message_calls.hpp"
#include "unit/storage/pump_executor.hpp"

namespace holdfast::test {

/// A store whose thread is the test's, on a file that is not looked at when it is opened, as a
/// large one is not.
class TurnedStore {
 public:
  explicit TurnedStore(const std::string& path) {
    auto database = storage::open_data_file(path, storage::embedded_migrations(),
                                            {.after_clean_stop = 0, .after_crash = 0});
    if (!database) throw std::runtime_error(database.error().message);
    auto session = std::make_unique<storage::Session>(
        **database, storage::DeadLetterBounds{.messages = 1'000, .bytes = 1 << 20});
    thread_ = std::make_unique<storage::StoreThread>(
        std::move(*database), std::move(session), queue_,
        storage::StoreThreadOptions{.path = path,
                                    .batch_operations = 100,
                                    .page_bytes_per_batch = 1 << 20,
                                    .wal_checkpoint_bytes = 1 << 20,
                                    .on_fatal = {}});
    messages_ = storage::make_message_store(queue_, channel_);
  }
  ~TurnedStore() {
    queue_.stop();
    while (turn()) {
    }
  }

  bool turn() { return thread_->turn({}); }
  /// Takes turns, and runs what they answer, until `done` says so.
  template <class Done>
  void run_until(Done done) {
    for (int i = 0; i < 100'000 && !done(); ++i) {
      ASSERT_TRUE(turn());
      bool is_idle = false;
      executor_.post([&is_idle] { is_idle = true; });
      executor_.run_until([&is_idle] { return is_idle; });
    }
    ASSERT_TRUE(done());
  }
  MessageCalls calls() { return {*messages_, executor_}; }
  delivery::MessageStore& messages() { return *messages_; }
  PumpExecutor& executor() { return executor_; }
  const storage::StoreCounters& counters() const { return thread_->counters(); }

 private:
  PumpExecutor executor_;
  storage::Channel channel_{executor_};
  storage::OperationQueue queue_{{.slots = 1'000, .payload_bytes = 10 << 20}};
  std::unique_ptr<storage::StoreThread> thread_;
  std::unique_ptr<delivery::MessageStore> messages_;
};

}  // namespace holdfast::test
