// Tests control characters and questions on a terminal.

#include <algorithm>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "cli/printable.hpp"
#include "unit/cli/fake_daemon.hpp"

namespace holdfast::cli {
namespace {

using test::FakeGateway;
using test::json_response;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("plain, Grüße, 日本, 😀"), "plain, Grüße, 日本, 😀");
  EXPECT_EQ(printable("\x1b]52;c;AAAA\x07"), "\\x1b]52;c;AAAA\\x07");
  EXPECT_EQ(printable("a\nb\tc\r\x7f"), "a\\x0ab\\x09c\\x0d\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");  // CSI as one character
  EXPECT_EQ(printable("\x9b"
                      "31m \xff"),
            "\\x9b31m \\xff");
  EXPECT_EQ(printable("cut \xe6\x97"), "cut \\xe6\\x97");
}

TEST(TerminalStream, LetsOnlyLineEndsAndTabsThrough) {
  std::ostringstream below;
  {
    TerminalStream out(below);
    out << "a\tb\n" << '\x1b' << "[2J" << 42 << std::endl;
    // A character in two pieces, and one that never comes whole.
    out << "\xc3" << "\xbc" << "\xe6\x97";
  }
  EXPECT_EQ(below.str(), "a\tb\n\\x1b[2J42\nü\\xe6\\x97");
}

TEST(TerminalStream, LetsOurOwnStylesThrough) {
  std::ostringstream below;
  {
    TerminalStream out(below);
    write_style(out, "\033[1m");
    out << "bold\033[0m";
  }
  EXPECT_EQ(below.str(), "\033[1mbold\\x1b[0m");
}

bool has_controls(const std::string& text) {
  return std::ranges::any_of(
      text, [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F; });
}

TEST(Terminal, GetsNoControlCharactersFromAnswers) {
  const std::string evil = "\x1b]52;c;AAAA\x07\x7f";
  const Json everything{{"message", evil},
                        {"userId", evil},
                        {"username", evil},
                        {"status", evil},
                        {"messageId", evil},
                        {"sequence", 1},
                        {"next", evil},
                        {"state", evil},
                        {"keyId", evil},
                        {"signingKeyId", evil},
                        {"error", {{"message", evil}}},
                        {"policy", {{evil, evil}}},
                        {"executions", {{{"workflow", evil}, {"id", evil}}}}};
  const std::vector<std::vector<std::string>> commands{{"status"},
                                                       {"rotate-keys"},
                                                       {"user", "show", "a"},
                                                       {"user", "create", "a", "--no-password"},
                                                       {"user", "list", "--limit", "1"},
                                                       {"pending", "list"},
                                                       {"access-key", "policy", "K"},
                                                       {"execution", "show", "m"},
                                                       {"status", "--json"},
                                                       {"dead-letters", "list"}};
  for (const int status : {200, 400}) {
    for (const auto& command : commands) {
      FakeDaemon daemon(
          [&](const net::Request&) { return json_response(status, everything.dump()); });
      daemon.holdfast.terminal = true;
      [[maybe_unused]] const int code = daemon(command);
      EXPECT_FALSE(has_controls(daemon.holdfast.out)) << command.front();
      EXPECT_FALSE(has_controls(daemon.holdfast.err)) << command.front();
    }
    const FakeGateway gateway(
        [&](const net::Request&) { return json_response(status, everything.dump()); });
    CommandLine holdfast;
    holdfast.terminal = true;
    holdfast.source_credentials(gateway.url());
    [[maybe_unused]] const int code = holdfast({"publish", "u", "hi"});
    EXPECT_FALSE(has_controls(holdfast.out + holdfast.err));
    EXPECT_THAT(holdfast.out + holdfast.err, HasSubstr("\\x1b]52"));
  }
}

// A daemon with 1001 dead letters, two of a user's messages pending, and one user.
net::Response full_daemon(const net::Request& request) {
  const std::string& target = request.head.target;
  if (target.starts_with("/v1/dead-letters?")) {
    const bool first = !target.contains("after=");
    Json letters = Json::array();
    for (int i = 0; i < (first ? 1000 : 1); ++i) letters.push_back({{"messageId", "m"}});
    Json answer{{"deadLetters", std::move(letters)}};
    answer["next"] = first ? Json("m") : Json();
    return json_response(200, answer.dump());
  }
  if (target.starts_with("/v1/dead-letters/")) return json_response(200, R"({"deleted":["m"]})");
  if (target.starts_with("/v1/users/")) {
    return json_response(200, R"({"username":"ann","userId":"1-2"})");
  }
  if (target.starts_with("/v1/access-keys/")) {
    return json_response(200, R"({"id":"AKIA1","name":"shop"})");
  }
  return json_response(200,
                       R"({"totals":{"messages":2,"bytes":9},"deleted":{"messages":2},"left":{}})");
}

