// Tests help, version and wrong command lines.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/command_line.hpp"

namespace holdfast::cli {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(Usage, PrintsTheVersion) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"--version"}), kSuccess);
  EXPECT_THAT(holdfast.out, MatchesRegex("holdfast [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(Usage, HelpNamesEveryCommandAndShowsExamples) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"--help"}), kSuccess);
  for (const char* command : {"serve",        "check-config", "backup",
                              "restore",      "database",     "sample-app",
                              "create-user",  "auth",         "connect-websocket",
                              "send-message", "publish",      "status",
                              "pending",      "execution",    "access-key",
                              "connections",  "rotate-keys",  "demo",
                              "dev-certs",    "Examples:",    "source ./data/credentials"}) {
    EXPECT_THAT(holdfast.out, HasSubstr(command));
  }
  EXPECT_EQ(holdfast({"publish", "--help"}), kSuccess);
  EXPECT_THAT(holdfast.out, HasSubstr("--deduplication-id"));
  EXPECT_EQ(holdfast({"pending", "--help"}), kSuccess);
  EXPECT_THAT(holdfast.out, HasSubstr("show"));
}

TEST(Usage, AnswersTwoForWhatItDoesNotUnderstand) {
  const std::vector<std::vector<std::string>> lines = {
      {},
      {"unknown"},
      {"--unknown"},
      {"serve", "extra"},
      {"serve", "--listen"},
      {"--log-level", "loud", "status"},
      {"serve", "--log-format", "xml"},
      {"create-user"},
      {"dev-certs"},
      {"dev-certs", "never-made", "two words"},
      {"sample-app", "--tls-cert", "only.pem"},
      {"auth", "-u", "ann"},
      {"send-message"},
      {"send-message", "text", "--unknown"},
      {"send-message", "-w", "1"},
      {"send-message", "-w", "901", "text"},
      {"send-message", "-w", "-1", "text"},
      {"send-message", "-w", "soon", "text"},
      {"publish", "user"},
      {"publish", "user", "text", "--ttl", "0"},
      {"publish", "user", "text", "--ttl", "1209601"},
      {"pending"},
      {"pending", "show"},
      {"pending", "list", "--limit", "1001"},
      {"execution", "show"},
      {"access-key", "create"},
      {"access-key", "delete"},
      {"connections"},
  };
  for (const auto& line : lines) {
    CommandLine holdfast;
    EXPECT_EQ(holdfast(line), kUsage) << testing::PrintToString(line);
    EXPECT_EQ(holdfast.out, "") << testing::PrintToString(line);
    EXPECT_NE(holdfast.err, "") << testing::PrintToString(line);
  }
}

TEST(Usage, NamesTheWordThatItDoesNotUnderstand) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"frobnicate"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("unknown command \"frobnicate\""));
  EXPECT_EQ(holdfast({"pending", "frobnicate"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("unknown command \"frobnicate\""));
  EXPECT_EQ(holdfast({"pending"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("subcommand is required"));
}

TEST(Usage, SaysWhichVariableIsMissingAndHowToGetIt) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"publish", "user", "text"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("AWS_ACCESS_KEY_ID"));
  EXPECT_THAT(holdfast.err, HasSubstr("source ./data/credentials"));
  EXPECT_EQ(holdfast({"auth", "-p", "password1"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("HOLDFAST_USER_POOL_ID"));
  EXPECT_EQ(holdfast({"sample-app"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("source ./data/credentials"));
  EXPECT_EQ(holdfast({"connect-websocket"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("holdfast auth"));
  EXPECT_EQ(holdfast({"send-message", "text"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("holdfast auth"));
}

TEST(Usage, RefusesAGatewayUrlThatIsNone) {
  CommandLine holdfast;
  holdfast.source_credentials("nonsense");
  EXPECT_EQ(holdfast({"publish", "user", "text"}), kUsage);
  EXPECT_THAT(holdfast.err, HasSubstr("nonsense"));
}

}  // namespace
}  // namespace holdfast::cli
