// Tests the routes of @connections.

#include <holdfast/base/encoding.hpp>

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

constexpr std::string_view kManagerKey = "AKIAMANAGERMANAGERMA";

class Management : public GatewayFixture {
 protected:
  void SetUp() override {
    // Of a shard other than the one that is asked.
    id_ = router_.make_connection_id(1);
    delivery::ConnectionInfo info;
    info.id = id_;
    info.user = UserId("u");
    info.remote_address = "192.0.2.7";
    info.user_agent = R"(agent "7")";
    info.connected_at = clock_.wall_now();
    info.last_active_at = clock_.wall_now() + Seconds(90);
    mailboxes_[1].told_connections.push_back(info);
    keys_->add(std::string(kManagerKey), "manager",
               R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
               R"("Action":"execute-api:ManageConnections",)"
               R"("Resource":"arn:aws:execute-api:us-east-1:000000000000:holdfast/prod/POST/)"
               R"(@connections/*"}]})");
  }
  net::Response ask(std::string method, std::string target, std::string body = {},
                    std::string_view key = kRootKey) {
    net::Request request = make_request(std::move(method), std::move(target), std::move(body));
    sign(request, key);
    return call(std::move(request));
  }
  std::string target() const { return "/@connections/" + id_.str(); }

  ConnectionId id_;
};

TEST_F(Management, PostsTheBodyAsItIsToThatConnectionAlone) {
  const net::Response response = ask("POST", target(), "raw \u20ac text");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body, "");
  EXPECT_FALSE(header(response, "x-amzn-RequestId").empty());
  ASSERT_EQ(mailboxes_[1].posted.size(), 1U);
  EXPECT_EQ(mailboxes_[1].posted[0], std::pair(id_, std::string("raw \u20ac text")));
  EXPECT_TRUE(mailboxes_[1].sent.empty());
  EXPECT_TRUE(mailboxes_[0].posted.empty());
}

TEST_F(Management, FindsTheConnectionUnderEverySpellingOfItsPath) {
  std::string encoded;
  for (const char c : id_.str()) encoded += "%" + hex_encode(std::string_view(&c, 1));
  for (const std::string& target :
       {"/@connections/" + id_.str(), "/prod/@connections/" + id_.str(),
        "/prod/%40connections/" + id_.str(), "/@connections/" + encoded}) {
    EXPECT_EQ(ask("GET", target).status, 200) << target;
  }
}

TEST_F(Management, TellsWhatIsKnownOfAConnection) {
  const net::Response response = ask("GET", target());
  ASSERT_EQ(response.status, 200);
  EXPECT_EQ(header(response, "Content-Type"), "application/json");
  const Json body = parse_json(response.body).value();
  EXPECT_EQ(body.size(), 3U);
  EXPECT_EQ(body["connectedAt"], format_iso8601(clock_.wall_now()));
  EXPECT_EQ(body["lastActiveAt"], format_iso8601(clock_.wall_now() + Seconds(90)));
  EXPECT_EQ(body["identity"]["sourceIp"], "192.0.2.7");
  EXPECT_EQ(body["identity"]["userAgent"], R"(agent "7")");
}

TEST_F(Management, ClosesAConnectionAsANormalEnd) {
  const net::Response response = ask("DELETE", target());
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
  ASSERT_EQ(mailboxes_[1].closed.size(), 1U);
  EXPECT_EQ(mailboxes_[1].closed[0].id, id_);
  EXPECT_EQ(mailboxes_[1].closed[0].reason, delivery::CloseReason::requested);
}

TEST_F(Management, AnswersGoneForAConnectionThatIsNotThere) {
  for (const char* id : {"nobody", "L0SM9cOFvHcCIhw=", "L0SM9cOFvHcCIhw%3D", "a%2Fb", "a/b"}) {
    for (const char* method : {"POST", "GET", "DELETE"}) {
      SCOPED_TRACE(std::string(method) + " " + id);
      expect_error(ask(method, std::string("/prod/@connections/") + id), 410, "GoneException", "");
    }
  }
  EXPECT_TRUE(mailboxes_[0].closed.empty());
  EXPECT_TRUE(mailboxes_[1].closed.empty());
}

