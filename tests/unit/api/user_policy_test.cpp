// Tests policies with a condition on the user of a call.

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

constexpr std::string_view kTenantKey = "AKIATENANTTENANTTENA";

class UserPolicyTest : public GatewayFixture {
 protected:
  void SetUp() override {
    keys_->add(std::string(kTenantKey), "tenant", policy("execute-api:*"));
    connect("t1:a", own_);
    connect("t2:b", others_);
  }
  static std::string policy(const std::string& action) {
    return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":")" + action +
           R"(","Resource":"*","Condition":{"StringLike":{"holdfast:UserId":"t1:*"}}}]})";
  }
  void connect(const std::string& user, ConnectionId& id) {
    id = router_.make_connection_id(1);
    delivery::ConnectionInfo info;
    info.id = id;
    info.user = UserId(user);
    mailboxes_[1].told_connections.push_back(info);
  }
  net::Response ask(std::string method, std::string target, std::string body = {},
                    std::string_view key = kTenantKey) {
    net::Request request = make_request(std::move(method), std::move(target), std::move(body));
    sign(request, key);
    return call(std::move(request));
  }
  net::Response manage(std::string method, const ConnectionId& id, std::string body = {}) {
    return ask(std::move(method), "/@connections/" + id.str(), std::move(body));
  }
  static std::string message_to(const std::string& user) {
    return R"({"userId":")" + user + R"(","message":"m"})";
  }
  std::size_t sent() const { return mailboxes_[0].sent.size() + mailboxes_[1].sent.size(); }
  ConnectionId own_;
  ConnectionId others_;
};

TEST_F(UserPolicyTest, SendsToTheUsersOfThePolicyAlone) {
  EXPECT_EQ(ask("POST", "/message", message_to("t1:a")).status, 200);
  EXPECT_EQ(sent(), 1U);
  const net::Response denied = ask("POST", "/message", message_to("t2:b"));
  expect_error(denied, 403, "AccessDeniedException",
               "is not authorized to perform: execute-api:Invoke on resource: "
               "arn:aws:execute-api:us-east-1:********0000:holdfast/prod/POST/message for userId");
  EXPECT_EQ(denied.log_fields.get("user_id"), "t2:b");
  EXPECT_EQ(sent(), 1U);
}

TEST_F(UserPolicyTest, RefusesAWholeBatchForOneUserAndNamesThePlace) {
  const auto batch = [](const std::string& second) {
    return R"({"messages":[)" + message_to("t1:a") + "," + message_to(second) + "]}";
  };
  expect_error(ask("POST", "/messages", batch("t2:b")), 403, "AccessDeniedException",
               "POST/messages for messages[1].userId");
  EXPECT_EQ(sent(), 0U);
  EXPECT_EQ(ask("POST", "/messages", batch("t1:b")).status, 200);
  EXPECT_EQ(sent(), 2U);
}

TEST_F(UserPolicyTest, ChecksTheBodyBeforeItsUsers) {
  expect_error(ask("POST", "/message", R"({"userId":"t2:b"})"), 400, "BadRequestException",
               "message: is required");
  // A call that no user is allowed is refused unread, as without a condition.
  keys_->add(std::string(kPoorKey), "poor", policy("execute-api:ManageConnections"));
  expect_error(ask("POST", "/message", "no JSON", kPoorKey), 403, "AccessDeniedException",
               "POST/message");
}

TEST_F(UserPolicyTest, SaysWhenTheDenyOfAUserIsExplicit) {
  keys_->add(std::string(kPoorKey), "poor",
             R"({"Version":"2012-10-17","Statement":[)"
             R"({"Effect":"Allow","Action":"*","Resource":"*"},)"
             R"({"Effect":"Deny","Action":"*","Resource":"*",)"
             R"("Condition":{"StringEquals":{"holdfast:UserId":"t2:b"}}}]})");
  expect_error(ask("POST", "/message", message_to("t2:b"), kPoorKey), 403, "AccessDeniedException",
               "for userId with an explicit deny");
  EXPECT_EQ(ask("POST", "/message", message_to("t1:a"), kPoorKey).status, 200);
}

TEST_F(UserPolicyTest, HoldsForTheSessionsOfAKey) {
  const auto session =
      keys_->add_session(kRootKey, clock_.wall_now() + Seconds(900), policy("execute-api:*"));
  net::Request denied = make_request("POST", "/message", message_to("t2:b"));
  sign(denied, session);
  expect_error(call(std::move(denied)), 403, "AccessDeniedException", "for userId");
  net::Request allowed = make_request("POST", "/message", message_to("t1:a"));
  sign(allowed, session);
  EXPECT_EQ(call(std::move(allowed)).status, 200);
}

TEST_F(UserPolicyTest, ManagesTheConnectionsOfItsUsersAlone) {
  EXPECT_EQ(manage("GET", own_).status, 200);
  EXPECT_EQ(manage("POST", own_, "text").status, 200);
  EXPECT_EQ(manage("DELETE", own_).status, 204);
  for (const char* method : {"GET", "POST", "DELETE"}) {
    expect_error(manage(method, others_, "text"), 403, "AccessDeniedException",
                 "for the connection's user");
  }
  ASSERT_EQ(mailboxes_[1].posted.size(), 1U);
  EXPECT_EQ(mailboxes_[1].posted[0].first, own_);
  ASSERT_EQ(mailboxes_[1].closed.size(), 1U);
  EXPECT_EQ(mailboxes_[1].closed[0].id, own_);
}

TEST_F(UserPolicyTest, AnswersGoneForAConnectionThatEnded) {
  for (const char* method : {"GET", "POST", "DELETE"}) {
    expect_error(ask(method, "/@connections/ended"), 410, "GoneException", "");
  }
}

TEST_F(UserPolicyTest, AllowsNoCallWithoutAUser) {
  keys_->add(std::string(kPoorKey), "poor", policy("*"));
  net::Request list = pool_request("ListUsers", {{"UserPoolId", kPoolId}});
  sign(list, kPoorKey, "cognito-idp");
  const net::Response denied = call(std::move(list));
  EXPECT_EQ(denied.status, 400);
  EXPECT_NE(denied.body.find("AccessDeniedException"), std::string::npos) << denied.body;
}

}  // namespace
}  // namespace holdfast::test
