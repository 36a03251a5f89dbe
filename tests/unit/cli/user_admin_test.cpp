// Tests the commands for users, dead letters, pending messages and connections.

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <holdfast/base/json.hpp>

#include "cli/hidden_line.hpp"
#include "support/base/temp_dir.hpp"
#include "support/client/fake_gateway.hpp"
#include "unit/cli/command_line.hpp"

namespace holdfast::cli {
namespace {

using test::json_response;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A daemon's control socket that gives these answers, one after the other.
struct ScriptedDaemon {
  explicit ScriptedDaemon(std::vector<std::string> bodies, int status = 200)
      : socket(
            [status, bodies, at = std::size_t{0}](const net::Request&) mutable {
              return json_response(status, bodies.at(std::min(at++, bodies.size() - 1)));
            },
            "unix:" + folder.file("control.sock")) {}

  int operator()(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--data-dir", folder.path().string()});
    return holdfast(arguments);
  }
  std::vector<std::string> asked() const {
    std::vector<std::string> out;
    for (const net::Request& request : socket.requests()) {
      out.push_back(request.head.method + " " + request.head.target);
    }
    return out;
  }
  Json body(std::size_t index = 0) const {
    return parse_json(socket.requests().at(index).body).value();
  }

  test::TempDir folder;
  test::FakeGateway socket;
  CommandLine holdfast;
};

TEST(UserCommands, ListsEveryPageOfUsers) {
  ScriptedDaemon daemon(
      {R"({"users":[{"username":"ann","userId":"1","enabled":true}],"next":"t/1"})",
       R"({"users":[{"username":"bob","userId":"2","enabled":false}],"next":null})"});
  EXPECT_EQ(daemon({"user", "list", "--filter", "username ^= \"a\""}), kSuccess);
  EXPECT_THAT(daemon.asked(),
              ElementsAre("GET /v1/users?limit=60&filter=username%20%5E%3D%20%22a%22",
                          "GET /v1/users?limit=60&filter=username%20%5E%3D%20%22a%22&after=t%2F1"));
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("ann"));
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("bob"));
}

TEST(UserCommands, StopsAtTheLimitAndPrintsOneObjectForPrograms) {
  ScriptedDaemon daemon({R"({"users":[{"username":"ann"}],"next":"t"})"});
  EXPECT_EQ(daemon({"user", "list", "--limit", "1", "--json"}), kSuccess);
  EXPECT_THAT(daemon.asked(), ElementsAre("GET /v1/users?limit=1"));
  EXPECT_EQ(daemon.holdfast.out, "{\"users\":[{\"username\":\"ann\"}]}\n");
}

TEST(UserCommands, CreatesAUserWithAGeneratedPassword) {
  ScriptedDaemon daemon({R"({"username":"ann","userId":"id-1"})"}, 201);
  EXPECT_EQ(daemon({"user", "create", "ann", "--generate", "--permanent", "--attribute",
                    "email=a@example.com"}),
            kSuccess);
  const Json body = daemon.body();
  const auto password = body["password"].get<std::string>();
  EXPECT_EQ(password.size(), 24U);
  EXPECT_EQ(body["permanent"], true);
  EXPECT_EQ(body["attributes"], (Json{{"email", "a@example.com"}}));
  EXPECT_EQ(daemon.holdfast.out, "id-1\n" + password + "\n");
  EXPECT_EQ(daemon({"user", "create", "ann", "--generate"}), kSuccess);
  EXPECT_NE(daemon.body(1)["password"], body["password"]);
}

TEST(UserCommands, DoesNotPrintAGivenPassword) {
  ScriptedDaemon daemon({R"({"username":"ann","userId":"id-1"})"}, 201);
  EXPECT_EQ(daemon({"user", "create", "ann", "-p", "correct horse", "--json"}), kSuccess);
  EXPECT_EQ(daemon.body()["password"], "correct horse");
  EXPECT_EQ(daemon.body()["permanent"], false);
  EXPECT_THAT(daemon.holdfast.out + daemon.holdfast.err, Not(HasSubstr("horse")));
}

