// Tests ID tokens and temporary tokens over HTTP.

#include <algorithm>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "support/base/manual_clock.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kUnauthorized = R"({"message":"Unauthorized"})";

std::string with_part(const std::string& token, int part, const std::string& replacement) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t dot; (dot = token.find('.', start)) != std::string::npos; start = dot + 1) {
    parts.push_back(token.substr(start, dot - start));
  }
  parts.push_back(token.substr(start));
  parts[static_cast<std::size_t>(part)] = replacement;
  return parts[0] + "." + parts[1] + "." + parts[2];
}

class TokenTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    gateway_ = new TestGateway({.settings = {"tokens.max_outstanding=100"}});
    alice_ = new TestUser(gateway_->make_user());
  }
  static void TearDownTestSuite() {
    delete alice_;
    delete gateway_;
  }
  static std::optional<RawResponse> ask_token(const std::string& authorization) {
    return gateway_->send_bytes("GET /tokens HTTP/1.1\r\nHost: " + gateway_->address() +
                                "\r\nAuthorization: " + authorization + "\r\n\r\n");
  }
  static void expect_unauthorized(const std::string& authorization, const std::string& what) {
    const auto answer = ask_token(authorization);
    ASSERT_TRUE(answer) << what;
    EXPECT_EQ(answer->status, 401) << what;
    EXPECT_EQ(answer->body, kUnauthorized) << what;
  }
  static int upgrade_status(const std::string& query) {
    RawClient socket = gateway_->raw();
    const auto answer = socket.upgrade("/ws" + query);
    if (!answer) return 0;
    if (answer->status != 101) {
      EXPECT_EQ(answer->body, kUnauthorized) << query.substr(0, 20);
    }
    return answer->status;
  }

  static TestGateway* gateway_;
  static TestUser* alice_;
};
TestGateway* TokenTest::gateway_ = nullptr;
TestUser* TokenTest::alice_ = nullptr;

TEST_F(TokenTest, TakesAnIdTokenRawOrAsBearer) {
  for (const std::string prefix : {"", "Bearer "}) {
    const auto answer = ask_token(prefix + alice_->id_token);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    const auto body = parse_json(answer->body);
    ASSERT_TRUE(body);
    EXPECT_EQ(body->size(), 1u);
    EXPECT_EQ(upgrade_status("?token=" + body->at("token").get<std::string>()), 101);
  }
}

TEST_F(TokenTest, RefusesTokensOfAnySize) {
  expect_unauthorized(std::string(20 << 10, 'x'), "20 KiB of nothing");
  // Well-formed, and far too long for what it says.
  expect_unauthorized(with_part(alice_->id_token, 1, std::string(20 << 10, 'A')), "20 KiB");
  RawClient socket = gateway_->raw();
  socket.send("GET /tokens HTTP/1.1\r\nHost: " + gateway_->address() +
              "\r\nAuthorization: " + std::string(1 << 20, 'x') + "\r\n\r\n");
  const auto answer = socket.read_response();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 431);
  EXPECT_EQ(answer->header("Connection"), "close");
  EXPECT_TRUE(socket.ends());
  expect_unauthorized("x", "afterwards");
}

TEST_F(TokenTest, RefusesWhatIsNoIdTokenOfItsPool) {
  const std::string& good = alice_->id_token;
  const std::string header = good.substr(0, good.find('.'));
  const std::string signature = good.substr(good.rfind('.') + 1);
  const auto claims =
      base64url_decode(good.substr(header.size() + 1, good.rfind('.') - header.size() - 1));
  ASSERT_TRUE(claims);
  Json other = *parse_json(*claims);
  other["sub"] = "00000000-0000-4000-8000-000000000000";

  expect_unauthorized("", "empty");
  expect_unauthorized("nonsense", "not a JWT");
  expect_unauthorized(good.substr(0, good.rfind('.')), "two parts");
  expect_unauthorized(good + ".x", "four parts");
  expect_unauthorized(good + ".x.y", "five parts");
  expect_unauthorized(good + "=", "padded");
  expect_unauthorized(with_part(good, 1, base64url_encode(other.dump())), "other claims");
  expect_unauthorized(with_part(good, 2, std::string(signature.rbegin(), signature.rend())),
                      "another signature");
  expect_unauthorized(with_part(good, 2, ""), "no signature");
  for (const char* alg : {"none", "None", "nOnE", "HS256", "ES256"}) {
    const std::string forged = base64url_encode(R"({"alg":")" + std::string(alg) + R"("})");
    expect_unauthorized(with_part(good, 0, forged), alg);
    expect_unauthorized(with_part(with_part(good, 0, forged), 2, ""), alg);
  }
  for (const char* kid : {"\"../../etc/passwd\"", "\"' OR 1=1 --\"", "[1]", "null"}) {
    expect_unauthorized(
        with_part(good, 0, base64url_encode(R"({"alg":"RS256","kid":)" + std::string(kid) + "}")),
        kid);
  }
}