TEST_F(Management, KnowsNoPathWithoutAnId) {
  for (const char* target :
       {"/@connections", "/@connections/", "/prod/@connections/", "/other/@connections/x",
        "/@connections/%0a", "/@connections/%c3%bc"}) {
    expect_error(ask("GET", target), 403, "MissingAuthenticationTokenException", "");
  }
  const std::string long_id(129, 'a');
  expect_error(ask("GET", "/@connections/" + long_id), 403, "MissingAuthenticationTokenException",
               "");
}

TEST_F(Management, NamesItsMethods) {
  for (const char* method : {"PUT", "PATCH", "OPTIONS", "HEAD", "get"}) {
    const net::Response response = ask(method, target());
    expect_error(response, 405, "MethodNotAllowedException", "");
    EXPECT_EQ(header(response, "Allow"), "DELETE, GET, POST");
  }
}

TEST_F(Management, WantsASignature) {
  expect_error(call(make_request("POST", target(), "x")), 403,
               "MissingAuthenticationTokenException", "");
  net::Request spoilt = make_request("POST", target(), "x");
  sign(spoilt);
  spoilt.body = "y";
  expect_error(call(spoilt), 403, "InvalidSignatureException", "does not match");
  net::Request other = make_request("POST", target(), "x");
  sign(other);
  other.head.target = "/@connections/other";
  expect_error(call(other), 403, "InvalidSignatureException", "does not match");
  EXPECT_TRUE(mailboxes_[1].posted.empty());
}

TEST_F(Management, IsAllowedByMethodAndConnection) {
  EXPECT_EQ(ask("POST", target(), "x", kManagerKey).status, 200);
  const net::Response denied = ask("DELETE", target(), "", kManagerKey);
  expect_error(denied, 403, "AccessDeniedException",
               "is not authorized to perform: execute-api:ManageConnections on resource: "
               "arn:aws:execute-api:us-east-1:********0000:holdfast/prod/DELETE/@connections/" +
                   id_.str());
  expect_error(ask("GET", target(), "", kManagerKey), 403, "AccessDeniedException", "");
  expect_error(ask("POST", target(), "x", kPoorKey), 403, "AccessDeniedException", "");
  expect_error(ask("POST", target(), "x", kDeniedKey), 403, "AccessDeniedException",
               "with an explicit deny");
  // Callers without permission must not learn whether a connection exists.
  expect_error(ask("GET", "/@connections/nobody", "", kManagerKey), 403, "AccessDeniedException",
               "");
  EXPECT_TRUE(mailboxes_[1].closed.empty());
}

TEST_F(Management, BoundsThePayload) {
  EXPECT_EQ(ask("POST", target(), std::string(131'072, 'x')).status, 200);
  expect_error(ask("POST", target(), std::string(131'073, 'x')), 413, "PayloadTooLargeException",
               "too large");
  for (const char* length : {"131073", "99999999999999999999999"}) {
    net::Request announced = make_request("POST", target());
    announced.head.headers.emplace_back("Content-Length", length);
    expect_error(call(announced), 413, "PayloadTooLargeException", "");
  }
  net::Request fits = make_request("POST", target());
  fits.head.headers.emplace_back("Content-Length", "131072");
  expect_error(call(fits), 403, "MissingAuthenticationTokenException", "");
}

TEST_F(Management, RefusesWhatIsNoText) {
  expect_error(ask("POST", target(), "\xff"), 400, "BadRequestException", "UTF-8");
  EXPECT_TRUE(mailboxes_[1].posted.empty());
}

TEST_F(Management, SaysWhenAClientDoesNotKeepUpOrTheServiceEnds) {
  mailboxes_[1].told_post = fail(Errc::limit_exceeded, "full");
  const net::Response full = ask("POST", target(), "x");
  expect_error(full, 429, "LimitExceededException", "");
  EXPECT_FALSE(header(full, "Retry-After").empty());
  mailboxes_[1].told_post = fail(Errc::unavailable, "ending");
  expect_error(ask("POST", target(), "x"), 503, "ServiceUnavailableException", "");
}

}  // namespace
}  // namespace holdfast::test
