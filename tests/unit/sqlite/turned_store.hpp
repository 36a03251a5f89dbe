#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sqlite/data_file.hpp"
#include "sqlite/messages.hpp"
#include "sqlite/store_thread.hpp"
#include "sqlite/tables.hpp"
#include "support/base/manual_clock.hpp"
#include "support/storage/message_calls.hpp"
#include "support/storage/pump_executor.hpp"

namespace holdfast::test {

/// A store whose thread is the test's, on a file that is not looked at when it is opened, as a
/// large one is not.
class TurnedStore {
 public:
  explicit TurnedStore(const std::string& path,
                       sqlite::DeadLetterBounds bounds = {.messages = 1'000, .bytes = 1 << 20}) {
    auto database = sqlite::open_data_file(path, sqlite::embedded_migrations(),
                                           {.after_clean_stop = 0, .after_crash = 0});
    if (!database) throw std::runtime_error(database.error().message);
    auto tables = std::make_unique<sqlite::Tables>(**database, bounds);
    thread_ = std::make_unique<sqlite::StoreThread>(
        std::move(*database), std::move(tables), queue_,
        sqlite::StoreThreadOptions{.path = path,
                                   .batch_operations = 1'000,
                                   .page_bytes_per_batch = 1 << 20,
                                   .wal_checkpoint_bytes = 1 << 20,
                                   .on_fatal = {},
                                   .clock = &clock_});
    messages_ = sqlite::make_message_store(queue_, channel_);
  }
  ~TurnedStore() {
    queue_.stop();
    while (turn()) {
    }
  }

  bool turn() {
    clock_.advance(Milliseconds(1));
    return thread_->turn({});
  }
  /// Takes turns, and runs what they answer, until `done` says so, at most so many of them.
  template <class Done>
  void run_until(Done done, int turns = 100'000) {
    for (int i = 0; i < turns && !done(); ++i) {
      ASSERT_TRUE(turn());
      bool is_idle = false;
      executor_.post([&is_idle] { is_idle = true; });
      executor_.run_until([&is_idle] { return is_idle; });
    }
    ASSERT_TRUE(done());
  }
  /// The answer to a call.
  template <class T, class Start>
  T answer(Start start, int turns = 2'000) {
    std::optional<T> result;
    start([&result](T value) { result.emplace(std::move(value)); });
    run_until([&result] { return result.has_value(); }, turns);
    if (!result) throw std::runtime_error("there is no answer");
    return std::move(*result);
  }
  Result<delivery::Page> read(const std::string& user, WallTime now = kTestTime) {
    delivery::PageQuery query;
    query.user = UserId(user);
    query.up_to = INT64_MAX;
    query.messages = 1'000;
    query.bytes = 10 << 20;
    query.now = now;
    query.expire_above = 0;
    return answer<Result<delivery::Page>>(
        [&](auto done) { messages_->read_page(query, std::move(done)); });
  }
  std::vector<Sequence> sequences(const std::string& user, WallTime now = kTestTime) {
    std::vector<Sequence> out;
    const auto page = read(user, now);
    if (!page) throw std::runtime_error("the page is not read");
    for (const auto& message : page->messages) out.push_back(message->sequence);
    return out;
  }
  Result<delivery::PendingTotals> expire(const std::string& user, WallTime now) {
    return answer<Result<delivery::PendingTotals>>(
        [&](auto done) { messages_->expire(UserId(user), 0, INT64_MAX, now, std::move(done)); });
  }
  bool insert(const delivery::MessagePtr& message) {
    std::vector<delivery::Insert> inserts;
    inserts.push_back(calls().as_insert(message));
    return answer<Result<void>>(
               [&](auto done) { messages_->insert(std::move(inserts), std::move(done)); })
        .has_value();
  }
  std::size_t letters(const std::string& reason) {
    delivery::DeadLetterQuery query;
    query.reason = reason;
    query.limit = 10'000;
    return answer<Result<delivery::DeadLetterPage>>(
               [&](auto done) { messages_->list_dead_letters(query, std::move(done)); })
        ->letters.size();
  }
  std::vector<std::pair<UserId, delivery::PendingTotals>> pending() {
    return *answer<Result<std::vector<std::pair<UserId, delivery::PendingTotals>>>>(
        [&](auto done) { messages_->list_pending(UserId(), 10'000, std::move(done)); });
  }
  MessageCalls calls() { return {*messages_, executor_}; }
  delivery::MessageStore& messages() { return *messages_; }
  PumpExecutor& executor() { return executor_; }
  const storage::StoreMetrics& metrics() const { return thread_->metrics(); }
  const storage::FileMetrics& file_metrics() const { return thread_->file_metrics(); }

 private:
  ManualClock clock_{unix_micros(kTestTime)};
  PumpExecutor executor_;
  sqlite::Channel channel_{executor_};
  sqlite::OperationQueue queue_{{.slots = 1'000, .payload_bytes = 10 << 20}};
  std::unique_ptr<sqlite::StoreThread> thread_;
  std::unique_ptr<delivery::MessageStore> messages_;
};

}  // namespace holdfast::test
