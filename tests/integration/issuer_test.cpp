// Tests gateways that take the ID tokens of other issuers.

#include <exception>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/json.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/temp_dir.hpp"
#include "support/client/eventually.hpp"
#include "support/client/fake_gateway.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"
#include "support/identity/token_maker.hpp"

namespace holdfast::test {
namespace {

using ::testing::HasSubstr;
using Kind = TokenMaker::Kind;

/// An issuer on a socket of its own, whose documents a test changes.
class TestProvider {
 public:
  explicit TestProvider(Kind kind) : maker_(kind) {
    publish("/.well-known/openid-configuration",
            json_response(200, Json{{"issuer", url()}, {"jwks_uri", url() + "/keys"}}.dump()));
    publish("/keys", json_response(200, maker_.jwks()));
  }

  [[nodiscard]] std::string url() const { return server_.url(); }
  [[nodiscard]] const TokenMaker& maker() const { return maker_; }
  [[nodiscard]] std::size_t requests() const { return server_.requests().size(); }
  void publish(const std::string& target, net::Response answer) {
    const std::lock_guard lock(mutex_);
    answers_[target] = std::move(answer);
  }
  [[nodiscard]] Json claims(const std::string& sub, WallTime now) const {
    return {{"iss", url()},
            {"aud", "chat"},
            {"sub", sub},
            {"iat", unix_seconds(now)},
            {"exp", unix_seconds(now) + 300}};
  }
  [[nodiscard]] std::string token(const std::string& sub) const {
    return maker_.sign(claims(sub, system_clock().wall_now()));
  }
  [[nodiscard]] Json settings(const std::string& prefix) const {
    return {{"issuer", url()},
            {"audience", {"chat"}},
            {"user_id_prefix", prefix},
            {"algorithms", Json::array({maker_.algorithm()})}};
  }

 private:
  TokenMaker maker_;
  std::mutex mutex_;
  std::map<std::string, net::Response> answers_;
  FakeGateway server_{[this](const net::Request& request) {
    const std::lock_guard lock(mutex_);
    const auto found = answers_.find(request.head.target);
    return found == answers_.end() ? json_response(404, "{}") : found->second;
  }};
};

std::string issuers_setting(const std::vector<Json>& issuers) {
  return "identity.issuers=" + Json(issuers).dump();
}

std::optional<RawResponse> ask_token(TestGateway& gateway, const std::string& authorization) {
  return gateway.send_bytes("GET /tokens HTTP/1.1\r\nHost: " + gateway.address() +
                            "\r\nAuthorization: " + authorization + "\r\n\r\n");
}
int status_of(TestGateway& gateway, const std::string& authorization) {
  const auto answer = ask_token(gateway, authorization);
  return answer ? answer->status : 0;
}

TEST(OtherIssuersTest, BringsUsersWhoReceiveUnderAPrefix) {
  TestProvider rsa(Kind::rsa);
  TestProvider curve(Kind::p256);
  TestProvider edwards(Kind::ed25519);
  TestGateway gateway({.settings = {issuers_setting({rsa.settings("kc:"), curve.settings("g-"),
                                                     edwards.settings("auth0|")})}});
  const std::pair<TestProvider*, std::string> all[] = {
      {&rsa, "kc:"}, {&curve, "g-"}, {&edwards, "auth0|"}};
  for (const auto& [provider, prefix] : all) {
    // Each issuer has this id, for three users in all.
    const TestUser user{
        .name = prefix + "ann", .id = prefix + "ann", .id_token = provider->token("ann")};
    EXPECT_EQ(gateway.publish_status(user.id, "before " + prefix), "STORED");
    Inbox inbox(gateway, user);
    EXPECT_EQ(inbox.wait_for(1), std::vector{payload_frame("before " + prefix)});
    EXPECT_EQ(gateway.publish_status(user.id, "after"), "DELIVERED");
    EXPECT_EQ(inbox.wait_for(2).size(), 2U);
    const Json listed = gateway.control("GET", "/v1/connections").at("connections");
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].at("userId"), user.id);
    inbox.close();
    ASSERT_TRUE(eventually(
        [&] { return gateway.control("GET", "/v1/connections").at("connections").empty(); }));
  }
  // Each in its own name alone.
  EXPECT_EQ(status_of(gateway, rsa.maker().sign(curve.claims("ann", system_clock().wall_now()))),
            401);
  EXPECT_EQ(status_of(gateway, gateway.make_user().id_token), 200);
}

