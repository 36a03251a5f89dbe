// Tests the counts in `/metrics`.

#include "support/gateway/metrics.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using testing::SizeIs;

using Increments = std::map<std::string, double>;

/// Reads how much a gateway's counts grow from here on.
class Meter {
 public:
  explicit Meter(const TestGateway& gateway)
      : address_(gateway.info().control_address), before_(scrape(address_)) {}

  /// By how much each series of these metrics has risen; without those that have not.
  [[nodiscard]] Increments of(const std::vector<std::string>& names) const {
    Increments out;
    for (const auto& [series, value] : scrape(address_)) {
      const std::string name = series.substr(0, series.find('{'));
      if (std::ranges::find(names, name) == names.end()) continue;
      const auto found = before_.find(series);
      EXPECT_NE(found, before_.end()) << series << " was not there from the start";
      if (found != before_.end() && value != found->second) out[series] = value - found->second;
    }
    return out;
  }
  [[nodiscard]] double of_one(const std::string& series) const {
    const Increments all = of({series.substr(0, series.find('{'))});
    const auto found = all.find(series);
    return found == all.end() ? 0 : found->second;
  }

 private:
  std::string address_;
  Samples before_;
};

client::OutgoingMessage message(const TestUser& to, const std::string& text) {
  return {.user_id = to.id, .text = text, .deduplication_id = std::nullopt, .ttl = std::nullopt};
}

std::string outcome(const std::string& name) {
  return "holdfast_messages_total{outcome=\"" + name + "\"}";
}

