// Tests backup, restore and check by command.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/load.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BackupCommandsTest : public ::testing::Test {
 protected:
  struct Ended {
    int status = -1;
    std::string output;
    std::string errors;
  };
  Ended run(std::vector<std::string> arguments,
            std::vector<std::pair<std::string, std::string>> environment = {}) {
    arguments.insert(arguments.begin(), holdfast_binary());
    ChildProcess process({.command = std::move(arguments), .environment = std::move(environment)});
    Ended out;
    out.status = process.wait(kPatience).value_or(-1);
    for (const std::string& line : process.output()) out.output += line + "\n";
    for (const std::string& line : process.errors()) out.errors += line + "\n";
    return out;
  }
  GatewayProcess start(const std::string& data_dir) {
    return GatewayProcess({.data_dir = data_dir});
  }
  static client::Receipt publish(client::GatewayClient& client, const std::string& user,
                                 const std::string& text) {
    const auto sent =
        client.publish({.user_id = user, .text = text, .deduplication_id = {}, .ttl = {}});
    if (!sent) throw std::runtime_error(sent.error().text());
    return *sent;
  }
  // The ids of what is on disk for a user.
  static std::set<std::string> pending_ids(const std::string& data_dir, const std::string& user) {
    const auto control = std::make_unique<client::ControlClient>(data_dir + "/control.sock");
    std::set<std::string> out;
    std::string after;
    for (;;) {
      const auto page = control->call("GET", "/v1/pending/" + user + "?limit=1000" + after);
      if (!page) throw std::runtime_error(page.error().text());
      for (const Json& message : page->at("messages")) {
        out.insert(message.at("messageId").get<std::string>());
      }
      if (page->at("next").is_null()) return out;
      after = "&after=" + page->at("next").dump();
    }
  }
  // A gateway that has run: a user's messages in its data directory.
  void fill(const std::string& data_dir, int messages) {
    GatewayProcess gateway = start(data_dir);
    const auto client = gateway.client();
    for (int i = 0; i < messages; ++i) publish(*client, "ann", "message " + std::to_string(i));
    ASSERT_EQ(gateway.terminate(), 0);
  }
  void back_up(const std::string& data_dir, const std::string& file,
               const std::vector<std::string>& flags = {}) {
    GatewayProcess gateway = start(data_dir);
    std::vector<std::string> arguments = {"backup", file, "--data-dir", data_dir};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Ended ended = run(arguments);
    ASSERT_EQ(ended.status, 0) << ended.errors;
    ASSERT_EQ(gateway.terminate(), 0);
  }

  TempDir dir_;
  std::string data_ = dir_.file("data");
  std::string other_ = dir_.file("other");
  std::string file_ = dir_.file("backup.db");
};

TEST_F(BackupCommandsTest, RecordsARestoreInTheAuditLog) {
  back_up(data_, file_);
  ASSERT_EQ(
      run({"restore", file_, "--data-dir", other_, "--master-key-file", data_ + "/master.key"})
          .status,
      0);
  GatewayProcess gateway = start(other_);
  const auto control = std::make_unique<client::ControlClient>(other_ + "/control.sock");
  const auto page = control->call("GET", "/v1/audit?action=restore");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->at("records").size(), 1U);
  EXPECT_EQ(page->at("records")[0]["actor"], "uid:" + std::to_string(geteuid()));
  EXPECT_EQ(page->at("records")[0]["outcome"], "done");
  EXPECT_EQ(gateway.terminate(), 0);
}

TEST_F(BackupCommandsTest, RemovesAKilledBackupAtTheNextStart) {
  fill(data_, 1);
  for (const char* suffix : {"", "-wal", "-journal"}) {
    std::ofstream(data_ + "/backup.partial" + suffix) << "half of a copy";
  }
  GatewayProcess gateway = start(data_);
  for (const char* suffix : {"", "-wal", "-journal"}) {
    EXPECT_FALSE(fs::exists(data_ + "/backup.partial" + suffix)) << suffix;
  }
  EXPECT_EQ(gateway.terminate(), 0);
}

