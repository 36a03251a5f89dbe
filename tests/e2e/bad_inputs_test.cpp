// One bad input of each kind against the built binary: a clear answer, and the gateway goes on. The
// integration tests have the others.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"
#include "support/iam/request_builder.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BadInputsTest : public ::testing::Test {
 protected:
  [[nodiscard]] RawResponse answer_to(const std::string& bytes) const {
    RawClient socket(gateway_.address());
    socket.send(bytes);
    return socket.read_response(kPatience).value_or(RawResponse());
  }
  [[nodiscard]] std::string request(const std::string& line, const std::string& headers = "",
                                    const std::string& body = "") const {
    return line + " HTTP/1.1\r\nHost: " + gateway_.address() + "\r\n" + headers + "\r\n" + body;
  }
  [[nodiscard]] RawResponse handshake(const std::string& url) const {
    RawClient socket(gateway_.address());
    return socket.upgrade(url.substr(url.find("/ws?"))).value_or(RawResponse());
  }
  /// Temporary credentials of the root key.
  [[nodiscard]] iam::Credentials make_session() const {
    const Json made = std::make_unique<client::ControlClient>(dir_.file("data") + "/control.sock")
                          ->call("POST", "/v1/sessions",
                                 {{"accessKeyId", gateway_.credentials().at("AWS_ACCESS_KEY_ID")}})
                          .value();
    return {.access_key_id = made.at("AccessKeyId"),
            .secret_access_key = made.at("SecretAccessKey"),
            .session_token = made.at("SessionToken")};
  }

  TempDir dir_;
  GatewayProcess gateway_{{.data_dir = dir_.file("data")}};
};

TEST_F(BadInputsTest, GetsAnAnswerAndLeavesTheGatewayRunning) {
  const OutsideUser user = make_user(gateway_, "alice");

  const RawResponse ambiguous = answer_to(
      request("POST /message", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "{}"));
  EXPECT_EQ(ambiguous.status, 400);
  EXPECT_EQ(answer_to("GET /message HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(answer_to(request("GET /" + std::string(65'536, 'x'))).status, 414);

  const RawResponse unsigned_post = answer_to(
      request("POST /message", "Content-Type: application/json\r\nContent-Length: 2\r\n", "{}"));
  EXPECT_EQ(unsigned_post.status, 403);
  EXPECT_EQ(unsigned_post.header("x-amzn-ErrorType"), "MissingAuthenticationTokenException");
  EXPECT_FALSE(unsigned_post.header("x-amzn-RequestId").empty());

  EXPECT_EQ(answer_to(request("GET /tokens", "Authorization: a.b.c\r\n")).status, 401);
  std::string changed = user.id_token;
  changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
  const RawResponse refused =
      answer_to(request("GET /tokens", "Authorization: " + changed + "\r\n"));
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.body, R"({"message":"Unauthorized"})");

  const std::string url = websocket_url(gateway_, user);
  EXPECT_EQ(handshake(url + "x").status, 401);
  EXPECT_EQ(handshake(url).status, 101);
  EXPECT_EQ(handshake(url).status, 401) << "used once";
  EXPECT_EQ(answer_to(request("GET /ws?token=x")).status, 426);

  const std::string login = R"({"AuthFlow":"USER_PASSWORD_AUTH","ClientId":")" +
                            gateway_.credentials().at("HOLDFAST_CLIENT_ID") +
                            R"(","AuthParameters":{"USERNAME":"alice","PASSWORD":"wrong"}})";
  const RawResponse wrong_password =
      answer_to(request("POST /",
                        "Content-Type: application/x-amz-json-1.1\r\nContent-Length: " +
                            std::to_string(login.size()) +
                            "\r\nX-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth\r\n",
                        login));
  EXPECT_EQ(wrong_password.status, 400);
  EXPECT_THAT(wrong_password.body, HasSubstr("NotAuthorizedException"));

  EXPECT_THAT(publish(gateway_, "nobody", std::string(131'073, 'x')),
              HasSubstr("Request Too Long"));
  EXPECT_EQ(publish(gateway_, "nobody", "a good one"), "STORED");
  EXPECT_EQ(gateway_.terminate(), 0);
}

TEST_F(BadInputsTest, LeavesNoSecretAndNoTextInTheLog) {
  const OutsideUser user = make_user(gateway_, "alice");
  const std::string url = websocket_url(gateway_, user);
  EXPECT_EQ(handshake(url).status, 101);
  EXPECT_EQ(handshake(url).status, 401);
  const std::string text = "what nobody else may read";
  EXPECT_EQ(publish(gateway_, "someone", text), "STORED");
  const iam::Credentials session = make_session();
  RequestBuilder presigned;
  presigned.method = "GET";
  presigned.target = "/@connections/bm9ib2R5";
  presigned.headers = {{"Host", gateway_.address()}};
  presigned.body = "";
  presigned.presign(session, "us-east-1", "execute-api", system_clock().wall_now(), "60");
  EXPECT_EQ(answer_to(request("GET " + presigned.target)).status, 410);
  presigned.target.back() = presigned.target.back() == '0' ? '1' : '0';
  EXPECT_EQ(answer_to(request("GET " + presigned.target)).status, 403);
  ASSERT_EQ(gateway_.terminate(), 0);

  const std::string said = transcript(gateway_.process());
  EXPECT_THAT(said, HasSubstr("listening"));
  EXPECT_THAT(said, HasSubstr("/message")) << "the access line";
  const std::string token = url.substr(url.find("token=") + 6);
  EXPECT_THAT(said, AllOf(Not(HasSubstr(token)), Not(HasSubstr(user.id_token)),
                          Not(HasSubstr(text)), Not(HasSubstr("the first one")),
                          Not(HasSubstr(gateway_.credentials().at("AWS_SECRET_ACCESS_KEY")))));
  EXPECT_THAT(said, AllOf(HasSubstr(R"("access_key_id":")" + session.access_key_id),
                          HasSubstr(R"("event":"session_made","id":")" + session.access_key_id),
                          Not(HasSubstr(session.session_token)),
                          Not(HasSubstr(session.secret_access_key))));
}

}  // namespace
}  // namespace holdfast::test
