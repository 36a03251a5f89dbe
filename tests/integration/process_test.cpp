// Tests the daemon as a process: start, signals, exit codes, output.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ProcessTest : public ::testing::Test {
 protected:
  GatewayProcess start(std::vector<std::string> arguments = {}) {
    return GatewayProcess({.data_dir = dir_.file("data"), .arguments = std::move(arguments)});
  }
  struct Ended {
    int status = -1;
    std::vector<std::string> errors;
  };
  // A start that is refused: its status and what it says to people.
  Ended refused(const std::vector<std::string>& arguments,
                std::vector<std::pair<std::string, std::string>> environment = {}) {
    std::vector<std::string> command = {holdfast_binary(), "serve"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    ChildProcess process({.command = command, .environment = std::move(environment)});
    const auto status = process.wait(kPatience);
    return {.status = status.value_or(-1), .errors = process.errors()};
  }
  static std::string publish(const GatewayProcess& gateway, const std::string& text) {
    const auto receipt = gateway.client()->publish(
        {.user_id = "u", .text = text, .deduplication_id = std::nullopt, .ttl = std::nullopt});
    return receipt ? receipt->status : receipt.error().text();
  }

  TempDir dir_;
};

TEST_F(ProcessTest, ServesAndEndsOnSigtermWithStatusZero) {
  GatewayProcess gateway = start();
  EXPECT_EQ(publish(gateway, "m"), "STORED");
  const auto before = steady_clock::now();
  EXPECT_EQ(gateway.terminate(), 0);
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(10));
}

TEST_F(ProcessTest, TellsWhereTheFirstCredentialsAreOnceItHasMadeThem) {
  const auto is_told = [](const ChildProcess& process) {
    const auto lines = process.errors();
    return std::ranges::any_of(
        lines, [](const std::string& line) { return line.starts_with("First start: "); });
  };
  const std::string data = dir_.file("data");
  {
    const GatewayProcess other({.data_dir = dir_.file("other")});
    ChildProcess failed({.command = {holdfast_binary(), "serve", "--data-dir", data, "--listen",
                                     other.address(), "--control-listen", "127.0.0.1:0"}});
    EXPECT_NE(failed.wait(kPatience), 0);
    EXPECT_FALSE(is_told(failed));
    EXPECT_TRUE(std::filesystem::exists(data + "/holdfast.db")) << "it failed late enough";
    EXPECT_FALSE(std::filesystem::exists(data + "/credentials"));
  }
  for (const bool first : {true, false}) {
    GatewayProcess gateway = start();
    EXPECT_EQ(gateway.terminate(), 0);
    EXPECT_EQ(is_told(gateway.process()), first);
    EXPECT_THAT(gateway.process().errors(), ::testing::Contains(HasSubstr("Holdfast listens on")));
  }
}

TEST_F(ProcessTest, EndsOnSigintWithStatusZero) {
  GatewayProcess gateway = start();
  gateway.process().signal(SIGINT);
  EXPECT_EQ(gateway.process().wait(kPatience), 0);
}

TEST_F(ProcessTest, EndsAtOnceOnASecondSignal) {
  // A shutdown that would wait for its client for a minute.
  GatewayProcess gateway = start({"--config", [&] {
                                    std::ofstream(dir_.file("slow.json"))
                                        << R"({"shutdown": {"drain_seconds": 60},
                                               "delivery": {"close_wait_ms": 60000},
                                               "limits": {"close_timeout_ms": 60000}})";
                                    return dir_.file("slow.json");
                                  }()});
  const auto client = gateway.client();
  ASSERT_TRUE(client->admin_create_user("alice", "temporary password"));
  const auto first = client->admin_initiate_auth("alice", "temporary password");
  ASSERT_TRUE(first);
  const auto tokens = client->admin_respond_new_password(
      "alice", "a new password", std::get<client::Challenge>(*first).session);
  ASSERT_TRUE(tokens);
  const std::string id_token = std::get<client::Tokens>(*tokens).id_token;
  const auto token = client->temporary_token(id_token);
  ASSERT_TRUE(token);
  // Opened and then neither read nor answered.
  const auto silent = client->open_websocket(*token, "");
  ASSERT_TRUE(silent);
  const auto user = client::id_token_subject(id_token);
  ASSERT_TRUE(user);
  ASSERT_TRUE(client->publish({.user_id = *user,
                               .text = "unanswered",
                               .deduplication_id = std::nullopt,
                               .ttl = std::nullopt}));
  gateway.process().signal(SIGTERM);
  ASSERT_TRUE(gateway.process().wait_for_output(
      [](const std::string& line) { return line.find("\"stopping\"") != std::string::npos; },
      kPatience));
  EXPECT_FALSE(gateway.process().wait(milliseconds(300)));
  const auto before = steady_clock::now();
  gateway.process().signal(SIGTERM);
  EXPECT_EQ(gateway.process().wait(kPatience), 128 + SIGTERM);
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(5));
}