TEST(OtherIssuersTest, GivesNoAccessToUsersOfThePool) {
  TestProvider provider(Kind::rsa);
  TestGateway gateway({.settings = {issuers_setting({provider.settings("")})}});
  const TestUser alice = gateway.make_user();
  EXPECT_EQ(status_of(gateway, provider.token("ann")), 200);
  const auto refused = ask_token(gateway, provider.token(alice.id));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
  EXPECT_EQ(refused->body, R"({"message":"Unauthorized"})");
  EXPECT_EQ(status_of(gateway, alice.id_token), 200);
}

TEST(OtherIssuersTest, ReportsAnExpiredToken) {
  TestProvider provider(Kind::rsa);
  TestGateway gateway({.settings = {issuers_setting({provider.settings("kc:")})}});
  const auto answer = ask_token(gateway, provider.maker().sign(provider.claims(
                                             "ann", system_clock().wall_now() - Seconds(400))));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 401);
  EXPECT_THAT(answer->body, HasSubstr("The incoming token has expired"));
}

TEST(OtherIssuersTest, StartsWithAnIssuerThatIsDown) {
  TestProvider provider(Kind::rsa);
  provider.publish("/keys", json_response(500, "{}"));
  TestGateway gateway({.settings = {issuers_setting({provider.settings("kc:")})}});
  const auto answer = ask_token(gateway, provider.token("ann"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->header("Retry-After"), "1");
  provider.publish("/keys", json_response(200, provider.maker().jwks()));
  EXPECT_TRUE(eventually([&] { return status_of(gateway, provider.token("ann")) == 200; }));
}

TEST(OtherIssuersTest, FollowsNoRedirect) {
  TestProvider provider(Kind::rsa);
  TestProvider elsewhere(Kind::rsa);
  net::Response redirect = json_response(302, "{}");
  redirect.headers.emplace_back("Location", elsewhere.url() + "/keys");
  provider.publish("/keys", std::move(redirect));
  TestGateway gateway({.settings = {issuers_setting({provider.settings("kc:")})}});
  EXPECT_EQ(status_of(gateway, provider.token("ann")), 503);
  EXPECT_EQ(elsewhere.requests(), 0U);
  EXPECT_EQ(
      status_of(gateway, elsewhere.maker().sign(provider.claims("ann", system_clock().wall_now()))),
      503);
}

TEST(OtherIssuersTest, DelaysOnlyTheIssuerThatNeverAnswers) {
  // It listens, and nobody accepts: what connects waits.
  const int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(silent, 8), 0);
  ASSERT_EQ(getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);
  TestProvider provider(Kind::rsa);
  Json settings = provider.settings("kc:");
  settings["jwks_url"] = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/keys";
  {
    TestGateway gateway({.settings = {issuers_setting({settings}), "server.workers=1",
                                      "identity.jwks_timeout_ms=4000"}});
    const TestUser alice = gateway.make_user();
    RawClient waiting = gateway.raw();
    waiting.send("GET /tokens HTTP/1.1\r\nHost: " + gateway.address() +
                 "\r\nAuthorization: " + provider.token("ann") + "\r\n\r\n");
    const SteadyTime before = system_clock().steady_now();
    EXPECT_EQ(status_of(gateway, alice.id_token), 200);
    EXPECT_LT(system_clock().steady_now() - before, Milliseconds(3'000));
    const auto answer = waiting.read_response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 503);
  }
  close(silent);
}

TEST(OtherIssuersTest, RefusesTheOwnPoolAsAnIssuer) {
  TestGateway gateway;
  const std::string issuer = gateway.info().url + "/" + gateway.info().user_pool_id;
  EXPECT_TRUE(gateway.stop());
  TestProvider provider(Kind::rsa);
  Json settings = provider.settings("kc:");
  settings["issuer"] = issuer;
  app::GatewayOptions options;
  app::ConfigSources sources;
  sources.overrides = {{"server.listen", "127.0.0.1:0", "test"},
                       {"server.control_listen", "127.0.0.1:0", "test"},
                       {"server.public_url", issuer.substr(0, issuer.rfind('/')), "test"},
                       {"identity.issuers", Json::array({settings}).dump(), "test"}};
  options.config = app::load_config(sources).value();
  options.data_dir = gateway.data_dir();
  const auto opened = app::open_gateway(std::move(options));
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("own user pool"));
}