TEST(MetricsTest, CountsMessagesOfEveryOutcome) {
  TestGateway gateway({.settings = {"delivery.ack_wait_ms=9000"}});
  const TestUser alice = gateway.make_user("alice");
  const TestUser bob = gateway.make_user("bob");
  const Inbox inbox(gateway, alice);
  gateway.publish(alice.id, "once this has come, she receives");
  ASSERT_THAT(inbox.wait_for(1), SizeIs(1));
  ASSERT_TRUE(eventually([&] { return gateway.pending(alice.id) == 0; }));
  const Meter meter(gateway);

  EXPECT_EQ(gateway.publish_status(alice.id, "delivered, elided"), "DELIVERED");
  client::OutgoingMessage once = message(alice, "delivered, recorded");
  once.deduplication_id = "once";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(gateway.root().publish(once).value().status, "DELIVERED");
  EXPECT_EQ(gateway.publish_status(bob.id, "held"), "STORED");
  const Inbox late(gateway, bob);
  ASSERT_THAT(late.wait_for(1), SizeIs(1));
  // Of users who never come.
  client::OutgoingMessage brief = message({.name = "carol", .id = "carol", .id_token = {}}, "dies");
  brief.ttl = Seconds(1);
  EXPECT_EQ(gateway.root().publish(brief).value().status, "STORED");
  EXPECT_EQ(gateway.publish_status("dave", "is deleted"), "STORED");
  (void)gateway.control("DELETE", "/v1/pending/dave?all=true");

  const Increments expected = {{"holdfast_messages_accepted_total", 5},
                               {"holdfast_messages_dead_total{reason=\"deleted\"}", 1},
                               {"holdfast_messages_dead_total{reason=\"expired\"}", 1},
                               {outcome("delivered"), 2},
                               {outcome("elided"), 1},
                               {outcome("deduplicated"), 1},
                               {outcome("stored"), 3},
                               {outcome("flushed"), 1},
                               {outcome("expired"), 1},
                               {outcome("dead"), 2}};
  const std::vector<std::string> names = {"holdfast_messages_accepted_total",
                                          "holdfast_messages_dead_total",
                                          "holdfast_messages_total"};
  (void)eventually([&] { return meter.of(names) == expected; }, Milliseconds(20'000));
  EXPECT_EQ(meter.of(names), expected);
  EXPECT_EQ(meter.of_one("holdfast_message_acknowledgement_seconds_count"), 2);
  EXPECT_EQ(meter.of_one("holdfast_held_message_acknowledgement_seconds_count"), 1);
  EXPECT_GE(meter.of_one("holdfast_fence_round_trip_seconds_count"), 3);
  EXPECT_EQ(meter.of_one("holdfast_connections"), 1);
  EXPECT_EQ(meter.of_one("holdfast_dead_letters"), 2);
  EXPECT_EQ(meter.of_one("holdfast_dead_letters_bytes"), 14);
  EXPECT_GE(meter.of_one("holdfast_store_commit_seconds_count"), 4);
  EXPECT_GE(meter.of_one("holdfast_store_batch_size_count"), 4);
  EXPECT_GE(meter.of_one("holdfast_event_loop_lag_seconds_count{shard=\"1\"}"), 10);
}

TEST(MetricsTest, CountsRefusedUpgradesByReason) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const std::string used = gateway.token(alice);
  ASSERT_EQ(gateway.raw().upgrade("/ws?token=" + used)->status, 101);
  const std::string good = gateway.token(alice);
  const Meter meter(gateway);

  EXPECT_EQ(gateway.raw().upgrade("/ws")->status, 401);
  EXPECT_EQ(gateway.raw().upgrade("/ws?token=rubbish")->status, 401);
  EXPECT_EQ(gateway.raw().upgrade("/ws?token=" + used)->status, 401);
  EXPECT_EQ(gateway.raw().upgrade("/ws?token=" + good, "Origin: https://evil.example\r\n")->status,
            403);
  EXPECT_EQ(gateway.raw().upgrade("/ws?token=" + good, "Sec-WebSocket-Protocol: other\r\n")->status,
            400);
  EXPECT_EQ(gateway
                .send_bytes("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
                            "Upgrade: websocket\r\nSec-WebSocket-Version: 12\r\n\r\n")
                ->status,
            426);
  EXPECT_EQ(gateway.raw().upgrade("/ws?token=" + good)->status, 101);

  const auto reason = [](const std::string& name) {
    return "holdfast_websocket_upgrades_refused_total{reason=\"" + name + "\"}";
  };
  EXPECT_EQ(
      meter.of({"holdfast_websocket_upgrades_refused_total", "holdfast_websocket_upgrades_total"}),
      (Increments{{reason("token_missing"), 1},
                  {reason("token_invalid"), 1},
                  {reason("token_used"), 1},
                  {reason("origin"), 1},
                  {reason("subprotocol"), 1},
                  {reason("handshake"), 1},
                  {"holdfast_websocket_upgrades_total", 1}}));
}

TEST(MetricsTest, CountsRefusedLoginsAndTokensByReason) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const Meter meter(gateway);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(gateway.root().initiate_auth("alice", "wrong password"));
  EXPECT_FALSE(gateway.root().initiate_auth("alice", TestGateway::kPassword));
  EXPECT_FALSE(gateway.root().temporary_token("rubbish"));
  EXPECT_EQ(
      gateway.send_bytes("GET /tokens HTTP/1.1\r\nHost: " + gateway.address() + "\r\n\r\n")->status,
      401);
  (void)gateway.token(alice);
  for (const std::string id : {"c", "d"}) {
    const auto issued =
        gateway.send_raw(gateway.signed_request("/tokens", R"({"userId":")" + id + R"("})"));
    EXPECT_EQ(issued->status, 200);
  }
  EXPECT_EQ(
      meter.of({"holdfast_login_failures_total", "holdfast_logins_total",
                "holdfast_temporary_tokens_refused_total", "holdfast_temporary_tokens_total"}),
      (Increments{{"holdfast_login_failures_total{reason=\"not_authorized\"}", 5},
                  {"holdfast_login_failures_total{reason=\"locked\"}", 1},
                  {"holdfast_temporary_tokens_refused_total{reason=\"invalid\"}", 1},
                  {"holdfast_temporary_tokens_refused_total{reason=\"missing\"}", 1},
                  {"holdfast_temporary_tokens_total{by=\"user\"}", 1},
                  {"holdfast_temporary_tokens_total{by=\"key\"}", 2}}));
  (void)gateway.make_user("bob");
  EXPECT_EQ(meter.of_one("holdfast_logins_total"), 1);
}

class SignatureMetricsTest : public testing::Test {
 protected:
  [[nodiscard]] RequestBuilder signed_by(const iam::Credentials& key) const {
    RequestBuilder request;
    request.headers = {{"Host", gateway_.address()}, {"Content-Type", "application/json"}};
    request.sign(key, "us-east-1", "execute-api", system_clock().wall_now());
    return request;
  }
  [[nodiscard]] int status_of(const RequestBuilder& request) const {
    const auto answer = gateway_.send_raw(request);
    return answer ? answer->status : 0;
  }

  TestGateway gateway_;
};