TEST_F(ProcessTest, LosesNothingThatItAnsweredWhenItIsKilled) {
  {
    GatewayProcess gateway = start();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(publish(gateway, std::to_string(i)), "STORED");
    gateway.kill();
  }
  GatewayProcess gateway = start();
  const auto pending = std::make_unique<client::ControlClient>(dir_.file("data") + "/control.sock")
                           ->call("GET", "/v1/pending/u?limit=100");
  ASSERT_TRUE(pending) << pending.error().text();
  EXPECT_EQ(pending->at("messages").size(), 20u);
  EXPECT_EQ(gateway.terminate(), 0);
}

TEST_F(ProcessTest, TellsPeopleWhatToDoNextWithoutSecrets) {
  GatewayProcess gateway = start();
  EXPECT_EQ(gateway.terminate(), 0);
  std::string all;
  for (const std::string& line : gateway.process().errors()) all += line + "\n";
  EXPECT_THAT(all, AllOf(HasSubstr(dir_.file("data") + "/credentials"), HasSubstr("create-user")));
  for (const std::string& line : gateway.process().output()) all += line + "\n";
  EXPECT_EQ(all.find(gateway.credentials().at("AWS_SECRET_ACCESS_KEY")), std::string::npos);
}

TEST_F(ProcessTest, TellsPeopleWhatToDoNextAlsoWhenTheFirstStartFailed) {
  {
    const GatewayProcess other({.data_dir = dir_.file("other")});
    EXPECT_EQ(refused({"--data-dir", dir_.file("data"), "--listen", other.address(),
                       "--control-listen", "127.0.0.1:0"})
                  .status,
              1);
  }
  for (const bool first : {true, false}) {
    GatewayProcess gateway = start();
    EXPECT_EQ(gateway.terminate(), 0);
    std::string all;
    for (const std::string& line : gateway.process().errors()) all += line + "\n";
    EXPECT_EQ(all.contains("First start"), first) << all;
  }
}

TEST_F(ProcessTest, WritesOneJsonObjectALine) {
  GatewayProcess gateway = start();
  publish(gateway, "m");
  EXPECT_EQ(gateway.terminate(), 0);
  const auto lines = gateway.process().output();
  EXPECT_GE(lines.size(), 3u);
  for (const std::string& line : lines) EXPECT_TRUE(parse_json(line)) << line;
}

TEST_F(ProcessTest, FailsWithOneLineWhenItsDirectoryIsInUse) {
  const GatewayProcess gateway = start();
  const Ended ended = refused({"--data-dir", dir_.file("data"), "--listen", "127.0.0.1:0",
                               "--control-listen", "127.0.0.1:0"});
  EXPECT_EQ(ended.status, 1);
  ASSERT_EQ(ended.errors.size(), 1u);
  EXPECT_THAT(ended.errors[0], AllOf(HasSubstr(dir_.file("data")), HasSubstr("in use")));
  EXPECT_EQ(publish(gateway, "undisturbed"), "STORED");
}

TEST_F(ProcessTest, FailsWithOneLineWhenItsPortIsInUse) {
  const GatewayProcess gateway = start();
  const Ended ended = refused({"--data-dir", dir_.file("other"), "--listen", gateway.address(),
                               "--control-listen", "127.0.0.1:0"});
  EXPECT_EQ(ended.status, 1);
  ASSERT_EQ(ended.errors.size(), 1u);
  EXPECT_THAT(ended.errors[0], HasSubstr(gateway.address()));
}

TEST_F(ProcessTest, FailsWithOneLineForABadConfiguration) {
  std::ofstream(dir_.file("bad.json")) << "{\n  \"delivery\": {\n    \"ack_wait\": 5\n  }\n}\n";
  const Ended file = refused({"--data-dir", dir_.file("data"), "--config", dir_.file("bad.json")});
  EXPECT_EQ(file.status, 1);
  ASSERT_EQ(file.errors.size(), 1u);
  EXPECT_THAT(file.errors[0],
              AllOf(HasSubstr(dir_.file("bad.json") + ":3"), HasSubstr("delivery.ack_wait")));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("data")));

  const Ended variable =
      refused({"--data-dir", dir_.file("data")}, {{"HOLDFAST_SERVER__WORKERS", "lots"}});
  EXPECT_EQ(variable.status, 1);
  ASSERT_EQ(variable.errors.size(), 1u);
  EXPECT_THAT(variable.errors[0], AllOf(HasSubstr("HOLDFAST_SERVER__WORKERS"),
                                        HasSubstr("server.workers must be an integer")));
}

