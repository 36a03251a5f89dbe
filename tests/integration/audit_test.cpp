// Tests the audit log of a running gateway.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <holdfast/base/json.hpp>

#include "support/base/manual_clock.hpp"
#include "support/client/eventually.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The records, the oldest first, once there are so many: they are kept soon, not at once.
std::vector<Json> records(const TestGateway& gateway, std::size_t count,
                          const std::string& query = {}) {
  std::vector<Json> found;
  EXPECT_TRUE(eventually([&] {
    const Json page = gateway.control("GET", "/v1/audit?limit=1000" + query);
    found.assign(page["records"].rbegin(), page["records"].rend());
    return found.size() >= count;
  }));
  return found;
}

TEST(AuditLogTest, TellsWhoLoggedInAndWhoWasRefused) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user("alice");
  const std::size_t before = records(gateway, 1).size();
  EXPECT_FALSE(gateway.root().initiate_auth("alice", "not her password"));
  EXPECT_FALSE(gateway.root().initiate_auth("hunter2-typed-here", "anything"));
  ASSERT_TRUE(gateway.root().initiate_auth("alice", TestGateway::kPassword));
  const auto all = records(gateway, before + 3);
  ASSERT_EQ(all.size(), before + 3);
  const Json& wrong = all[before];
  EXPECT_EQ(wrong["action"], "login");
  EXPECT_EQ(wrong["outcome"], "refused");
  EXPECT_EQ(wrong["actor"], "stranger");
  EXPECT_THAT(wrong["target"].get<std::string>(), StartsWith("name_hash:"));
  EXPECT_EQ(wrong["remoteAddress"], "127.0.0.1");
  const Json& right = all[before + 2];
  EXPECT_EQ(right["outcome"], "done");
  EXPECT_EQ(right["actor"], "user:" + alice.id);
  for (const Json& record : all) {
    EXPECT_THAT(record.dump(), Not(HasSubstr("hunter2")));
    EXPECT_THAT(record.dump(), Not(HasSubstr(TestGateway::kPassword)));
  }
  const auto hers = records(gateway, 1, "&username=ALICE&outcome=refused");
  ASSERT_EQ(hers.size(), 1U);
  EXPECT_EQ(hers[0]["id"], wrong["id"]);
}

TEST(AuditLogTest, TellsOnceThatANameIsLockedAndOfEachRefusal) {
  // One that stands still, so that the lock lasts.
  ManualClock clock(unix_micros(system_clock().wall_now()));
  TestGateway gateway({.clock = &clock});
  (void)gateway.make_user("alice");
  const std::size_t before = records(gateway, 1).size();
  for (int i = 0; i < 7; ++i) {
    EXPECT_FALSE(gateway.root().initiate_auth("alice", "not her password"));
  }
  auto all = records(gateway, before + 8);
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(before));
  // The fifth locks it for a second, in which the next two come.
  ASSERT_EQ(all.size(), 8U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]["action"], i == 5 ? "lockout" : "login") << i;
    EXPECT_EQ(all[i]["outcome"], "refused") << i;
    EXPECT_EQ(all[i]["target"], all[0]["target"]) << i;
  }
  EXPECT_EQ(all[5]["reason"], "too many wrong passwords");
  EXPECT_THAT(all[7]["reason"].get<std::string>(), StartsWith("locked: "));
}

TEST(AuditLogTest, TellsOfBackupsAndHowTheyEnded) {
  TestGateway gateway;
  (void)gateway.control("POST", "/v1/backup");
  const auto done = records(gateway, 1, "&action=backup.finish");
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0]["actor"], "system");
  EXPECT_EQ(done[0]["outcome"], "done");
  EXPECT_EQ(records(gateway, 1, "&action=backup.begin").size(), 1U);
}

TEST(AuditLogTest, TellsOfACodeThatCouldNotBeSent) {
  TestGateway gateway({.settings = {R"(user_pool.code_command=["/bin/false"])"}});
  const TestUser alice = gateway.make_user("alice");
  RequestBuilder request;
  request.target = "/";
  request.headers = {{"Host", gateway.address()},
                     {"Content-Type", "application/x-amz-json-1.1"},
                     {"X-Amz-Target", "AWSCognitoIdentityProviderService.ForgotPassword"}};
  request.body = Json{{"ClientId", gateway.info().client_id}, {"Username", "alice"}}.dump();
  // The caller does not learn of it.
  EXPECT_EQ(gateway.send_raw(request)->status, 200);
  const auto failed = records(gateway, 1, "&action=code.deliver");
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0]["actor"], "system");
  EXPECT_EQ(failed[0]["target"], "user:" + alice.id);
  EXPECT_EQ(failed[0]["outcome"], "failed");
  EXPECT_EQ(failed[0]["reason"], "forgot_password: /bin/false ended with status 1");
}

TEST(AuditLogTest, TellsWhoChangedWhatByEachWay) {
  TestGateway gateway;
  EXPECT_EQ(gateway.control("POST", "/v1/users", {{"username", "bob"}})["username"], "bob");
  ASSERT_TRUE(gateway.root().admin_create_user("carol", "temporary password"));
  const Json key = gateway.control("POST", "/v1/access-keys", {{"name", "orders"}});
  const auto all = records(gateway, 3);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0]["action"], "user.create");
  EXPECT_EQ(all[0]["actor"], "uid:" + std::to_string(getuid()));
  EXPECT_EQ(all[0]["target"], "username:bob");
  EXPECT_EQ(all[1]["action"], "user.create");
  EXPECT_THAT(all[1]["actor"].get<std::string>(), StartsWith("key:"));
  EXPECT_EQ(all[1]["target"], "username:carol");
  EXPECT_EQ(all[2]["action"], "access_key.create");
  EXPECT_EQ(all[2]["target"], "access_key:" + key["id"].get<std::string>());
  for (const Json& record : all) {
    EXPECT_THAT(record.dump(), Not(HasSubstr(key["secret"].get<std::string>())));
  }
}

}  // namespace
}  // namespace holdfast::test
