// Administration: users one by one, and listed.
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "unit/identity/user_pool_fixture.hpp"

namespace holdfast::identity {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class PoolUsers : public UserPoolTest {
 protected:
  using Attributes = std::map<std::string, std::string>;

  PoolResult<User> admin_get(const std::string& name) {
    return run<User>([&](auto done) { pool_->admin_get_user({kPool, name}, std::move(done)); });
  }
  PoolResult<void> set(const std::string& password, bool permanent,
                       const std::string& name = "alice") {
    return run<void>([&](auto done) {
      pool_->admin_set_user_password({{kPool, name}, password, permanent}, std::move(done));
    });
  }
  PoolResult<void> update(Attributes attributes) {
    return run<void>([&](auto done) {
      pool_->admin_update_user_attributes({{kPool, "alice"}, std::move(attributes)},
                                          std::move(done));
    });
  }
  PoolResult<UserList> list(ListUsersRequest input) {
    input.pool_id = kPool;
    return run<UserList>([&](auto done) { pool_->list_users(std::move(input), std::move(done)); });
  }
  std::vector<std::string> names(const std::string& filter) {
    std::vector<std::string> out;
    const auto found = list({.pool_id = {}, .limit = 60, .filter = filter, .pagination_token = {}});
    for (const User& user : found.value().users) out.push_back(user.username);
    return out;
  }
  User& add(const std::string& name) {
    User user;
    user.sub = UserId("sub-" + name);
    user.username = name;
    return database_.users[user.sub.str()] = user;
  }
};

TEST_F(PoolUsers, AreFoundWithoutRegardToCase) {
  confirmed();
  EXPECT_EQ(admin_get("aLICE")->username, "Alice");
  EXPECT_EQ(refusal(admin_get("nobody"), PoolErrc::user_not_found), "User does not exist.");
}

TEST_F(PoolUsers, LoseAllAccessWhenDisabled) {
  confirmed();
  const AuthenticationResult result = tokens();
  database_.tokens.push_back({{}, UserId("sub-alice"), clock_.wall_now() + Seconds(30)});
  ASSERT_TRUE(on_user(&UserPool::admin_disable_user));
  EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::disabled)));
  EXPECT_FALSE(alice().enabled);
  EXPECT_THAT(database_.tokens, IsEmpty());
  EXPECT_EQ(refusal(refresh(*result.refresh_token), PoolErrc::not_authorized),
            "Refresh Token has been revoked");
  EXPECT_EQ(refusal(get(result.access_token), PoolErrc::not_authorized), "User is disabled.");
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::not_authorized), "User is disabled.");

  ASSERT_TRUE(on_user(&UserPool::admin_enable_user));
  EXPECT_EQ(refusal(get(result.access_token), PoolErrc::not_authorized),
            "Access Token has been revoked");
  EXPECT_TRUE(get(tokens().access_token));
}

TEST_F(PoolUsers, LeaveNothingWhenDeleted) {
  confirmed();
  const AuthenticationResult result = tokens();
  ASSERT_TRUE(on_user(&UserPool::admin_delete_user));
  EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::deleted)));
  EXPECT_TRUE(database_.users.empty());
  EXPECT_THAT(database_.refresh_tokens, IsEmpty());
  EXPECT_EQ(refusal(refresh(*result.refresh_token), PoolErrc::not_authorized),
            "Invalid Refresh Token.");
  EXPECT_EQ(refusal(get(result.access_token), PoolErrc::user_not_found), "User does not exist.");
  EXPECT_EQ(refusal(on_user(&UserPool::admin_delete_user), PoolErrc::user_not_found),
            "User does not exist.");
}

TEST_F(PoolUsers, MayLogInAgainInTheSecondOfASignOut) {
  confirmed();
  const AuthenticationResult before = tokens();
  ASSERT_TRUE(on_user(&UserPool::admin_user_global_sign_out));
  EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::signed_out)));
  EXPECT_EQ(refusal(get(before.access_token), PoolErrc::not_authorized),
            "Access Token has been revoked");
  const AuthenticationResult after = tokens();
  EXPECT_TRUE(get(after.access_token));
  ASSERT_TRUE(on_user(&UserPool::admin_user_global_sign_out));
  EXPECT_EQ(refusal(get(after.access_token), PoolErrc::not_authorized),
            "Access Token has been revoked");
  EXPECT_TRUE(get(tokens().access_token));
}

