// Tests that floods of logins by strangers take little from others.
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/app/console_password.hpp>
#include <holdfast/base/json.hpp>

#include "support/base/files.hpp"
#include "support/base/manual_clock.hpp"
#include "support/gateway/metrics.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

constexpr const char* kFlooder = "203.0.113.9";
constexpr const char* kVisitor = "198.51.100.1";
constexpr const char* kConsolePassword = "a password for the console";

std::string login_request(const TestGateway& gateway, const std::string& name,
                          const std::string& password, const std::string& address) {
  const std::string body = Json{{"ClientId", gateway.info().client_id},
                                {"AuthFlow", "USER_PASSWORD_AUTH"},
                                {"AuthParameters", {{"USERNAME", name}, {"PASSWORD", password}}}}
                               .dump();
  return "POST / HTTP/1.1\r\nHost: " + gateway.address() + "\r\nX-Forwarded-For: " + address +
         "\r\nX-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth\r\n"
         "Content-Type: application/x-amz-json-1.1\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

RawResponse log_in(const TestGateway& gateway, const std::string& name, const std::string& password,
                   const std::string& address = kVisitor) {
  RawClient client(gateway.address());
  client.send(login_request(gateway, name, password, address));
  return client.read_response(Milliseconds(30'000)).value();
}

/// Logins of made-up names from one address, as many at a time as there are sockets.
class Flood {
 public:
  Flood(const TestGateway& gateway, int sockets) {
    for (int i = 0; i < sockets; ++i) {
      threads_.emplace_back([this, &gateway, i] {
        RawClient client(gateway.address());
        for (int j = 0; !ended_; ++j) {
          const std::string name = "made-up-" + std::to_string(i) + "-" + std::to_string(j);
          client.send(login_request(gateway, name, "a wrong password", kFlooder));
          const auto answer = client.read_response(Milliseconds(30'000));
          if (!answer) return;
          if (answer->body.contains("TooManyRequestsException")) ++refused_;
        }
      });
    }
  }
  ~Flood() {
    ended_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  [[nodiscard]] int refused() const { return refused_; }

 private:
  std::atomic<bool> ended_{false};
  std::atomic<int> refused_{0};
  std::vector<std::thread> threads_;
};

TEST(PasswordFloodTest, StopsNeitherOthersNorTheOperator) {
  TestGateway gateway({.settings = {R"(server.trusted_proxies=["127.0.0.1"])", "auth.hash_queue=16",
                                    "limits.failed_logins_per_address_per_minute=0",
                                    "console.password_hash=" +
                                        app::hash_console_password(kConsolePassword).value()}});
  const TestUser alice = gateway.make_user("alice");
  const std::string series =
      R"(holdfast_bound_refusals_total{bound="password_work",scope="share"})";
  const double before = scrape(gateway.info().control_address).at(series);
  const Flood flood(gateway, 8);
  // An eighth is two: more than that cannot all be waiting.
  ASSERT_TRUE(eventually([&] { return flood.refused() > 10; }));

  EXPECT_EQ(log_in(gateway, "alice", TestGateway::kPassword).status, 200);
  EXPECT_TRUE(gateway.control("POST", "/v1/keys/rotate").contains("signingKeyId"));
  (void)gateway.control("PATCH", "/v1/users/alice",
                        {{"password", "another good password"}, {"permanent", true}});
  EXPECT_EQ(log_in(gateway, "alice", "another good password").status, 200);
  const std::string body = Json{{"password", kConsolePassword}}.dump();
  const std::string& control = gateway.info().control_address;
  RawClient console(control);
  console.send("POST /console/api/session HTTP/1.1\r\nHost: " + control +
               "\r\nX-Holdfast-Console: person\r\nOrigin: http://" + control +
               "\r\nContent-Type: application/json\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
  const auto signed_in = console.read_response(Milliseconds(30'000));
  ASSERT_TRUE(signed_in);
  EXPECT_EQ(signed_in->status, 200) << signed_in->body;
  EXPECT_GT(scrape(gateway.info().control_address).at(series), before + 10);
}

TEST(FailedLoginsTest, LimitsOneAddressWhateverTheNames) {
  TestGateway gateway({.settings = {R"(server.trusted_proxies=["127.0.0.1"])",
                                    "limits.failed_logins_per_address_per_minute=3"}});
  (void)gateway.make_user("alice");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(log_in(gateway, "name-" + std::to_string(i), "wrong password", kFlooder).status, 400);
  }
  EXPECT_EQ(log_in(gateway, "alice", TestGateway::kPassword, kFlooder).status, 400);
  EXPECT_EQ(log_in(gateway, "alice", TestGateway::kPassword, kVisitor).status, 200);
}

TEST(FailedRefreshesTest, LimitsOneAddressAndLeavesOthersAlone) {
  TestGateway gateway({.settings = {R"(server.trusted_proxies=["127.0.0.1"])",
                                    "limits.failed_logins_per_address_per_minute=3"}});
  (void)gateway.make_user("alice");
  const auto refresh = [&](const std::string& token, const std::string& address) {
    const std::string body =
        Json{{"ClientId", gateway.info().client_id}, {"RefreshToken", token}}.dump();
    RawClient client(gateway.address());
    client.send("POST / HTTP/1.1\r\nHost: " + gateway.address() +
                "\r\nX-Forwarded-For: " + address +
                "\r\nX-Amz-Target: AWSCognitoIdentityProviderService.GetTokensFromRefreshToken\r\n"
                "Content-Type: application/x-amz-json-1.1\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.read_response(Milliseconds(30'000)).value();
  };
  const auto login = parse_json(log_in(gateway, "alice", TestGateway::kPassword, kFlooder).body);
  ASSERT_TRUE(login);
  const std::string token = login->at("AuthenticationResult").at("RefreshToken");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(refresh(token, kFlooder).status, 200);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(
        refresh("made-up-" + std::to_string(i), kFlooder).body.contains("NotAuthorizedException"));
  }
  EXPECT_TRUE(refresh("made-up-again", kFlooder).body.contains("TooManyRequestsException"));
  EXPECT_EQ(refresh(token, kVisitor).status, 200);
  // Logins of that address are counted apart.
  EXPECT_EQ(log_in(gateway, "alice", TestGateway::kPassword, kFlooder).status, 200);
  EXPECT_EQ(scrape(gateway.info().control_address)
                .at(R"(holdfast_bound_refusals_total{bound="failed_refreshes",scope="share"})"),
            1);
}

TEST(FailedLoginsTest, SurvivesARestartWithoutLockingOutKnownAddresses) {
  ManualClock clock(unix_micros(system_clock().wall_now()));
  TestGateway::Options options{.settings = {R"(server.trusted_proxies=["127.0.0.1"])"}};
  options.clock = &clock;
  TestGateway gateway(std::move(options));
  (void)gateway.make_user("alice");
  ASSERT_EQ(log_in(gateway, "alice", TestGateway::kPassword, kVisitor).status, 200);
  for (const char* const name : {"alice", "nobody"}) {
    for (int i = 0; i < 5; ++i) (void)log_in(gateway, name, "wrong password", kFlooder);
  }
  gateway.stop();
  gateway.start();
  for (const char* const name : {"alice", "nobody"}) {
    EXPECT_TRUE(log_in(gateway, name, TestGateway::kPassword, kFlooder)
                    .body.contains("Password attempts exceeded"))
        << name;
  }
  EXPECT_EQ(log_in(gateway, "alice", TestGateway::kPassword, kVisitor).status, 200);
  gateway.stop();
  EXPECT_FALSE(read_file(gateway.data_dir() + "/holdfast.db").contains("nobody"))
      << "a name is kept so that it cannot be read";
}

}  // namespace
}  // namespace holdfast::test
