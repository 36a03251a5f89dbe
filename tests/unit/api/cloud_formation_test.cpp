// Tests DescribeStacks.

#include <gmock/gmock.h>

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kForm =
    "Action=DescribeStacks&Version=2010-05-15&StackName=ServerlessAsyncMessagingGatewayStack";

class CloudFormation : public GatewayFixture {
 protected:
  void SetUp() override { start_at("https://chat.example.com"); }
  void start_at(std::string url) {
    api::GatewayOptions options;
    options.instance.created_at = clock_.wall_now();
    options.instance.client_id = kClientId;
    options.instance.url = std::move(url);
    options.aws.sample_app_url = "https://sample.example.com/<&>";
    start(options);
  }
  net::Request form(std::string body, std::string target = "/") {
    net::Request out = make_request("POST", std::move(target), std::move(body));
    out.head.headers.emplace_back("Content-Type",
                                  "application/x-www-form-urlencoded; charset=utf-8");
    return out;
  }
  net::Response ask(std::string body, std::string target = "/", std::string_view key = kRootKey) {
    net::Request request = form(std::move(body), std::move(target));
    sign(request, key, "cloudformation");
    return call(std::move(request));
  }
  static void expect_refused(const net::Response& response, int status, const std::string& code,
                             const std::string& words) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(header(response, "Content-Type"), "text/xml");
    EXPECT_THAT(response.body,
                AllOf(HasSubstr("<ErrorResponse xmlns="), HasSubstr("<Type>Sender</Type>"),
                      HasSubstr("<Code>" + code + "</Code>"), HasSubstr(words)));
    EXPECT_THAT(response.body, HasSubstr("<RequestId>" + header(response, "x-amzn-RequestId")));
  }
};

std::string output(const std::string& key, const std::string& value) {
  return "<member><OutputKey>" + key + "</OutputKey><OutputValue>" + value +
         "</OutputValue></member>";
}

