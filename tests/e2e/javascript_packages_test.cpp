// The packages of clients/js: their own tests, and a team's programs on them.

#include <chrono>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(JavaScriptPackagesTest, RunsTheirOwnTests) {
  ChildProcess tests({.command = {clients_node(), javascript_packages() + "/test.mjs"}});
  EXPECT_EQ(tests.wait(std::chrono::minutes(4)), 0) << transcript(tests);
  EXPECT_THAT(tests.output(), ElementsAre("passed")) << transcript(tests);
}

TEST(JavaScriptPackagesTest, CarriesEverythingOnceAndInOrderAcrossAKilledGateway) {
  TempDir dir;
  const std::string data_dir = dir.file("data");
  auto gateway = std::make_unique<GatewayProcess>(GatewayProcess::Options{.data_dir = data_dir});
  const OutsideUser user = make_user(*gateway, "alice");
  const auto script = start_client_script(
      "javascript_packages.mjs",
      {javascript_packages(), dir.path().string(), user.id, user.id_token}, gateway->environment());
  ASSERT_THAT(wait_for_lines(*script, "state open", 1), SizeIs(1)) << transcript(*script);
  EXPECT_THAT(lines_after(*script, "signed"), SizeIs(1)) << transcript(*script);
  script->write("send 1\nsend 2\n");
  ASSERT_THAT(wait_for_lines(*script, "got ", 2), ElementsAre("1", "2")) << transcript(*script);

  const std::string address = gateway->address();
  gateway->kill();
  ASSERT_THAT(wait_for_lines(*script, "state waiting", 1), ::testing::Not(::testing::IsEmpty()));
  // Nobody answers: the producer tries again until somebody does.
  script->write("send 3\nsend 4\n");
  gateway = std::make_unique<GatewayProcess>(
      GatewayProcess::Options{.data_dir = data_dir, .listen = address});
  EXPECT_THAT(wait_for_lines(*script, "got ", 4), ElementsAre("1", "2", "3", "4"))
      << transcript(*script);
  EXPECT_TRUE(wait_until_nothing_pending(data_dir, user.id));
  script->close_input();
  EXPECT_EQ(script->wait(kPatience), 0) << transcript(*script);
  EXPECT_THAT(lines_after(*script, "sent "), SizeIs(4));
  EXPECT_THAT(lines_after(*script, "got "), SizeIs(4));
}

}  // namespace
}  // namespace holdfast::test