TEST_F(BackupCommandsTest, KeepsAllThatWasAnsweredBeforeABackupUnderLoad) {
  std::set<std::string> before;
  std::int64_t newest = 0;
  {
    GatewayProcess gateway = start(data_);
    const auto client = gateway.client();
    for (int i = 0; i < 300; ++i) {
      before.insert(publish(*client, "ann", std::string(20'000, 'x')).message_id);
    }
    std::atomic<bool> going{true};
    std::atomic<std::int64_t> seen{0};
    std::vector<std::thread> producers;
    producers.reserve(3);
    for (int p = 0; p < 3; ++p) {
      producers.emplace_back([&, p, mine = gateway.client()] {
        const std::string user = "load-" + std::to_string(p);
        while (going) {
          const std::int64_t sequence = publish(*mine, user, "m").sequence;
          for (std::int64_t so_far = seen; so_far < sequence;) {
            if (seen.compare_exchange_weak(so_far, sequence)) break;
          }
        }
      });
    }
    while (seen == 0) std::this_thread::yield();
    const Ended ended = run({"backup", file_, "--data-dir", data_, "--json"});
    going = false;
    for (std::thread& producer : producers) producer.join();
    newest = seen;
    EXPECT_EQ(ended.status, 0) << ended.errors;
    const auto answer = parse_json(ended.output);
    ASSERT_TRUE(answer) << ended.output;
    EXPECT_EQ(answer->at("file"), file_);
    EXPECT_TRUE(answer->at("masterKeyFile").is_null());
    EXPECT_THAT(ended.errors, HasSubstr("master key is not in it"));
    gateway.kill();
  }
  struct stat info{};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_FALSE(fs::exists(data_ + "/backup.partial"));
  EXPECT_EQ(run({"database", "check", file_}).status, 0);

  // To another machine, with the key that was kept elsewhere.
  const Ended ended =
      run({"restore", file_, "--data-dir", other_, "--master-key-file", data_ + "/master.key"});
  ASSERT_EQ(ended.status, 0) << ended.errors;
  EXPECT_EQ(read_file(other_ + "/master.key"), read_file(data_ + "/master.key"));
  GatewayProcess gateway = start(other_);
  const std::set<std::string> after = pending_ids(other_, "ann");
  EXPECT_TRUE(std::ranges::includes(after, before));
  // Clients may have seen all that the killed one gave out.
  EXPECT_GT(publish(*gateway.client(), "bob", "m").sequence, newest);
  EXPECT_EQ(gateway.terminate(), 0);
  EXPECT_EQ(run({"database", "check", "--data-dir", other_}).status, 0);
}

TEST_F(BackupCommandsTest, ReplacesAFileOnlyWhenTold) {
  GatewayProcess gateway = start(data_);
  write_file(file_, "precious");
  const Ended refused = run({"backup", file_, "--data-dir", data_});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.errors, HasSubstr("--force"));
  EXPECT_EQ(read_file(file_), "precious");
  EXPECT_EQ(run({"backup", file_, "--data-dir", data_, "--force"}).status, 0);
  EXPECT_EQ(run({"database", "check", file_}).status, 0);
  const Ended nowhere = run({"backup", dir_.file("none/x"), "--data-dir", data_});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_THAT(nowhere.errors, HasSubstr("does not exist"));
}

TEST_F(BackupCommandsTest, KeepsTheMasterKeyOnlyWhenTold) {
  fill(data_, 3);
  back_up(data_, file_);
  EXPECT_FALSE(fs::exists(file_ + ".key"));
  const std::string secret = read_file(data_ + "/master.key");
  EXPECT_FALSE(read_file(file_).contains(secret.substr(0, 40)));
  const Ended refused = run({"restore", file_, "--data-dir", other_});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("master key"), HasSubstr("--master-key-file")));
  EXPECT_FALSE(fs::exists(other_ + "/holdfast.db"));

  back_up(data_, file_, {"--force", "--with-master-key"});
  struct stat info{};
  ASSERT_EQ(stat((file_ + ".key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const Ended restored = run({"restore", file_, "--data-dir", other_});
  ASSERT_EQ(restored.status, 0) << restored.errors;
  EXPECT_THAT(restored.errors, HasSubstr(file_ + ".key"));
  GatewayProcess gateway = start(other_);
  EXPECT_EQ(pending_ids(other_, "ann").size(), 3u);
}

TEST_F(BackupCommandsTest, RefusesAHarmfulRestore) {
  fill(data_, 3);
  back_up(data_, file_, {"--with-master-key"});
  const std::string database = read_file(data_ + "/holdfast.db");
  const auto refused = [this](const std::vector<std::string>& more, const std::string& words) {
    std::vector<std::string> arguments = {"restore", "--data-dir", data_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.status, 1) << words;
    EXPECT_THAT(ended.errors, HasSubstr(words));
  };
  refused({file_}, "--force");
  refused({dir_.file("none.db"), "--force"}, "there is no file");
  const std::string good = read_file(file_);
  write_file(dir_.file("text.db"), "no database, but long enough " + std::string(4'096, 'x'));
  refused({dir_.file("text.db"), "--force"}, dir_.file("text.db"));
  std::string damaged = good;
  for (std::size_t page = 4; page < damaged.size() / 4'096; ++page) {
    damaged.replace(page * 4'096, 200, std::string(200, '\xa5'));
  }
  write_file(dir_.file("damaged.db"), damaged);
  refused({dir_.file("damaged.db"), "--force", "--master-key-file", file_ + ".key"}, "damaged.db");
  std::string newer = good;
  newer.replace(60, 4, std::string("\0\0\x03\xe7", 4));  // its user_version
  write_file(dir_.file("newer.db"), newer);
  refused({dir_.file("newer.db"), "--force"}, "schema 999");
  write_file(dir_.file("key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
  refused({file_, "--force", "--master-key-file", dir_.file("key")}, "master key");
  write_file(file_ + "-wal", "something");
  refused({file_, "--force"}, "write-ahead log");
  fs::remove(file_ + "-wal");
  EXPECT_EQ(read_file(data_ + "/holdfast.db"), database);
  EXPECT_FALSE(fs::exists(data_ + "/holdfast.db.restoring"));
  {
    const GatewayProcess gateway = start(data_);
    refused({file_, "--force"}, "stop the gateway");
    const Ended check = run({"database", "check", "--data-dir", data_});
    EXPECT_EQ(check.status, 1);
    EXPECT_THAT(check.errors, HasSubstr("check a backup"));
  }
}

TEST_F(BackupCommandsTest, RestoresOnlyAnUnchangedBackup) {
  fill(data_, 2);
  back_up(data_, file_);
  const auto restore = [this](std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"restore", file_, "--data-dir", data_, "--force"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const std::string good = read_file(file_);
  const std::string mac = read_file(file_ + ".mac");
  EXPECT_EQ(mac.size(), 65U);
  const std::string before = read_file(data_ + "/holdfast.db");
  // A byte that SQLite does not look at: the version of the program that wrote the file last.
  std::string changed = good;
  changed[99] = static_cast<char>(changed[99] ^ 1);
  write_file(file_, changed);
  Ended ended = restore();
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.errors, HasSubstr("not as it was made"));
  EXPECT_EQ(read_file(data_ + "/holdfast.db"), before);
  EXPECT_EQ(restore({"--unauthenticated"}).status, 0);
  // A MAC that is missing, cut short or another one is none.
  write_file(file_, good);
  for (const std::string& other : {std::string(), mac.substr(0, 64), std::string(64, '0') + "\n"}) {
    write_file(file_ + ".mac", other);
    EXPECT_EQ(restore().status, 1) << other;
  }
  fs::remove(file_ + ".mac");
  ended = restore();
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.errors, HasSubstr("--unauthenticated"));
  write_file(file_ + ".mac", mac);
  EXPECT_EQ(restore().status, 0);
}

TEST_F(BackupCommandsTest, KeepsTheReplacedDatabase) {
  fill(data_, 3);
  back_up(data_, file_);
  fill(data_, 4);
  const Ended ended = run({"restore", file_, "--data-dir", data_, "--force", "--json"});
  ASSERT_EQ(ended.status, 0) << ended.errors;
  const auto answer = parse_json(ended.output);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->at("pendingMessages"), 3);
  const std::string kept = answer->at("keptDatabase");
  const Ended check = run({"database", "check", kept, "--json"});
  EXPECT_EQ(check.status, 0) << check.errors;
  EXPECT_EQ(parse_json(check.output)->at("pendingMessages"), 7);
  GatewayProcess gateway = start(data_);
  EXPECT_EQ(pending_ids(data_, "ann").size(), 3u);
}

TEST_F(BackupCommandsTest, GivesARestoredDatabaseToTheDirectorysOwner) {
  if (geteuid() != 0) GTEST_SKIP() << "not root";
  fill(data_, 1);
  back_up(data_, file_, {"--with-master-key"});
  constexpr uid_t kNobody = 65'534;
  fs::create_directory(other_);
  ASSERT_EQ(chown(other_.c_str(), kNobody, kNobody), 0);
  ASSERT_EQ(run({"restore", file_, "--data-dir", other_}).status, 0);
  ASSERT_EQ(run({"database", "check", "--data-dir", other_}).status, 0);
  for (const auto& entry : fs::directory_iterator(other_)) {
    struct stat info{};
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, kNobody) << entry.path();
    EXPECT_EQ(info.st_mode & 077, 0u) << entry.path();
  }
}

TEST_F(BackupCommandsTest, KeepsOldTokensAndLoginsEnded) {
  std::string unused;
  std::string address;
  TestUser alice;
  {
    GatewayProcess gateway = start(data_);
    address = gateway.address();
    const auto client = gateway.client();
    alice = make_user(*client, "alice");
    unused = client->temporary_token(alice.id_token).value();
    const Ended ended = run({"backup", file_, "--data-dir", data_, "--with-master-key"});
    ASSERT_EQ(ended.status, 0) << ended.errors;
    // Used after the backup: it must not open a second connection.
    ASSERT_TRUE(client->open_websocket(unused, ""));
    EXPECT_EQ(gateway.terminate(), 0);
  }
  {
    ASSERT_EQ(run({"restore", file_, "--data-dir", data_, "--force"}).status, 0);
    // The issuer stays, so the ID token is good but for its login.
    GatewayProcess gateway({.data_dir = data_, .listen = address});
    const auto client = gateway.client();
    EXPECT_FALSE(client->open_websocket(unused, ""));
    EXPECT_FALSE(client->temporary_token(alice.id_token));
    EXPECT_TRUE(client->initiate_auth("alice", TestGateway::kPassword));
    EXPECT_EQ(gateway.terminate(), 0);
  }
  fs::remove(data_ + "/holdfast.db");
  ASSERT_EQ(run({"restore", file_, "--data-dir", data_, "--keep-logins"}).status, 0);
  GatewayProcess gateway({.data_dir = data_, .listen = address});
  const auto client = gateway.client();
  EXPECT_FALSE(client->open_websocket(unused, ""));
  EXPECT_TRUE(client->open_websocket(client->temporary_token(alice.id_token).value(), ""));
  const auto connections = std::make_unique<client::ControlClient>(data_ + "/control.sock")
                               ->call("GET", "/v1/connections");
  ASSERT_TRUE(connections);
  EXPECT_LE(connections->at("connections").size(), 1u);
}

TEST_F(BackupCommandsTest, KeepsAccessRevokedSinceTheBackup) {
  std::string id;
  std::string expires_at;
  {
    GatewayProcess gateway = start(data_);
    const auto made = run(
        {"access-key", "create", "leaked", "--expires-in", "30", "--data-dir", data_, "--json"});
    ASSERT_EQ(made.status, 0) << made.errors;
    id = parse_json(made.output)->at("id");
    expires_at = parse_json(made.output)->at("expiresAt");
    ASSERT_EQ(run({"backup", file_, "--data-dir", data_, "--with-master-key"}).status, 0);
    ASSERT_EQ(run({"access-key", "delete", id, "--data-dir", data_}).status, 0);
    EXPECT_EQ(gateway.terminate(), 0);
  }
  const auto is_enabled = [&](const Ended& ended) {
    const auto answer = parse_json(ended.output);
    if (!answer) return std::string("no answer: ") + ended.errors;
    for (const Json& key : answer->at("enabledAccessKeys")) {
      if (key.at("id") == id) return std::string("enabled");
    }
    for (const Json& key : answer->at("disabledAccessKeys")) {
      if (key.at("id") == id) return std::string("disabled");
    }
    return std::string("unknown");
  };
  const Ended over = run({"restore", file_, "--data-dir", data_, "--force", "--json"});
  EXPECT_EQ(is_enabled(over), "disabled");
  EXPECT_EQ(parse_json(over.output)->at("enabledAccessKeys").size(), 1U) << "the root key";
  EXPECT_THAT(over.errors, HasSubstr("Disabled access keys: " + id + " (leaked)"));
  {
    GatewayProcess gateway = start(data_);
    const auto keys = run({"access-key", "list", "--data-dir", data_, "--json"});
    EXPECT_THAT(keys.output, AllOf(HasSubstr(id), HasSubstr(expires_at)));
    EXPECT_EQ(gateway.terminate(), 0);
  }
  fs::remove(data_ + "/holdfast.db");
  const Ended alone = run({"restore", file_, "--data-dir", data_, "--json"});
  EXPECT_EQ(is_enabled(alone), "enabled");
  EXPECT_THAT(alone.errors, HasSubstr("--disable-access-keys"));
  fs::remove(data_ + "/holdfast.db");
  EXPECT_EQ(
      is_enabled(run({"restore", file_, "--data-dir", data_, "--disable-access-keys", "--json"})),
      "disabled");
}

TEST_F(BackupCommandsTest, SurvivesAKillAtAnyMomentOfARestore) {
  fill(data_, 200);
  back_up(data_, file_);
  fill(data_, 1);
  std::mt19937 random(7);
  int completed = 0;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    ChildProcess process(
        {.command = {holdfast_binary(), "restore", file_, "--data-dir", data_, "--force"}});
    // The moment is what the test is about: nothing is waited for.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 40'000));
    process.kill();
    const bool there = fs::exists(data_ + "/holdfast.db");
    if (there) {
      const Ended check = run({"database", "check", "--data-dir", data_, "--json"});
      ASSERT_EQ(check.status, 0) << check.errors;
      const auto report = parse_json(check.output);
      const int messages = report->at("pendingMessages").get<int>();
      EXPECT_TRUE(messages == 200 || messages == 201) << messages;
      completed += messages == 200 ? 1 : 0;
    } else {
      // Never an empty one in its place.
      ChildProcess serve({.command = {holdfast_binary(), "serve", "--data-dir", data_, "--listen",
                                      "127.0.0.1:0", "--control-listen", "127.0.0.1:0"}});
      EXPECT_EQ(serve.wait(kPatience), 1);
      EXPECT_FALSE(fs::exists(data_ + "/holdfast.db"));
    }
  }
  const Ended ended = run({"restore", file_, "--data-dir", data_, "--force"});
  ASSERT_EQ(ended.status, 0) << ended.errors;
  GatewayProcess gateway = start(data_);
  EXPECT_EQ(pending_ids(data_, "ann").size(), 200u);
}

TEST_F(BackupCommandsTest, DetectsAMasterKeyOfAnotherDatabase) {
  fill(data_, 1);
  write_file(data_ + "/master.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
  const Ended check = run({"database", "check", "--data-dir", data_});
  EXPECT_EQ(check.status, 1);
  EXPECT_THAT(check.errors, HasSubstr("master key"));
}

}  // namespace
}  // namespace holdfast::test
