// Tests starts, and their refusals.

#include <filesystem>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/base/files.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

mode_t mode_of(const std::string& path) {
  struct stat found{};
  return stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

/// A data directory that was in use and is to be spoilt.
class StartTest : public ::testing::Test {
 protected:
  StartTest() { gateway_.publish("u", "precious"); }

  std::string file(const std::string& name) const { return gateway_.data_dir() + "/" + name; }
  // Why the next start is refused, before it has touched the database.
  std::string refusal() {
    const auto database = [this] {
      const std::string path = file("holdfast.db");
      return fs::exists(path) ? std::optional(read_file(path)) : std::nullopt;
    };
    const auto before = database();
    const auto opened = gateway_.try_start();
    EXPECT_EQ(database(), before);
    return opened ? "accepted" : opened.error().message;
  }

  TestGateway gateway_;
};

TEST_F(StartTest, MakesWhatAFirstStartNeeds) {
  EXPECT_TRUE(gateway_.info().first_start);
  EXPECT_EQ(mode_of(gateway_.data_dir()), 0700u);
  for (const char* name : {"master.key", "credentials", "control.sock"}) {
    EXPECT_EQ(mode_of(file(name)), 0600u) << name;
  }
  EXPECT_TRUE(fs::exists(file("holdfast.db")));
  EXPECT_TRUE(fs::exists(file("lock")));
  EXPECT_THAT(gateway_.info().user_pool_id, MatchesRegex("us-east-1_[A-Za-z0-9]{9}"));
  EXPECT_THAT(gateway_.info().client_id, MatchesRegex("[a-z0-9]{26}"));
  const auto credentials = read_credentials(file("credentials"));
  EXPECT_THAT(credentials.at("AWS_ACCESS_KEY_ID"), MatchesRegex("AKIA[A-Z0-9]{16}"));
  EXPECT_EQ(credentials.at("AWS_DEFAULT_REGION"), "us-east-1");
  EXPECT_EQ(credentials.at("AWS_REGION"), "us-east-1");
  EXPECT_EQ(credentials.at("HOLDFAST_USER_POOL_ID"), gateway_.info().user_pool_id);
  EXPECT_EQ(credentials.at("HOLDFAST_CLIENT_ID"), gateway_.info().client_id);
  EXPECT_EQ(credentials.at("HOLDFAST_URL"), "http://" + gateway_.address());
}

TEST_F(StartTest, KeepsItsIdentityFromStartToStart) {
  const TestUser alice = gateway_.make_user();
  const app::GatewayInfo before = gateway_.info();
  const auto key = gateway_.credentials();
  gateway_.stop();
  gateway_.start();
  EXPECT_FALSE(gateway_.info().first_start);
  EXPECT_EQ(gateway_.info().user_pool_id, before.user_pool_id);
  EXPECT_EQ(gateway_.info().client_id, before.client_id);
  EXPECT_EQ(gateway_.credentials().access_key_id, key.access_key_id);
  EXPECT_EQ(gateway_.credentials().secret_access_key, key.secret_access_key);
  // The signing key is the same, too.
  EXPECT_FALSE(gateway_.token(alice).empty());
}

TEST_F(StartTest, LeavesNoSecretInTheDatabase) {
  const auto key = gateway_.credentials();
  const TestUser alice = gateway_.make_user();
  const std::string token = gateway_.token(alice);
  gateway_.stop();
  const std::string database = read_file(file("holdfast.db"));
  EXPECT_NE(database.find(alice.id), std::string::npos);
  for (const std::string& secret :
       {key.secret_access_key, std::string(TestGateway::kPassword), token, alice.id_token}) {
    EXPECT_EQ(database.find(secret), std::string::npos);
  }
}

TEST_F(StartTest, FailsWhileTheDirectoryIsInUse) {
  EXPECT_THAT(refusal(), AllOf(HasSubstr(gateway_.data_dir()), HasSubstr("in use")));
  EXPECT_EQ(gateway_.publish_status("u", "undisturbed"), "STORED");
}

TEST_F(StartTest, FailsWhenThePortIsInUse) {
  const TestGateway other({.settings = {}});
  TestGateway::Options options;
  EXPECT_THAT(
      [&] {
        try {
          TestGateway second({.settings = {"server.listen=" + other.address()}});
          return std::string("accepted");
        } catch (const std::runtime_error& error) {
          return std::string(error.what());
        }
      }(),
      AllOf(HasSubstr(other.address()), HasSubstr("in use")));
}

TEST_F(StartTest, FailsForANewerSchema) {
  gateway_.stop();
  std::string database = read_file(file("holdfast.db"));
  // The user version of a SQLite file: 4 bytes, big endian, at offset 60.
  database.replace(60, 4, std::string("\0\0\x03\xe7", 4));
  write_file(file("holdfast.db"), database);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("holdfast.db"), HasSubstr("999")));
}