TEST_F(SignatureMetricsTest, CountsRefusedCallsByReason) {
  const Json statement = {
      {"Effect", "Allow"}, {"Action", "cognito-idp:ListUsers"}, {"Resource", "*"}};
  const Json key = gateway_.control(
      "POST", "/v1/access-keys",
      {{"name", "reader"},
       {"policy", {{"Version", "2012-10-17"}, {"Statement", Json::array({statement})}}}});
  const Meter meter(gateway_);
  RequestBuilder unsigned_one;
  unsigned_one.headers = {{"Host", gateway_.address()}, {"Content-Type", "application/json"}};
  EXPECT_EQ(status_of(unsigned_one), 403);
  RequestBuilder incomplete = unsigned_one;
  incomplete.headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 Credential=x");
  EXPECT_EQ(status_of(incomplete), 403);
  iam::Credentials wrong = gateway_.credentials();
  wrong.secret_access_key += "x";
  EXPECT_EQ(status_of(signed_by(wrong)), 403);
  EXPECT_EQ(status_of(signed_by(wrong)), 403);
  wrong.access_key_id = "AKIANOBODY";
  EXPECT_EQ(status_of(signed_by(wrong)), 403);
  EXPECT_EQ(
      status_of(signed_by(
          {.access_key_id = key["id"], .secret_access_key = key["secret"], .session_token = {}})),
      403);
  EXPECT_EQ(status_of(signed_by(gateway_.credentials())), 200);

  const auto failure = [](const std::string& name) {
    return "holdfast_signature_failures_total{reason=\"" + name + "\"}";
  };
  EXPECT_EQ(meter.of({"holdfast_signature_failures_total", "holdfast_signatures_verified_total",
                      "holdfast_calls_refused_total", "holdfast_ingest_refused_total"}),
            (Increments{{failure("missing_authentication_token"), 1},
                        {failure("incomplete_signature"), 1},
                        {failure("invalid_signature"), 2},
                        {failure("unrecognized_client"), 1},
                        {"holdfast_signatures_verified_total", 2},
                        {"holdfast_calls_refused_total{reason=\"policy\"}", 1},
                        {"holdfast_ingest_refused_total{reason=\"unauthorized\"}", 6}}));
}

TEST_F(SignatureMetricsTest, CountsCallsBeyondTheKeysRate) {
  const Json key =
      gateway_.control("POST", "/v1/access-keys", {{"name", "slow"}, {"requestsPerSecond", 1}});
  const Meter meter(gateway_);
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    refused += status_of(signed_by({.access_key_id = key["id"],
                                    .secret_access_key = key["secret"],
                                    .session_token = {}})) == 429
                   ? 1
                   : 0;
  }
  EXPECT_GE(refused, 1);
  EXPECT_EQ(meter.of({"holdfast_calls_refused_total"}),
            (Increments{{"holdfast_calls_refused_total{reason=\"rate\"}", refused}}));
}

TEST(MetricsTest, CountsRefusedMessagesByReason) {
  TestGateway gateway({.settings = {"delivery.pending_messages=1"}});
  gateway.publish("full", "m");
  client::OutgoingMessage once{
      .user_id = "u", .text = "one", .deduplication_id = "key", .ttl = std::nullopt};
  ASSERT_TRUE(gateway.root().publish(once));
  const Meter meter(gateway);
  const auto post = [&](const std::string& body) {
    return gateway.send_raw(gateway.signed_request("/message", body))->status;
  };
  EXPECT_EQ(post("{"), 400);
  EXPECT_EQ(post(R"({"userId":"u"})"), 400);
  EXPECT_EQ(post(R"({"userId":"x","message":")" + std::string(131'073, 'x') + "\"}"), 413);
  EXPECT_EQ(post(R"({"userId":"full","message":"m"})"), 429);
  once.text = "another";
  EXPECT_FALSE(gateway.root().publish(once));
  RequestBuilder text;
  text.headers = {{"Host", gateway.address()}, {"Content-Type", "text/plain"}};
  text.sign(gateway.credentials(), "us-east-1", "execute-api", system_clock().wall_now());
  EXPECT_EQ(gateway.send_raw(text)->status, 415);

  const auto reason = [](const std::string& name) {
    return "holdfast_ingest_refused_total{reason=\"" + name + "\"}";
  };
  EXPECT_EQ(meter.of({"holdfast_ingest_refused_total"}), (Increments{{reason("body"), 2},
                                                                     {reason("too_long"), 1},
                                                                     {reason("limit_exceeded"), 1},
                                                                     {reason("conflict"), 1},
                                                                     {reason("content_type"), 1}}));
  const std::string requests = "holdfast_http_requests_total{listener=\"gateway\",address=\"" +
                               gateway.address() + "\",status=\"4xx\"}";
  // An answer is counted once it is written, which its client may know earlier.
  EXPECT_TRUE(eventually([&] { return meter.of_one(requests) == 6; })) << meter.of_one(requests);
}

}  // namespace
}  // namespace holdfast::test