TEST(UserCommands, ChangesAUserByNameOrId) {
  ScriptedDaemon daemon({"{}"});
  EXPECT_EQ(daemon({"user", "disable", "a/b"}), kSuccess);
  EXPECT_EQ(daemon({"user", "enable", "a/b"}), kSuccess);
  EXPECT_EQ(daemon({"user", "sign-out", "ann"}), kSuccess);
  EXPECT_EQ(daemon({"user", "delete", "ann", "--json"}), kSuccess);
  EXPECT_EQ(daemon.holdfast.out, "{}\n");
  EXPECT_EQ(daemon({"user", "set-password", "ann", "-p", "new password", "--permanent"}), kSuccess);
  EXPECT_THAT(daemon.asked(),
              ElementsAre("PATCH /v1/users/a%2Fb", "PATCH /v1/users/a%2Fb", "POST /v1/sign-out/ann",
                          "DELETE /v1/users/ann", "PATCH /v1/users/ann"));
  EXPECT_EQ(daemon.body(0), (Json{{"enabled", false}}));
  EXPECT_EQ(daemon.body(1), (Json{{"enabled", true}}));
  EXPECT_EQ(daemon.body(4), (Json{{"password", "new password"}, {"permanent", true}}));
}

TEST(UserCommands, SaysWhatTheDaemonRefuses) {
  ScriptedDaemon daemon({R"({"error":{"code":"not_found","message":"User does not exist."}})"},
                        404);
  EXPECT_EQ(daemon({"user", "show", "nobody"}), kFailure);
  EXPECT_EQ(daemon.holdfast.out, "");
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("User does not exist."));
}

TEST(UserCommands, TakeOneSourceOfThePasswordAlone) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"user", "create", "ann", "-p", "x", "--generate"}), kUsage);
  EXPECT_EQ(holdfast({"user", "create", "ann", "--no-password", "--permanent"}), kUsage);
  EXPECT_EQ(holdfast({"user", "create", "ann", "--generate", "--attribute", "=x"}), kUsage);
}

TEST(DeadLetterCommands, RedrivesAllPagesAndTellsWhatFailed) {
  ScriptedDaemon daemon(
      {R"({"redriven":[{"messageId":"m1","userId":"u","sequence":7,"status":"STORED"}],)"
       R"("failed":[],"next":"m1"})",
       R"({"redriven":[],"failed":[{"messageId":"m2","code":"limit_exceeded","message":"full"}],)"
       R"("next":null})"});
  EXPECT_EQ(daemon({"dead-letters", "redrive", "--user", "u"}), kFailure);
  EXPECT_EQ(daemon.body(0), (Json{{"userId", "u"}}));
  EXPECT_EQ(daemon.body(1), (Json{{"userId", "u"}, {"after", "m1"}}));
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("m1          u        7         STORED"));
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("m2: full"));
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("1 redriven, 1 failed."));
}

TEST(DeadLetterCommands, RedrivesForALifetime) {
  ScriptedDaemon daemon({R"({"redriven":[],"failed":[],"next":null})"});
  EXPECT_EQ(daemon({"dead-letters", "redrive", "--all", "--ttl", "3600"}), kSuccess);
  EXPECT_EQ(daemon.body(0), (Json{{"ttlSeconds", 3600}, {"all", true}}));
  EXPECT_EQ(daemon({"dead-letters", "redrive", "--all", "--ttl", "0"}), kUsage);
  EXPECT_EQ(daemon({"dead-letters", "delete", "--all", "--ttl", "3600"}), kUsage);
}

