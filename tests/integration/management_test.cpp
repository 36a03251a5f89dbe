// Tests the management API of connections.

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/ids.hpp>
#include <holdfast/base/json.hpp>

#include "support/client/eventually.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;

/// Over sockets, against several shards, so that most calls cross from one to another.
class ManagementTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    gateway_ = new TestGateway({.settings = {"server.workers=4"}});
    alice_ = new TestUser(gateway_->make_user());
  }
  static void TearDownTestSuite() {
    delete alice_;
    delete gateway_;
  }

  static RawResponse ask(const std::string& method, const std::string& target,
                         const std::string& body = {}) {
    RequestBuilder request;
    request.method = method;
    request.target = target;
    // Two equal calls of one second are two.
    request.headers = {{"Host", gateway_->address()}, {"amz-sdk-invocation-id", generate_uuid()}};
    request.body = body;
    request.sign(gateway_->credentials(), "us-east-1", "execute-api", system_clock().wall_now());
    auto answer = gateway_->send_raw(request);
    if (!answer) throw std::runtime_error("no answer");
    return std::move(*answer);
  }
  /// Of a user's open connections, the oldest first.
  static std::vector<std::string> ids(const TestUser& user) {
    std::vector<std::string> out;
    const Json connections = gateway_->control("GET", "/v1/connections?userId=" + user.id);
    for (const Json& connection : connections["connections"]) {
      out.push_back(connection["connectionId"]);
    }
    return out;
  }

  static TestGateway* gateway_;
  static TestUser* alice_;
};
TestGateway* ManagementTest::gateway_ = nullptr;
TestUser* ManagementTest::alice_ = nullptr;

TEST_F(ManagementTest, PostsToOneOfAUsersConnectionsTellsOfItAndClosesIt) {
  Inbox first(*gateway_, *alice_);
  gateway_->publish(alice_->id, "one");
  ASSERT_THAT(first.wait_for(1), ElementsAre(payload_frame("one")));
  const std::string first_id = ids(*alice_).at(0);
  Inbox second(*gateway_, *alice_);
  ASSERT_TRUE(eventually([&] {
    const auto open = ids(*alice_);
    return open.size() == 2 && ask("GET", "/@connections/" + open[1]).status == 200;
  })) << "the second is not admitted";
  gateway_->publish(alice_->id, "two");
  ASSERT_EQ(second.wait_for(1).size(), 1U);

  const std::string target = "/prod/@connections/" + first_id;
  EXPECT_EQ(ask("POST", target, "posted \u20ac").status, 200);
  EXPECT_THAT(first.wait_for(3),
              ElementsAre(payload_frame("one"), payload_frame("two"), "posted \u20ac"));
  EXPECT_EQ(gateway_->pending(alice_->id), 0U);

  const RawResponse told = ask("GET", target);
  ASSERT_EQ(told.status, 200);
  const Json body = parse_json(told.body).value();
  EXPECT_EQ(body["identity"]["sourceIp"], "127.0.0.1");
  EXPECT_LE(body["connectedAt"].get<std::string>(), body["lastActiveAt"].get<std::string>());

  EXPECT_EQ(ask("DELETE", target).status, 204);
  EXPECT_EQ(first.wait_closed(), 1000);
  for (const char* method : {"POST", "GET", "DELETE"}) {
    const RawResponse gone = ask(method, target);
    EXPECT_EQ(gone.status, 410) << method;
    EXPECT_EQ(gone.header("x-amzn-ErrorType"), "GoneException");
  }
  EXPECT_THAT(second.frames(), ::testing::Each(payload_frame("two")));
}

TEST_F(ManagementTest, ReachesEveryShardFromEveryOther) {
  std::vector<std::unique_ptr<Inbox>> inboxes;
  std::vector<std::string> all;
  for (int i = 0; i < 8; ++i) {
    const TestUser user = gateway_->make_user("user" + std::to_string(i));
    inboxes.push_back(std::make_unique<Inbox>(*gateway_, user));
    gateway_->publish(user.id, "m");
    ASSERT_EQ(inboxes.back()->wait_for(1).size(), 1U);
    all.push_back(ids(user).at(0));
  }
  for (const std::string& id : all) {
    EXPECT_EQ(ask("POST", "/@connections/" + id, "to " + id).status, 200) << id;
  }
  for (std::size_t i = 0; i < inboxes.size(); ++i) {
    EXPECT_THAT(inboxes[i]->wait_for(2), ElementsAre(payload_frame("m"), "to " + all[i]));
  }
}

TEST_F(ManagementTest, RefusesALongBodyBeforeItComes) {
  const auto refused =
      gateway_->send_bytes("POST /@connections/x HTTP/1.1\r\nHost: " + gateway_->address() +
                           "\r\nContent-Length: 131073\r\n\r\n");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 413);
  EXPECT_EQ(refused->header("x-amzn-ErrorType"), "PayloadTooLargeException");
}

}  // namespace
}  // namespace holdfast::test
