// Tests that a broken invariant of the mailboxes' calls ends the process.
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>

#include "sqlite/messages.hpp"
#include "sqlite/queue.hpp"
#include "support/storage/message_calls.hpp"
#include "support/storage/pump_executor.hpp"

namespace holdfast::test {
namespace {

// Each runs in a process of its own.
class StoreInvariantsDeathTest : public testing::Test {
 protected:
  StoreInvariantsDeathTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  void insert(const std::vector<delivery::MessagePtr>& messages) {
    log::Options options;
    options.file_descriptor = STDERR_FILENO;
    log::start(options);
    MessageCalls calls{*store_, executor_};
    std::vector<delivery::Insert> inserts;
    for (const auto& message : messages) inserts.push_back(calls.as_insert(message));
    store_->insert(std::move(inserts), [](const Result<void>&) {});
  }

  PumpExecutor executor_;
  sqlite::Channel channel_{executor_};
  sqlite::OperationQueue queue_{{.slots = 10, .payload_bytes = 1'000}};
  std::unique_ptr<delivery::MessageStore> store_ = sqlite::make_message_store(queue_, channel_);
};

TEST_F(StoreInvariantsDeathTest, EndsTheProcessWhenInsertsDoNotRise) {
  insert({make_message("anna", 1), make_message("anna", 2)});
  EXPECT_EXIT(insert({make_message("anna", 2), make_message("anna", 2)}),
              testing::KilledBySignal(SIGABRT), "insert\\.rises");
}

TEST_F(StoreInvariantsDeathTest, EndsTheProcessWhenInsertsAreOfTwoUsers) {
  EXPECT_EXIT(insert({make_message("anna", 1), make_message("bert", 2)}),
              testing::KilledBySignal(SIGABRT), "insert\\.is_of_one_user");
}

TEST_F(StoreInvariantsDeathTest, EndsTheProcessWhenNothingIsInserted) {
  EXPECT_EXIT(insert({}), testing::KilledBySignal(SIGABRT), "insert\\.has_rows");
}

}  // namespace
}  // namespace holdfast::test