TEST_F(ProcessTest, FailsWithOneLineForAnUnusableDatabase) {
  {
    GatewayProcess gateway = start();
    EXPECT_EQ(publish(gateway, "m"), "STORED");
    EXPECT_EQ(gateway.terminate(), 0);
  }
  const std::string database = dir_.file("data") + "/holdfast.db";
  const std::string key = dir_.file("data") + "/master.key";
  const std::string good = read_file(database);
  const std::string good_key = read_file(key);
  std::string newer = good;
  newer.replace(60, 4, std::string("\0\0\x03\xe7", 4));  // its user_version
  std::string damaged = good;
  damaged.replace(4'096 * 2, 4'096, std::string(4'096, '\xa5'));
  struct Case {
    const char* name;
    std::string database_bytes;
    std::string key_text;
    const char* words;
  };
  const Case cases[] = {
      {"newer schema", newer, good_key, "999"},
      {"corrupt page", damaged, good_key, "holdfast.db"},
      {"corrupt header", "this is no database" + good.substr(19), good_key, "damaged"},
      {"truncated", good.substr(0, good.size() / 2), good_key, "truncated"},
      {"empty", "", good_key, "truncated"},
      {"no key", good, "not base64\n", "master.key"},
      {"another key", good, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "master key"},
  };
  for (const Case& row : cases) {
    write_file(database, row.database_bytes);
    write_file(key, row.key_text);
    const Ended ended = refused({"--data-dir", dir_.file("data"), "--listen", "127.0.0.1:0",
                                 "--control-listen", "127.0.0.1:0"});
    EXPECT_EQ(ended.status, 1) << row.name;
    ASSERT_EQ(ended.errors.size(), 1u) << row.name;
    EXPECT_THAT(ended.errors[0], HasSubstr(row.words)) << row.name;
    // Whose key it is shows when the database is open, with its start noted in it.
    if (std::string_view(row.name) != "another key") {
      EXPECT_TRUE(read_file(database) == row.database_bytes) << row.name;
    }
    EXPECT_EQ(read_file(key), row.key_text) << row.name;
  }
  // With its own key, the last one is what it was.
  write_file(key, good_key);
  GatewayProcess gateway = start();
  const auto pending = std::make_unique<client::ControlClient>(dir_.file("data") + "/control.sock")
                           ->call("GET", "/v1/pending/u?limit=100");
  ASSERT_TRUE(pending) << pending.error().text();
  EXPECT_EQ(pending->at("messages").size(), 1u);
}

TEST_F(ProcessTest, FailsWithOneLineWithoutTheEarlierDatabase) {
  {
    GatewayProcess gateway = start();
    EXPECT_EQ(gateway.terminate(), 0);
  }
  std::filesystem::remove(dir_.file("data") + "/holdfast.db");
  const Ended ended = refused({"--data-dir", dir_.file("data"), "--listen", "127.0.0.1:0",
                               "--control-listen", "127.0.0.1:0"});
  EXPECT_EQ(ended.status, 1);
  ASSERT_EQ(ended.errors.size(), 1u);
  EXPECT_THAT(ended.errors[0], AllOf(HasSubstr("holdfast.db is missing"), HasSubstr("credentials"),
                                     HasSubstr("put the database back")));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("data") + "/holdfast.db"));
}

TEST_F(ProcessTest, SaysWhereItListensHoweverLittleItLogs) {
  // The constructor waits for that line.
  GatewayProcess gateway = start({"--log-level", "error"});
  EXPECT_EQ(publish(gateway, "m"), "STORED");
  EXPECT_EQ(gateway.terminate(), 0);
}

TEST_F(ProcessTest, RaisesItsLimitOnOpenFiles) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = 512, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  GatewayProcess gateway = start();
  rlimit seen{};
  EXPECT_EQ(prlimit(gateway.process().pid(), RLIMIT_NOFILE, nullptr, &seen), 0);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(seen.rlim_cur, before.rlim_max);
}

TEST_F(ProcessTest, OutlivesAFullDiskAndGoesOnWhenThereIsRoomAgain) {
  GatewayProcess gateway = start();
  EXPECT_EQ(publish(gateway, "before"), "STORED");
  // A limit on the size of files is a full disk to the store.
  rlimit before{};
  ASSERT_EQ(prlimit(gateway.process().pid(), RLIMIT_FSIZE, nullptr, &before), 0);
  const rlimit full{.rlim_cur = 64 << 10, .rlim_max = before.rlim_max};
  ASSERT_EQ(prlimit(gateway.process().pid(), RLIMIT_FSIZE, &full, nullptr), 0);
  const std::string text(100'000, 'x');
  EXPECT_THAT(publish(gateway, text), HasSubstr("ServiceUnavailableException"));
  ASSERT_EQ(prlimit(gateway.process().pid(), RLIMIT_FSIZE, &before, nullptr), 0);
  std::string status;
  const auto deadline = steady_clock::now() + kPatience;
  while (status != "STORED" && steady_clock::now() < deadline) status = publish(gateway, text);
  EXPECT_EQ(status, "STORED");
  EXPECT_EQ(gateway.terminate(), 0);
}

}  // namespace
}  // namespace holdfast::test
