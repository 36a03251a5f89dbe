// Upgrades from an older version, and goes back.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <holdfast/base/encoding.hpp>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/inbox.hpp"

namespace holdfast::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A data directory as an earlier release left it.
class UpgradeTest : public ::testing::Test {
 protected:
  UpgradeTest() {
    std::filesystem::create_directory(data_dir_);
    std::filesystem::permissions(data_dir_, std::filesystem::perms::owner_all);
    const std::string dump = read_file(HOLDFAST_SOURCE_DIR "/tests/e2e/data/schema_1.sql");
    // The messages were to live for two weeks from when they were accepted.
    run_sql(dump +
            "UPDATE messages SET expires_at = (unixepoch() + 86400) * 1000000;"
            "UPDATE pending SET next_expiry = (unixepoch() + 86400) * 1000000;");
  }

  void run_sql(const std::string& sql) {
    sqlite3* opened = nullptr;
    const int status = sqlite3_open((data_dir_ + "/holdfast.db").c_str(), &opened);
    const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(opened, sqlite3_close);
    ASSERT_EQ(status, SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(opened, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(opened);
  }
  // Returns its output of both streams.
  std::string run(std::vector<std::string> arguments, int status = 0) {
    arguments.insert(arguments.begin(), holdfast_binary());
    arguments.insert(arguments.end(), {"--data-dir", data_dir_});
    ChildProcess command({.command = std::move(arguments), .environment = environment_});
    EXPECT_EQ(command.wait(kPatience), status);
    std::string out;
    for (const std::string& line : command.output()) out += line + "\n";
    for (const std::string& line : command.errors()) out += line + "\n";
    return out;
  }

  TempDir dir_;
  std::string data_dir_ = dir_.file("data");
  std::vector<std::pair<std::string, std::string>> environment_ = {
      {"HOLDFAST_MASTER_KEY", base64_encode(std::string(32, 'k'))}};
};

TEST_F(UpgradeTest, KeepsKeysUsersAndWhatIsPendingOfTheFirstRelease) {
  GatewayProcess gateway({.data_dir = data_dir_, .environment = environment_});
  EXPECT_EQ(gateway.credentials().at("AWS_ACCESS_KEY_ID"), "AKIASYG5CDOL3AFUFQI5");
  EXPECT_EQ(gateway.credentials().at("AWS_SECRET_ACCESS_KEY"),
            "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");
  EXPECT_EQ(gateway.credentials().at("HOLDFAST_USER_POOL_ID"), "us-east-1_jrDoHqpQ4");

  const auto root = gateway.client();
  const auto login = root->initiate_auth("ann", "a good password");
  ASSERT_TRUE(login) << login.error().text();
  const auto* const tokens = std::get_if<client::Tokens>(&*login);
  ASSERT_NE(tokens, nullptr);
  const auto token = root->temporary_token(tokens->id_token);
  ASSERT_TRUE(token) << token.error().text();
  auto socket = root->open_websocket(*token, "");
  ASSERT_TRUE(socket) << socket.error().text();
  const Inbox inbox(std::move(*socket));
  EXPECT_THAT(inbox.wait_for(2),
              ElementsAre(payload_frame("the first"), payload_frame("the second")));

  EXPECT_THAT(run({"pending", "list"}), HasSubstr("stranger"));
  EXPECT_THAT(run({"dead-letters", "list"}), HasSubstr("gone"));
  EXPECT_THAT(run({"user", "show", "ann"}), HasSubstr("CONFIRMED"));
  EXPECT_THAT(run({"access-key", "list"}), HasSubstr("AKIASYG5CDOL3AFUFQI5"));
  EXPECT_EQ(gateway.terminate(), 0);
}

TEST_F(UpgradeTest, GivesWhatThatReleaseStoredItsChecksums) {
  const std::vector<std::string> add = {"database", "check", "--add-checksums"};
  EXPECT_THAT(run(add, 1), HasSubstr("start the gateway once"));
  {
    GatewayProcess gateway({.data_dir = data_dir_, .environment = environment_});
    EXPECT_THAT(run(add, 1), HasSubstr("stop the gateway"));
    ASSERT_EQ(gateway.terminate(), 0);
  }
  EXPECT_THAT(run({"database", "check", "--json"}), HasSubstr("\"rowsWithoutChecksum\":4"));
  EXPECT_THAT(run(add), HasSubstr("Added checksums to 3 messages and 1 dead letters"));
  EXPECT_THAT(run({"database", "check", "--json"}), HasSubstr("\"rowsWithoutChecksum\":0"));
  EXPECT_THAT(run(add), HasSubstr("Added checksums to 0 messages and 0 dead letters"));

  // Of a damaged one nothing is taken for what was written.
  run_sql(
      "UPDATE messages SET checksum = NULL WHERE user = 'stranger';"
      "UPDATE dead_letters SET payload = x'61'");
  EXPECT_THAT(run(add, 1),
              AllOf(HasSubstr("not as it was written"), HasSubstr("No checksums were added")));
}

}  // namespace
}  // namespace holdfast::test