TEST_F(StartTest, FailsForACorruptDatabase) {
  gateway_.stop();
  const std::string good = read_file(file("holdfast.db"));
  write_file(file("holdfast.db"), "this is no database" + good.substr(19));
  EXPECT_THAT(refusal(), HasSubstr("holdfast.db"));
  // A page that is not what it was.
  std::string damaged = good;
  damaged.replace(4'096 * 2, 4'096, std::string(4'096, '\xa5'));
  write_file(file("holdfast.db"), damaged);
  EXPECT_THAT(refusal(), HasSubstr("holdfast.db"));
  write_file(file("holdfast.db"), good);
  gateway_.start();
  EXPECT_EQ(gateway_.pending("u"), 1u);
}

TEST_F(StartTest, FailsForATruncatedDatabase) {
  gateway_.stop();
  const std::string good = read_file(file("holdfast.db"));
  for (const std::size_t size : {good.size() / 2, std::size_t{100}, std::size_t{0}}) {
    write_file(file("holdfast.db"), good.substr(0, size));
    EXPECT_THAT(refusal(), HasSubstr("holdfast.db")) << size;
  }
}

TEST_F(StartTest, FailsWithoutTheDatabaseOfAnEarlierRun) {
  gateway_.stop();
  const std::string database = read_file(file("holdfast.db"));
  fs::remove(file("holdfast.db"));
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("holdfast.db is missing"), HasSubstr("put the database"),
                    HasSubstr("remove " + file("credentials") + " and " + file("master.key"))));
  EXPECT_FALSE(fs::exists(file("holdfast.db")));

  write_file(file("holdfast.db"), database);
  gateway_.start();
  EXPECT_EQ(gateway_.pending("u"), 1u);
  gateway_.stop();

  for (const char* name : {"holdfast.db", "credentials", "master.key"}) fs::remove(file(name));
  gateway_.start();
  EXPECT_EQ(gateway_.pending("u"), 0u);
}

TEST_F(StartTest, GoesOnWhereAFirstStartWasCutShort) {
  gateway_.stop();
  const std::string key = read_file(file("master.key"));
  // The key is there before the database, and the database before `credentials`.
  fs::remove(file("holdfast.db"));
  fs::remove(file("credentials"));
  gateway_.start();
  EXPECT_EQ(read_file(file("master.key")), key);
  gateway_.stop();
  fs::remove(file("credentials"));
  gateway_.start();
  EXPECT_EQ(gateway_.publish_status("u", "m"), "STORED");
}

TEST_F(StartTest, MakesNoRootKeyInThePlaceOfOneThatWasDeleted) {
  const std::string root = gateway_.credentials().access_key_id;
  EXPECT_TRUE(read_file(file("credentials")).contains(root));
  (void)gateway_.control("DELETE", "/v1/access-keys/" + root);
  gateway_.stop();
  for (const bool keep_file : {true, false}) {
    if (!keep_file) fs::remove(file("credentials"));
    auto started = gateway_.try_start();
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_FALSE(read_file(file("credentials")).contains("AWS_ACCESS_KEY_ID"));
    (*started)->stop();
  }
}