TEST_F(TokenTest, RefusesAnAccessTokenInPlaceOfAnIdToken) {
  const auto answer = gateway_->root().initiate_auth(alice_->name, TestGateway::kPassword);
  ASSERT_TRUE(answer) << answer.error().text();
  expect_unauthorized(std::get<client::Tokens>(*answer).access_token, "access token");
}

TEST_F(TokenTest, RefusesARequestWithoutAToken) {
  const auto answer =
      gateway_->send_bytes("GET /tokens HTTP/1.1\r\nHost: " + gateway_->address() + "\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(answer->body, kUnauthorized);
}

TEST_F(TokenTest, OpensOneConnectionForSixtyFourClientsOfOneToken) {
  constexpr int kClients = 64;
  const std::string token = gateway_->token(*alice_);
  std::vector<RawClient> sockets;
  for (int i = 0; i < kClients; ++i) sockets.push_back(gateway_->raw());
  std::vector<int> statuses(kClients);
  std::latch start(kClients);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      const auto answer = sockets[i].upgrade("/ws?token=" + token);
      statuses[i] = answer ? answer->status : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::ranges::count(statuses, 101), 1);
  EXPECT_EQ(std::ranges::count(statuses, 401), kClients - 1);
}

TEST_F(TokenTest, RefusesEveryBadTokenAlike) {
  const std::string good = gateway_->token(*alice_);
  EXPECT_EQ(upgrade_status(""), 401);
  EXPECT_EQ(upgrade_status("?token="), 401);
  EXPECT_EQ(upgrade_status("?token=garbage"), 401);
  EXPECT_EQ(upgrade_status("?token=" + std::string(4'000, 'A')), 401);
  EXPECT_EQ(upgrade_status("?token=%00%ff"), 401);
  EXPECT_EQ(upgrade_status("?other=" + good), 401);
  for (const std::size_t at : {std::size_t{0}, std::size_t{3}, good.size() / 2, good.size() - 1}) {
    std::string flipped = good;
    flipped[at] = flipped[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(upgrade_status("?token=" + flipped), 401) << at;
  }
  EXPECT_EQ(upgrade_status("?token=" + good), 101);
  EXPECT_EQ(upgrade_status("?token=" + good), 401);
}

TEST_F(TokenTest, BurnsNoTokenOnAHandshakeThatIsRefusedForAnotherReason) {
  const std::string token = gateway_->token(*alice_);
  const std::string line = "GET /ws?token=" + token + " HTTP/1.1\r\nHost: " + gateway_->address() +
                           "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const std::string version = "Sec-WebSocket-Version: 13\r\n";
  const auto status = [&](const std::string& rest) {
    const auto answer = gateway_->send_bytes(line + rest + "\r\n");
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(status(key + "Sec-WebSocket-Version: 8\r\n"), 426);
  EXPECT_EQ(status(version), 400);
  EXPECT_EQ(status(version + "Sec-WebSocket-Key: short\r\n"), 400);
  EXPECT_EQ(status(version + key + "Origin: https://evil.example\r\n"), 403);
  EXPECT_EQ(status(version + key + "Sec-WebSocket-Protocol: unknown\r\n"), 400);
  EXPECT_EQ(status(version + key), 101);
}

TEST_F(TokenTest, AnswersAPlainRequestForTheWebSocketWith426) {
  const auto answer =
      gateway_->send_bytes("GET /ws HTTP/1.1\r\nHost: " + gateway_->address() + "\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 426);
  EXPECT_EQ(answer->header("Sec-WebSocket-Version"), "13");
}

TEST_F(TokenTest, AdmitsPagesOfItsOwnOriginAlone) {
  const auto status = [&](const std::string& origin) {
    RawClient socket = gateway_->raw();
    const auto answer =
        socket.upgrade("/ws?token=" + gateway_->token(*alice_), "Origin: " + origin + "\r\n");
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(status("http://" + gateway_->address()), 101);
  EXPECT_EQ(status("http://" + gateway_->address() + ".evil.example"), 403);
  EXPECT_EQ(status("null"), 403);
}

TEST_F(TokenTest, ServesItsKeysUnderTheIssuer) {
  const auto keys = gateway_->root().jwks();
  ASSERT_TRUE(keys) << keys.error().text();
  const auto json = parse_json(*keys);
  ASSERT_TRUE(json);
  ASSERT_FALSE(json->at("keys").empty());
  EXPECT_EQ(json->at("keys")[0].at("alg"), "RS256");
  EXPECT_FALSE(json->at("keys")[0].contains("d"));
}

TEST(ConfiguredTokenTest, EndsAfterItsLifetimeAndTheDrift) {
  ManualClock clock(unix_micros(system_clock().wall_now()));
  TestGateway::Options options;
  options.clock = &clock;
  TestGateway gateway(std::move(options));
  const TestUser alice = gateway.make_user();
  const std::string late = gateway.token(alice);
  const std::string too_late = gateway.token(alice);
  clock.advance(Seconds(34));
  RawClient in_time = gateway.raw();
  EXPECT_EQ(in_time.upgrade("/ws?token=" + late)->status, 101);
  clock.advance(Seconds(2));
  RawClient after = gateway.raw();
  EXPECT_EQ(after.upgrade("/ws?token=" + too_late)->status, 401);
}

TEST(ConfiguredTokenTest, StaysExpiredWhenTheClockIsSetBack) {
  ManualClock clock(unix_micros(system_clock().wall_now()));
  TestGateway::Options options;
  options.clock = &clock;
  TestGateway gateway(std::move(options));
  const TestUser alice = gateway.make_user();
  const std::string token = gateway.token(alice);
  RawClient first = gateway.raw();
  EXPECT_EQ(first.upgrade("/ws?token=" + token)->status, 101);
  clock.step_wall(-Seconds(600));
  RawClient second = gateway.raw();
  EXPECT_EQ(second.upgrade("/ws?token=" + token)->status, 401);
}

TEST(ConfiguredTokenTest, SaysThatAnIdTokenHasExpired) {
  ManualClock clock(unix_micros(system_clock().wall_now()));
  TestGateway::Options options;
  options.clock = &clock;
  TestGateway gateway(std::move(options));
  const TestUser alice = gateway.make_user();
  clock.advance(Seconds(3'700));
  const auto answer = gateway.root().temporary_token(alice.id_token);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().status, 401);
  EXPECT_THAT(answer.error().message, HasSubstr("The incoming token has expired"));
}

TEST(ConfiguredTokenTest, KeepsItsStateAcrossARestart) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const std::string used = gateway.token(alice);
  const std::string unused = gateway.token(alice);
  RawClient before = gateway.raw();
  EXPECT_EQ(before.upgrade("/ws?token=" + used)->status, 101);
  gateway.stop();
  gateway.start();
  RawClient again = gateway.raw();
  EXPECT_EQ(again.upgrade("/ws?token=" + used)->status, 401);
  RawClient fresh = gateway.raw();
  EXPECT_EQ(fresh.upgrade("/ws?token=" + unused)->status, 101);
}

TEST(ConfiguredTokenTest, StaysGoodWhenTheDataKeyIsRotatedMeanwhile) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const std::string token = gateway.token(alice);
  const Json rotated = gateway.control("POST", "/v1/keys/rotate", Json::object());
  EXPECT_GT(rotated.at("keyId").get<int>(), 1);
  RawClient old_key = gateway.raw();
  EXPECT_EQ(old_key.upgrade("/ws?token=" + token)->status, 101);
  RawClient new_key = gateway.raw();
  EXPECT_EQ(new_key.upgrade("/ws?token=" + gateway.token(alice))->status, 101);
}

TEST(ConfiguredTokenTest, RefusesAUserWithTooManyUnusedTokens) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(gateway.token(alice).empty());
  const auto refused = gateway.root().temporary_token(alice.id_token);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 429);
  EXPECT_FALSE(gateway.token(gateway.make_user("bob")).empty());
}

}  // namespace
}  // namespace holdfast::test