TEST(DeadLetterCommands, DeletesByIdOrAllWhenToldSo) {
  ScriptedDaemon daemon({R"({"deleted":["m1","m2"],"failed":[],"next":null})"});
  EXPECT_EQ(daemon({"dead-letters", "delete", "m1", "m2", "--json"}), kSuccess);
  EXPECT_EQ(daemon.body(0), (Json{{"messageIds", {"m1", "m2"}}}));
  EXPECT_EQ(daemon.holdfast.out, "{\"deleted\":[\"m1\",\"m2\"],\"failed\":[]}\n");
  EXPECT_EQ(daemon({"dead-letters", "delete", "--all"}), kSuccess);
  EXPECT_EQ(daemon.body(1), (Json{{"all", true}}));
  EXPECT_EQ(daemon({"dead-letters", "delete"}), kUsage);
  EXPECT_EQ(daemon({"dead-letters", "delete", "m1", "--all"}), kUsage);
  EXPECT_EQ(daemon({"dead-letters", "redrive", "--all", "--user", "u"}), kUsage);
  EXPECT_EQ(daemon.asked().size(), 2U);
}

TEST(PendingCommands, DeleteOneMessageOrAllOfThem) {
  ScriptedDaemon daemon(
      {R"({"deleted":{"messages":2,"bytes":9},"left":{"messages":1,"bytes":4}})"});
  EXPECT_EQ(daemon({"pending", "delete", "a/b", "m1"}), kSuccess);
  EXPECT_EQ(daemon({"pending", "delete", "a/b", "--all"}), kSuccess);
  EXPECT_THAT(daemon.asked(), ElementsAre("DELETE /v1/pending/a%2Fb?messageId=m1",
                                          "DELETE /v1/pending/a%2Fb?all=true"));
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("dead letters: 2 messages, 9 bytes"));
  EXPECT_EQ(daemon({"pending", "delete", "a/b"}), kUsage);
  EXPECT_EQ(daemon({"pending", "delete", "a/b", "m1", "--all"}), kUsage);
}

TEST(ConnectionCommands, ShowAndCloseAConnection) {
  ScriptedDaemon daemon({R"({"connectionId":"c=","userId":"u"})"});
  EXPECT_EQ(daemon({"connections", "show", "c="}), kSuccess);
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("userId        u\n"));
  EXPECT_EQ(daemon({"connections", "close", "c="}), kSuccess);
  EXPECT_EQ(daemon.holdfast.err, "Closed.\n");
  EXPECT_THAT(daemon.asked(),
              ElementsAre("GET /v1/connections/c%3D", "DELETE /v1/connections/c%3D"));
}

// ---- what is typed without being shown

struct Terminals {
  Terminals() { EXPECT_EQ(::openpty(&ours, &theirs, nullptr, nullptr, nullptr), 0); }
  ~Terminals() {
    ::close(ours);
    ::close(theirs);
  }
  void type(const std::string& text) const {
    // Kept from being flushed with what was typed before the prompt.
    termios settings{};
    while (tcgetattr(theirs, &settings) == 0 && (settings.c_lflag & ECHO) != 0) usleep(1'000);
    EXPECT_EQ(::write(ours, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] bool echoes() const {
    termios settings{};
    return tcgetattr(theirs, &settings) == 0 && (settings.c_lflag & ECHO) != 0;
  }
  int ours = -1;
  int theirs = -1;
};

Result<std::optional<std::string>> typed(const std::string& text) {
  const Terminals terminals;
  std::thread typist([&] { terminals.type(text); });
  auto line = read_hidden_line(terminals.theirs);
  typist.join();
  EXPECT_TRUE(terminals.echoes());
  return line;
}

TEST(HiddenLine, ReadsALineAndRestoresTheTerminal) {
  EXPECT_EQ(typed("sesame\n").value(), "sesame");
  EXPECT_EQ(typed("sex\x7fsame\r").value(), "sesame");
  EXPECT_EQ(typed("\xC3\xBC\x7fx\n").value(), "x");
}

TEST(HiddenLine, TellsCtrlCFromAnEndOfInput) {
  EXPECT_EQ(typed("ses\x03").value(), std::nullopt);
  EXPECT_FALSE(typed("\x04"));
}

}  // namespace
}  // namespace holdfast::cli
