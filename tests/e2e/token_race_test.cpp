// Races clients for one token.

#include <algorithm>
#include <barrier>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/load.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

constexpr int kClients = 64;

class TokenRaceTest : public ::testing::Test {
 protected:
  GatewayProcess start(const std::string& listen = "127.0.0.1:0") {
    return GatewayProcess({.data_dir = dir_.file("data"),
                           .environment = {{"HOLDFAST_AUTH__HASH_MEMORY_KIB", "1024"},
                                           {"HOLDFAST_AUTH__HASH_ITERATIONS", "1"},
                                           {"HOLDFAST_SERVER__WORKERS", "2"}},
                           .listen = listen});
  }
  static std::string token(client::GatewayClient& root, const TestUser& user) {
    const auto token = root.temporary_token(user.id_token);
    if (!token) throw std::runtime_error(token.error().text());
    return *token;
  }
  static int upgrade(const std::string& address, const std::string& token) {
    RawClient client(address);
    const auto response = client.upgrade("/ws?token=" + token);
    return response ? response->status : 0;
  }

  TempDir dir_;
};

TEST_F(TokenRaceTest, OpensOneConnectionForSixtyFourClientsAtOnce) {
  const GatewayProcess gateway = start();
  const auto root = gateway.client();
  const TestUser user = make_user(*root, "alice");
  for (int round = 0; round < 5; ++round) {
    const std::string shared = token(*root, user);
    std::barrier together(kClients);
    std::vector<int> statuses(kClients);
    std::vector<std::jthread> threads;
    for (int& status : statuses) {
      threads.emplace_back([&] {
        RawClient client(gateway.address());
        together.arrive_and_wait();
        const auto response = client.upgrade("/ws?token=" + shared);
        status = response ? response->status : 0;
      });
    }
    threads.clear();
    EXPECT_EQ(std::ranges::count(statuses, 101), 1);
    EXPECT_EQ(std::ranges::count(statuses, 401), kClients - 1);
  }
}

TEST_F(TokenRaceTest, RemembersUsedTokensAcrossAKill) {
  std::optional<GatewayProcess> gateway(start());
  const auto root = gateway->client();
  const TestUser user = make_user(*root, "alice");
  const std::string used = token(*root, user);
  const std::string unused = token(*root, user);
  EXPECT_EQ(upgrade(gateway->address(), used), 101);
  gateway->kill();
  gateway.emplace(start(gateway->address()));
  EXPECT_EQ(upgrade(gateway->address(), used), 401);
  EXPECT_EQ(upgrade(gateway->address(), unused), 101);
  EXPECT_EQ(upgrade(gateway->address(), unused), 401);
}

}  // namespace
}  // namespace holdfast::test