TEST_F(PoolUsers, ReportNoEndedLoginsWhenTheChangeFails) {
  confirmed();
  for (const auto operation : {&UserPool::admin_disable_user, &UserPool::admin_delete_user,
                               &UserPool::admin_user_global_sign_out}) {
    users_.fail_next();
    EXPECT_EQ(refusal(on_user(operation), PoolErrc::unavailable), "Service unavailable");
    EXPECT_EQ(refusal(on_user(operation, "nobody"), PoolErrc::user_not_found),
              "User does not exist.");
  }
  EXPECT_THAT(ended_, IsEmpty());
  EXPECT_TRUE(alice().enabled);
}

TEST_F(PoolUsers, GetAPermanentPasswordOrATemporaryOne) {
  confirmed();
  const AuthenticationResult before = tokens();
  ASSERT_TRUE(set("password2", true));
  EXPECT_EQ(alice().status, UserStatus::confirmed);
  EXPECT_FALSE(login("alice", "password1"));
  EXPECT_TRUE(login("alice", "password2"));
  EXPECT_FALSE(refresh(*before.refresh_token));
  EXPECT_THAT(ended_, ElementsAre(Pair("sub-alice", LoginEnd::password_changed)));

  ASSERT_TRUE(set("password3", false));
  EXPECT_EQ(login("alice", "password3")->challenge->name, "NEW_PASSWORD_REQUIRED");
  EXPECT_EQ(refusal(set("short", true), PoolErrc::invalid_password),
            "Password did not conform with policy: Password not long enough");
  EXPECT_EQ(refusal(set("password4", true, "nobody"), PoolErrc::user_not_found),
            "User does not exist.");
}

TEST_F(PoolUsers, LoseAnExpiredTemporaryPassword) {
  confirmed();
  ASSERT_TRUE(set("temporary1", false));
  clock_.advance(options_.temporary_password_lifetime - Seconds(1));
  EXPECT_TRUE(login("alice", "temporary1"));
  clock_.advance(Seconds(1));
  EXPECT_EQ(refusal(login("alice", "temporary1"), PoolErrc::not_authorized),
            "Temporary password has expired and must be reset by an administrator.");
  ASSERT_TRUE(set("temporary1", false));
  EXPECT_TRUE(login("alice", "temporary1"));
}

TEST_F(PoolUsers, AreConfirmedOnce) {
  confirmed().status = UserStatus::unconfirmed;
  ASSERT_TRUE(on_user(&UserPool::admin_confirm_sign_up));
  EXPECT_TRUE(login("alice", "password1"));
  EXPECT_EQ(refusal(on_user(&UserPool::admin_confirm_sign_up), PoolErrc::not_authorized),
            "User cannot be confirmed. Current status is CONFIRMED");
}

TEST_F(PoolUsers, ChangeTheirAttributes) {
  confirmed().attributes = {{"email", "a@example.com"}, {"email_verified", "true"}, {"name", "A"}};
  ASSERT_TRUE(update({{"name", ""}, {"nickname", "Al"}, {"email", "a@example.com"}}));
  EXPECT_EQ(
      alice().attributes,
      (Attributes{{"email", "a@example.com"}, {"email_verified", "true"}, {"nickname", "Al"}}));
  ASSERT_TRUE(update({{"email", "b@example.com"}}));
  EXPECT_EQ(alice().attributes["email_verified"], "false");
  ASSERT_TRUE(update({{"email", "c@example.com"}, {"email_verified", "true"}}));
  EXPECT_EQ(alice().attributes["email_verified"], "true");
  EXPECT_FALSE(update({{"sub", "x"}}));
  EXPECT_FALSE(update({{"unheard_of", "x"}}));
  EXPECT_FALSE(update({{"unheard_of", ""}}));
  EXPECT_FALSE(update({{"", ""}}));
  EXPECT_FALSE(update({{"name", std::string(5000, 'x')}}));
}