struct Destruction {
  std::vector<std::string> command;
  std::string question;
  std::string request;
};
const std::vector<Destruction> kDestructions{
    {{"dead-letters", "delete", "--all"},
     "delete 1001 dead letters for good",
     "POST /v1/dead-letters/delete"},
    {{"dead-letters", "delete", "m1", "m2"},
     "delete 2 dead letters for good",
     "POST /v1/dead-letters/delete"},
    {{"user", "delete", "ann"},
     "delete the user ann (1-2) and move 2 pending messages",
     "DELETE /v1/users/ann"},
    {{"pending", "delete", "u", "--all"},
     "move up to 2 messages (9 bytes) of user u",
     "DELETE /v1/pending/u?all=true"},
    {{"pending", "delete", "u", "m1"},
     "move the message m1 of user u",
     "DELETE /v1/pending/u?messageId=m1"},
    {{"access-key", "delete", "AKIA1"},
     "delete the access key AKIA1 (shop)",
     "DELETE /v1/access-keys/AKIA1"}};

bool destroyed(const FakeDaemon& daemon, const Destruction& destruction) {
  const std::vector<std::string> asked = daemon.asked();
  return std::ranges::find(asked, destruction.request) != asked.end();
}

TEST(Terminal, AsksBeforeDestroyingAnything) {
  for (const Destruction& destruction : kDestructions) {
    for (const std::string& typed : {std::string("n\n"), std::string("\n"), std::string()}) {
      FakeDaemon daemon(full_daemon);
      daemon.holdfast.terminal = true;
      daemon.holdfast.in = typed;
      EXPECT_EQ(daemon(destruction.command), kFailure);
      EXPECT_THAT(daemon.holdfast.err, HasSubstr(destruction.question));
      EXPECT_THAT(daemon.holdfast.err, HasSubstr("Nothing was changed."));
      EXPECT_FALSE(destroyed(daemon, destruction));
    }
    FakeDaemon daemon(full_daemon);
    daemon.holdfast.terminal = true;
    daemon.holdfast.in = "y\n";
    EXPECT_EQ(daemon(destruction.command), kSuccess) << daemon.holdfast.err;
    EXPECT_TRUE(destroyed(daemon, destruction)) << destruction.request;
  }
}

TEST(Terminal, DoesNotAskWithoutATerminalOrWithYes) {
  for (const Destruction& destruction : kDestructions) {
    FakeDaemon script(full_daemon);
    EXPECT_EQ(script(destruction.command), kSuccess);
    EXPECT_THAT(script.asked(), ElementsAre(destruction.request));
    FakeDaemon sure(full_daemon);
    sure.holdfast.terminal = true;
    std::vector<std::string> command = destruction.command;
    command.emplace_back("--yes");
    EXPECT_EQ(sure(command), kSuccess);
    EXPECT_THAT(sure.asked(), ElementsAre(destruction.request));
  }
}

TEST(DryRun, PrintsAndChangesNothing) {
  for (const Destruction& destruction : kDestructions) {
    for (const bool terminal : {false, true}) {
      FakeDaemon daemon(full_daemon);
      daemon.holdfast.terminal = terminal;
      std::vector<std::string> command = destruction.command;
      command.emplace_back("--dry-run");
      EXPECT_EQ(daemon(command), kSuccess);
      EXPECT_THAT(daemon.holdfast.out, HasSubstr("Would " + destruction.question));
      EXPECT_FALSE(destroyed(daemon, destruction));
    }
  }
  FakeDaemon daemon(full_daemon);
  EXPECT_EQ(daemon({"dead-letters", "delete", "--all", "--yes", "--dry-run"}), kUsage);
  EXPECT_THAT(daemon.asked(), IsEmpty());
}

}  // namespace
}  // namespace holdfast::cli