TEST(OtherIssuersTest, NeedsKeyFilesAtTheStart) {
  const TempDir dir;
  const TokenMaker maker(Kind::rsa);
  std::ofstream(dir.file("keys.json")) << maker.jwks();
  std::ofstream(dir.file("broken.json")) << "{}";
  const auto refusal = [&](const std::string& member, const std::string& file) {
    const Json settings = {{"issuer", "https://login.example.com"},
                           {"audience", {"chat"}},
                           {"user_id_prefix", "kc:"},
                           {member, dir.file(file)}};
    try {
      TestGateway gateway({.settings = {issuers_setting({settings})}});
      return status_of(gateway, maker.sign({{"iss", "https://login.example.com"},
                                            {"sub", "ann"},
                                            {"aud", "chat"},
                                            {"iat", unix_seconds(system_clock().wall_now())},
                                            {"exp", 2'000'000'000}})) == 200
                 ? std::string("works")
                 : std::string("does not work");
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(refusal("jwks_file", "keys.json"), "works");
  EXPECT_THAT(refusal("jwks_file", "none.json"), HasSubstr("none.json"));
  EXPECT_THAT(refusal("jwks_file", "broken.json"), HasSubstr("https://login.example.com"));
  EXPECT_THAT(refusal("ca_file", "none.pem"), HasSubstr("none.pem"));
}

TEST(SigningKeysTest, RotatesWithoutEndingLogins) {
  ManualClock clock(unix_micros(system_clock().wall_now()));
  TestGateway gateway({.clock = &clock});
  const auto published = [&] {
    return parse_json(gateway.root().jwks().value()).value().at("keys").size();
  };
  const TestUser alice = gateway.make_user();
  const Json rotated = gateway.control("POST", "/v1/keys/rotate", Json::object());
  EXPECT_EQ(rotated.at("signingKeyId"), 2);
  EXPECT_EQ(published(), 2U);
  EXPECT_EQ(status_of(gateway, alice.id_token), 200);

  // The next key signs; the first is there for what it has signed.
  EXPECT_TRUE(gateway.stop());
  clock.advance(Seconds(1'200));
  gateway.start();
  const TestUser bob = gateway.make_user("bob");
  EXPECT_NE(bob.id_token.substr(0, bob.id_token.find('.')),
            alice.id_token.substr(0, alice.id_token.find('.')));
  EXPECT_EQ(status_of(gateway, alice.id_token), 200);
  EXPECT_EQ(status_of(gateway, bob.id_token), 200);
  EXPECT_EQ(published(), 2U);

  EXPECT_TRUE(gateway.stop());
  clock.advance(Seconds(25 * 3600));
  gateway.start();
  ASSERT_TRUE(eventually([&] { return published() == 1; }));
  const auto answer = ask_token(gateway, alice.id_token);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(answer->body, R"({"message":"Unauthorized"})") << "not even known as expired";
  EXPECT_EQ(status_of(gateway, gateway.make_user("eve").id_token), 200);
}

}  // namespace
}  // namespace holdfast::test