TEST_F(PoolUsers, AreReadAgainAfterAConcurrentChange) {
  confirmed();
  users_.hold();
  bool done = false;
  pool_->admin_disable_user({kPool, "alice"},
                            [&](const PoolResult<void>& result) { done = result.has_value(); });
  alice().attributes["name"] = "new";
  ++alice().revision;
  users_.release();
  executor_.run();
  EXPECT_TRUE(done);
  EXPECT_FALSE(alice().enabled);
  EXPECT_EQ(alice().attributes["name"], "new");
}

TEST_F(PoolUsers, AreListedPageByPage) {
  for (const char* name : {"dora", "Anna", "carl", "Bert"}) add(name);
  const auto first = list({.pool_id = {}, .limit = 3, .filter = {}, .pagination_token = {}});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->users.size(), 3U);
  EXPECT_EQ(first->users[1].username, "Bert");
  ASSERT_FALSE(first->pagination_token.empty());
  const auto second =
      list({.pool_id = {}, .limit = 3, .filter = {}, .pagination_token = first->pagination_token});
  ASSERT_EQ(second->users.size(), 1U);
  EXPECT_EQ(second->users[0].username, "dora");
  EXPECT_TRUE(second->pagination_token.empty());
  EXPECT_TRUE(list({.pool_id = {}, .limit = 4, .filter = {}, .pagination_token = {}})
                  ->pagination_token.empty());
  EXPECT_EQ(refusal(list({.pool_id = {}, .limit = 61, .filter = {}, .pagination_token = {}}),
                    PoolErrc::invalid_parameter),
            "1 validation error detected: Value '61' at 'limit' failed to satisfy constraint: "
            "Member must have value less than or equal to 60");
  EXPECT_EQ(refusal(list({.pool_id = {}, .limit = 3, .filter = {}, .pagination_token = "!"}),
                    PoolErrc::invalid_parameter),
            "Invalid pagination token.");
}

TEST_F(PoolUsers, AreListedByACondition) {
  add("anna").attributes["email"] = "a\"1\"@example.com";
  add("bert").attributes["email"] = "b@example.com";
  add("Bernd").enabled = false;
  add("zoe").status = UserStatus::unconfirmed;
  EXPECT_THAT(names(R"(username = "ANNA")"), ElementsAre("anna"));
  EXPECT_THAT(names(R"(username ^= "BER")"), ElementsAre("Bernd", "bert"));
  EXPECT_THAT(names(R"("email"="b@example.com")"), ElementsAre("bert"));
  EXPECT_THAT(names(R"(email ^= "a\"1\"@")"), ElementsAre("anna"));
  EXPECT_THAT(names(R"(sub = "sub-zoe")"), ElementsAre("zoe"));
  EXPECT_THAT(names(R"(sub = "sub-nobody")"), IsEmpty());
  EXPECT_THAT(names(R"(status = "Disabled")"), ElementsAre("Bernd"));
  EXPECT_THAT(names(R"(cognito:user_status = "UNCONFIRMED")"), ElementsAre("zoe"));
  for (const char* bad : {"username", "username =", "username = anna", R"(username < "a")",
                          R"(password_hash = "a")", R"(username = "a" x)", R"(username = "a)"}) {
    EXPECT_FALSE(list({.pool_id = {}, .limit = 60, .filter = bad, .pagination_token = {}})) << bad;
  }
}

TEST_F(PoolUsers, AreListedInLimitedStepsWhenFewMatch) {
  for (int i = 0; i < 2500; ++i) add("user" + std::to_string(10'000 + i));
  database_.users["sub-user12499"].enabled = false;
  std::size_t calls = 0;
  std::vector<std::string> found;
  std::string token;
  do {
    const auto page = list({.pool_id = {},
                            .limit = 10,
                            .filter = R"(status = "Disabled")",
                            .pagination_token = token});
    ASSERT_TRUE(page);
    for (const User& user : page->users) found.push_back(user.username);
    token = page->pagination_token;
    ++calls;
  } while (!token.empty());
  EXPECT_EQ(calls, 2U);
  EXPECT_THAT(found, ElementsAre("user12499"));
}

}  // namespace
}  // namespace holdfast::identity