TEST_F(StartTest, FailsWithoutTheMasterKeyOfItsDatabase) {
  gateway_.stop();
  const std::string key = read_file(file("master.key"));
  fs::remove(file("master.key"));
  EXPECT_THAT(refusal(), HasSubstr("master.key"));
  EXPECT_FALSE(fs::exists(file("master.key")));

  write_file(file("master.key"), "too short\n");
  EXPECT_THAT(refusal(), HasSubstr("master.key"));

  write_file(file("master.key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
  const auto another_key = gateway_.try_start();
  ASSERT_FALSE(another_key);
  EXPECT_THAT(another_key.error().message, HasSubstr("master key"));

  fs::remove(file("master.key"));
  fs::create_directory(file("master.key"));
  EXPECT_THAT(refusal(), HasSubstr("master.key"));

  fs::remove(file("master.key"));
  write_file(file("master.key"), key);
  ASSERT_EQ(chmod(file("master.key").c_str(), 0600), 0);
  gateway_.start();
  EXPECT_EQ(gateway_.pending("u"), 1u);
}

TEST(ConfiguredStartTest, TakesTheMasterKeyFromTheEnvironmentAndWritesItNowhere) {
  const std::string key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
  TestGateway::Options options;
  options.master_key = key;
  TestGateway gateway(std::move(options));
  EXPECT_FALSE(fs::exists(gateway.data_dir() + "/master.key"));
  gateway.publish("u", "m");
  gateway.stop();
  gateway.start();
  EXPECT_EQ(gateway.pending("u"), 1u);
}

TEST(ConfiguredStartTest, ForgetsTheConnectionsOfTheLastRun) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const Inbox inbox(gateway, alice);
  EXPECT_EQ(gateway.control("GET", "/v1/connections").at("connections").size(), 1u);
  gateway.stop();
  gateway.start();
  EXPECT_EQ(gateway.control("GET", "/v1/connections").at("connections").size(), 0u);
}

TEST(ConfiguredStartTest, WorksWithAnotherNumberOfWorkersThanBefore) {
  TempDir dir;
  const auto start = [&](const std::string& workers) {
    app::ConfigSources sources;
    sources.overrides = {{"server.listen", "127.0.0.1:0", "test"},
                         {"server.control_listen", "127.0.0.1:0", "test"},
                         {"server.workers", workers, "test"}};
    app::GatewayOptions options;
    options.config = *app::load_config(sources);
    options.data_dir = dir.file("data");
    auto opened = app::open_gateway(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  };
  const auto client_of = [&](const app::Gateway& gateway) {
    const auto variables = read_credentials(gateway.info().credentials_file);
    client::GatewayOptions options;
    options.url = gateway.info().url;
    options.credentials = {
        variables.at("AWS_ACCESS_KEY_ID"), variables.at("AWS_SECRET_ACCESS_KEY"), {}};
    return std::move(*client::make_gateway_client(std::move(options), system_clock()));
  };
  std::map<std::string, Sequence> last;
  for (const char* workers : {"1", "4", "3"}) {
    const auto gateway = start(workers);
    const auto client = client_of(*gateway);
    for (int i = 0; i < 20; ++i) {
      const std::string user = "user" + std::to_string(i);
      const auto receipt = client->publish(
          {.user_id = user, .text = "m", .deduplication_id = std::nullopt, .ttl = std::nullopt});
      ASSERT_TRUE(receipt) << receipt.error().text();
      EXPECT_GT(receipt->sequence, last[user]);
      last[user] = receipt->sequence;
    }
    EXPECT_TRUE(gateway->stop());
  }
  const auto gateway = start("2");
  const Json pending = *std::make_unique<client::ControlClient>(gateway->info().control_socket)
                            ->call("GET", "/v1/pending?limit=1000");
  ASSERT_EQ(pending.at("users").size(), 20u);
  for (const Json& user : pending.at("users")) EXPECT_EQ(user.at("messages"), 3);
}

}  // namespace
}  // namespace holdfast::test
