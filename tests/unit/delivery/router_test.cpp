// Calls from one shard to another.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/delivery/router.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/delivery/fake_connection.hpp"
#include "support/delivery/fake_message_store.hpp"

namespace holdfast::delivery {
namespace {

class RouterTest : public testing::Test {
 protected:
  static constexpr std::size_t kShards = 3;

  RouterTest() {
    std::vector<Router::Shard> shards;
    for (std::size_t i = 0; i < kShards; ++i) {
      auto& shard = shards_.emplace_back(std::make_unique<Shard>(database_));
      MailboxesOptions options;
      options.shard = i;
      options.counter_start = unix_micros(clock_.wall_now());
      options.ceiling = options.counter_start + 60'000'000;
      shard->mailboxes = make_mailboxes(std::move(options), clock_, shard->executor, shard->store,
                                        shard->connections);
      shards.push_back({&shard->executor, shard->mailboxes.get()});
    }
    router_ = std::make_unique<Router>(std::move(shards));
  }

  struct Shard {
    explicit Shard(std::shared_ptr<test::FakeDatabase> database)
        : store(std::move(database), executor) {}

    test::ManualExecutor executor;
    test::FakeMessageStore store;
    test::FakeConnectionStore connections;
    std::unique_ptr<Mailboxes> mailboxes;
  };

  void run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& shard : shards_) {
        moved = moved || !shard->executor.idle();
        shard->executor.run();
      }
    }
  }
  /// A user whose home is `shard`.
  UserId user_of(std::size_t shard) const {
    for (int i = 0;; ++i) {
      UserId user("user" + std::to_string(i));
      if (router_->home(user) == shard) return user;
    }
  }
  static SendRequest request(UserId user, std::string payload) {
    return {std::move(user), std::move(payload), {}, {}, nullptr};
  }

  test::ManualClock clock_;
  std::shared_ptr<test::FakeDatabase> database_ = std::make_shared<test::FakeDatabase>();
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Router> router_;
};

TEST(HomeShard, IsStableAcrossReleases) {
  // Changing the hash would send messages of users with open mailboxes to two homes in an upgrade.
  EXPECT_EQ(home_shard(UserId("testUser"), 1'000'003), 807'293U);
  EXPECT_EQ(home_shard(UserId(""), 1), 0U);
}

TEST(HomeShard, SpreadsUsersEvenly) {
  for (const std::size_t shards : {2U, 3U, 8U, 64U}) {
    std::vector<int> counts(shards);
    constexpr int users = 64'000;
    for (int i = 0; i < users; ++i) {
      ++counts[home_shard(UserId("0190f0d4-9d6c-7c3e-a0c8-" + std::to_string(i)), shards)];
    }
    for (const int count : counts) {
      EXPECT_NEAR(count, users / static_cast<double>(shards), users / shards * 0.2);
    }
  }
}

TEST_F(RouterTest, MakesConnectionIdsThatTellTheirShard) {
  for (std::size_t shard = 0; shard < kShards; ++shard) {
    const ConnectionId id = router_->make_connection_id(shard);
    EXPECT_EQ(router_->home(id), shard);
    EXPECT_NE(router_->make_connection_id(shard), id);
  }
}

TEST_F(RouterTest, CarriesQuestionsAboutAConnectionToItsShardAndTheAnswerBack) {
  const ConnectionId id = router_->make_connection_id(1);
  const auto connection = std::make_shared<test::FakeConnection>();
  ConnectionInfo info;
  info.id = id;
  info.user = user_of(1);
  shards_[1]->mailboxes->attach(info, raw_protocol(), connection);
  shards_[1]->mailboxes->start_delivery(id);
  for (const std::size_t from : {0U, 1U}) {
    std::optional<ConnectionInfo> found;
    std::optional<Result<void>> posted;
    router_->find_connection(from, id, [&](auto answer) { found = std::move(answer); });
    router_->post_text(from, id, "x", [&](auto answer) { posted = std::move(answer); });
    EXPECT_EQ(posted.has_value(), from == 1) << "a post each way, or none";
    run();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->user, info.user);
    EXPECT_EQ(found->shard, 1U);
    ASSERT_TRUE(posted);
    EXPECT_TRUE(*posted);
  }
  std::optional<bool> closed;
  router_->close_connection(0, id, CloseReason::requested, [&](bool answer) { closed = answer; });
  run();
  EXPECT_EQ(closed, true);
  EXPECT_EQ(connection->close_reason, CloseReason::requested);
  router_->close_connection(0, id, CloseReason::requested, [&](bool answer) { closed = answer; });
  run();
  EXPECT_EQ(closed, false) << "it is closing already";
  EXPECT_EQ(connection->texts_written, 2U);
  connection->end();
  run();
}

TEST_F(RouterTest, CallsTheHomeShardItselfWithoutAPost) {
  const UserId user = user_of(1);
  router_->send(1, request(user, "m"), [](const SendOutcome&) {});
  EXPECT_EQ(shards_[1]->mailboxes->metrics().accepted.read(), 1U);
}

TEST_F(RouterTest, CarriesACallToTheHomeShardAndTheAnswerBack) {
  const UserId user = user_of(2);
  std::optional<SendOutcome> answer;
  router_->send(0, request(user, "m"), [&](SendOutcome outcome) { answer = std::move(outcome); });
  EXPECT_EQ(shards_[2]->mailboxes->metrics().accepted.read(), 0U);
  shards_[2]->executor.run();
  EXPECT_EQ(shards_[2]->mailboxes->metrics().stored.read(), 1U);
  EXPECT_FALSE(answer);  // its own shard has not run yet
  shards_[0]->executor.run();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(*answer);
}

TEST_F(RouterTest, DealsABatchOutAndBringsOutcomesBackInItsOrder) {
  std::vector<SendRequest> requests;
  std::map<UserId, std::vector<std::string>> expected;
  for (int i = 0; i < 60; ++i) {
    const UserId user = user_of(static_cast<std::size_t>(i) % kShards);
    requests.push_back(request(user, std::to_string(i)));
    expected[user].push_back(std::to_string(i));
  }
  std::vector<SendOutcome> outcomes;
  router_->send_batch(0, requests, [&](std::vector<SendOutcome> o) { outcomes = std::move(o); });
  run();
  ASSERT_EQ(outcomes.size(), requests.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ASSERT_TRUE(outcomes[i]);
    const auto& row = database_->tables.messages[requests[i].user].at(outcomes[i]->sequence);
    EXPECT_EQ(row->payload, requests[i].payload);
  }
  for (const auto& [user, payloads] : expected) {
    std::vector<std::string> stored;
    for (const auto& [sequence, m] : database_->tables.messages[user]) stored.push_back(m->payload);
    EXPECT_EQ(stored, payloads);
  }
  for (const auto& shard : shards_) {
    EXPECT_EQ(shard->store.calls(test::FakeMessageStore::Kind::insert), 1U);
  }
}

TEST_F(RouterTest, AnswersAnEmptyBatch) {
  bool answered = false;
  router_->send_batch(0, {}, [&](const std::vector<SendOutcome>& o) { answered = o.empty(); });
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace holdfast::delivery