TEST_F(CloudFormation, TellsTheFiveOutputsOfTheStack) {
  const net::Response response = ask(std::string(kForm));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(header(response, "Content-Type"), "text/xml");
  EXPECT_THAT(
      response.body,
      AllOf(HasSubstr("<DescribeStacksResponse "
                      "xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">"),
            HasSubstr("<StackId>arn:aws:cloudformation:us-east-1:000000000000:stack/"
                      "ServerlessAsyncMessagingGatewayStack/"),
            HasSubstr("<StackName>ServerlessAsyncMessagingGatewayStack</StackName>"),
            HasSubstr("<CreationTime>" + format_iso8601(clock_.wall_now()) + "</CreationTime>"),
            HasSubstr("<StackStatus>CREATE_COMPLETE</StackStatus>")));
  EXPECT_THAT(response.body,
              HasSubstr("<Outputs>" + output("AuthenticationUserPoolId", std::string(kPoolId)) +
                        output("AuthenticationUserPoolClientId", std::string(kClientId)) +
                        output("AuthenticationTokenApiUrl", "https://chat.example.com/tokens") +
                        output("GatewayWebsocketUrl", "wss://chat.example.com/ws") +
                        output("SampleAppApiUrl", "https://sample.example.com/&lt;&amp;&gt;") +
                        "</Outputs>"));
}

TEST_F(CloudFormation, NamesAWebSocketWithoutTlsWhereThereIsNone) {
  start_at("http://127.0.0.1:8080");
  EXPECT_THAT(ask(std::string(kForm)).body,
              HasSubstr(output("GatewayWebsocketUrl", "ws://127.0.0.1:8080/ws")));
}

TEST_F(CloudFormation, AnswersUnderEveryPrefixAndForTheIdOrNoNameAtAll) {
  for (const char* target : {"/", "/prod", "/cfn", "/cfn/", "/any/prefix/"}) {
    EXPECT_EQ(ask(std::string(kForm), target).status, 200) << target;
  }
  const net::Response unnamed = ask("Action=DescribeStacks&Version=2010-05-15");
  ASSERT_EQ(unnamed.status, 200);
  const std::size_t begin = unnamed.body.find("<StackId>") + 9;
  const std::string id = unnamed.body.substr(begin, unnamed.body.find("</StackId>") - begin);
  EXPECT_EQ(ask("Action=DescribeStacks&StackName=" + percent_encode(id)).status, 200) << id;
}

TEST_F(CloudFormation, SaysThatAnotherStackDoesNotExist) {
  expect_refused(ask("Action=DescribeStacks&StackName=Other"), 400, "ValidationError",
                 "<Message>Stack with id Other does not exist</Message>");
  for (const char* name : {"", "a%20b", "%3Cscript%3E", "%zz", "a&StackName=b"}) {
    const net::Response response = ask(std::string("Action=DescribeStacks&StackName=") + name);
    expect_refused(response, 400, "ValidationError", "stackName");
    EXPECT_THAT(response.body, Not(HasSubstr("script")));
  }
}

TEST_F(CloudFormation, KnowsNoOtherAction) {
  expect_refused(ask("Action=DeleteStack&StackName=x"), 400, "InvalidAction", "DeleteStack");
  expect_refused(ask("Action=%3Cb%3E%01%ff"), 400, "InvalidAction", "&lt;b&gt;??");
}

TEST_F(CloudFormation, WantsASignatureOfItsOwnService) {
  expect_refused(call(form(std::string(kForm))), 403, "MissingAuthenticationToken", "");
  net::Request other = form(std::string(kForm));
  sign(other);
  expect_refused(call(other), 403, "SignatureDoesNotMatch", "correct service: 'cloudformation'");
  net::Request spoilt = form(std::string(kForm));
  sign(spoilt, kRootKey, "cloudformation");
  spoilt.body += "x";
  expect_refused(call(spoilt), 403, "SignatureDoesNotMatch", "does not match");
  net::Request incomplete = form(std::string(kForm));
  incomplete.head.headers.emplace_back("Authorization", "Bearer x");
  expect_refused(call(incomplete), 403, "IncompleteSignature", "");
  expect_refused(ask(std::string(kForm), "/", kDisabledKey), 403, "InvalidClientTokenId",
                 "The security token included in the request is invalid.");
}

TEST_F(CloudFormation, IsAllowedByStack) {
  const net::Response denied = ask(std::string(kForm), "/", kPoorKey);
  expect_refused(denied, 403, "AccessDenied",
                 "is not authorized to perform: cloudformation:DescribeStacks on resource: "
                 "arn:aws:cloudformation:us-east-1:000000000000:stack/"
                 "ServerlessAsyncMessagingGatewayStack/");
  EXPECT_TRUE(denied.refused.starts_with(
      "AccessDenied: the policy does not allow cloudformation:DescribeStacks on "))
      << denied.refused;
  EXPECT_EQ(denied.log_fields.get("access_key_id"), kPoorKey);
  expect_refused(ask("Action=DescribeStacks&StackName=Other", "/", kPoorKey), 403, "AccessDenied",
                 "stack/Other/*");
  constexpr std::string_view reader = "AKIAREADERREADERREAD";
  keys_->add(std::string(reader), "reader",
             R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
             R"("Action":"cloudformation:DescribeStacks",)"
             R"("Resource":"arn:aws:cloudformation:*:*:stack/Serverless*/*"}]})");
  EXPECT_EQ(ask(std::string(kForm), "/", reader).status, 200);
  expect_refused(ask("Action=DescribeStacks&StackName=Other", "/", reader), 403, "AccessDenied",
                 "");
}

TEST_F(CloudFormation, LeavesFormsOfOthersAlone) {
  expect_error(call(form("x=1", "/nothing")), 403, "MissingAuthenticationTokenException", "");
  expect_error(call(form("", "/nothing")), 403, "MissingAuthenticationTokenException", "");
  net::Request message = form(std::string(kJsonMessage), "/message");
  sign(message);
  expect_error(call(message), 415, "BadRequestException", "");
}

}  // namespace
}  // namespace holdfast::test
