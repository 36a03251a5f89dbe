// Tests signing and verifying with Signature Version 4.

#include <memory>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/iam/sigv4.hpp>

#include "support/base/manual_clock.hpp"
#include "support/iam/fixed_access_keys.hpp"
#include "support/iam/request_builder.hpp"

namespace holdfast::iam {
namespace {

using test::FixedAccessKeys;
using test::ManualClock;
using test::RequestBuilder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::int64_t kPublishedMoment = 1'440'938'160'000'000;  // 2015-08-30T12:36:00Z
const Credentials kCredentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
constexpr std::string_view kService = "execute-api";
constexpr std::string_view kRegion = "us-east-1";

class SigV4 : public ::testing::Test {
 protected:
  SigV4() : keys_(std::make_shared<FixedAccessKeys>()) {
    key_ = keys_->set(kCredentials.access_key_id, kCredentials.secret_access_key);
    verifier_ = std::make_unique<SigV4Verifier>(
        SigV4Options{.times = {.presigned_max = Seconds(604'800)}}, clock_, keys_);
  }

  std::expected<AccessKeyPtr, SignatureError> verify(const RequestBuilder& request,
                                                     std::string_view service = kService) {
    std::expected<AccessKeyPtr, SignatureError> out;
    request.with([&](const SignedRequest& view) {
      auto signer = verifier_->verify(view, service);
      if (!signer) {
        out = std::unexpected(std::move(signer.error()));
        return;
      }
      out = std::move(signer->key);
    });
    return out;
  }
  RequestBuilder signed_request() {
    RequestBuilder request;
    return request.sign(kCredentials, kRegion, kService, clock_.wall_now());
  }
  RequestBuilder presigned_request(std::string_view expires = "60") {
    RequestBuilder request;
    request.body.clear();
    return request.presign(kCredentials, kRegion, kService, clock_.wall_now(), expires);
  }
  void expect_refused(const RequestBuilder& request, SignatureErrc code,
                      const ::testing::Matcher<std::string>& message) {
    const auto answer = verify(request);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, code) << answer.error().message;
    EXPECT_THAT(answer.error().message, message);
  }

  ManualClock clock_{kPublishedMoment};
  std::shared_ptr<FixedAccessKeys> keys_;
  AccessKeyPtr key_;
  std::unique_ptr<SigV4Verifier> verifier_;
};

constexpr auto kMissing = SignatureErrc::missing_authentication_token;
constexpr auto kIncomplete = SignatureErrc::incomplete_signature;
constexpr auto kInvalid = SignatureErrc::invalid_signature;
constexpr auto kUnrecognized = SignatureErrc::unrecognized_client;

// A signature over the target's bytes as they are, as old curl makes it.
RequestBuilder signed_by_hand(const std::string& target,
                              const std::pair<std::string, std::string>& date_header,
                              WallTime now) {
  RequestBuilder request;
  request.target = target;
  request.headers = {{"Host", "h"}, date_header};
  const std::string date = format_iso8601_basic(now);
  const std::string date_name = date_header.first == "Date" ? "date" : "x-amz-date";
  const std::string names = date_name == "date" ? "date;host" : "host;x-amz-date";
  const std::string date_line = date_name + ":" + date_header.second + "\n";
  const std::string lines = date_name == "date" ? date_line + "host:h\n" : "host:h\n" + date_line;
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string query = mark < target.size() ? target.substr(mark + 1) : "";
  const std::string canonical = "POST\n" + target.substr(0, mark) + "\n" + query + "\n" + lines +
                                "\n" + names + "\n" + hex_encode(view(sha256(request.body)));
  const std::string scope = date.substr(0, 8) + "/us-east-1/execute-api/aws4_request";
  Digest key = hmac_sha256("AWS4" + kCredentials.secret_access_key, date.substr(0, 8));
  for (const char* part : {"us-east-1", "execute-api", "aws4_request"}) {
    key = hmac_sha256(view(key), part);
  }
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex_encode(view(sha256(canonical)));
  request.headers.emplace_back(
      "Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + scope +
                           ", SignedHeaders=" + names +
                           ", Signature=" + hex_encode(view(hmac_sha256(view(key), to_sign))));
  return request;
}

RequestBuilder signed_raw(const std::string& target, WallTime now) {
  return signed_by_hand(target, {"X-Amz-Date", format_iso8601_basic(now)}, now);
}

// ---- Published examples ------------------------------------------------------------------------

std::string authorization_of(const RequestBuilder& request, std::string_view service) {
  RequestBuilder copy = request;
  copy.sign(kCredentials, kRegion, service, wall_from_micros(kPublishedMoment));
  return *copy.header("Authorization");
}

TEST_F(SigV4, SignsTheExampleOfTheIamUserGuide) {
  RequestBuilder request;
  request.method = "GET";
  request.target = "/?Action=ListUsers&Version=2010-05-08";
  request.headers = {{"Host", "iam.amazonaws.com"},
                     {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = "";
  EXPECT_EQ(authorization_of(request, "iam"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
  request.headers.emplace_back("X-Amz-Date", "20150830T123600Z");
  request.with([](const SignedRequest& view) {
    const std::string canonical =
        canonical_request(view, {"content-type", "host", "x-amz-date"},
                          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex_encode(holdfast::view(sha256(canonical))),
              "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
  });
}

struct Published {
  const char* name;
  const char* method;
  const char* target;
  const char* signature;
};

// From the test suite that AWS publishes for Signature Version 4.
const std::vector<Published>& published() {
  static const std::vector<Published> cases = {
      {"get-vanilla", "GET", "/",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"post-vanilla", "POST", "/",
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1",
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
       "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"}};
  return cases;
}

TEST_F(SigV4, SignsAndAcceptsThePublishedTestSuite) {
  for (const Published& example : published()) {
    RequestBuilder request;
    request.method = example.method;
    request.target = example.target;
    request.headers = {{"Host", "example.amazonaws.com"}};
    request.body = "";
    request.sign(kCredentials, kRegion, "service", clock_.wall_now());
    EXPECT_THAT(*request.header("Authorization"), ::testing::EndsWith(example.signature))
        << example.name;
    EXPECT_TRUE(verify(request, "service")) << example.name;
  }
}

TEST_F(SigV4, AcceptsThePublishedPresignedExample) {
  RequestBuilder request;
  request.method = "GET";
  request.headers = {{"Host", "example.amazonaws.com"}};
  request.body = "";
  request.target =
      "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2F"
      "service%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires="
      "3600&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d";
  EXPECT_TRUE(verify(request, "service"));
}

// ---- Canonical form ----------------------------------------------------------------------------

std::string canonical_of(const std::string& target,
                         std::vector<std::pair<std::string, std::string>> headers = {},
                         const std::vector<std::string>& names = {}) {
  RequestBuilder request;
  request.method = "GET";
  request.target = target;
  request.headers = std::move(headers);
  std::string out;
  request.with([&](const SignedRequest& view) { out = canonical_request(view, names, "hash"); });
  return out;
}

TEST_F(SigV4, EncodesThePathAgainAsItCame) {
  const auto path = [](const std::string& target) {
    const std::string canonical = canonical_of(target);
    const std::size_t begin = canonical.find('\n') + 1;
    return canonical.substr(begin, canonical.find('\n', begin) - begin);
  };
  EXPECT_EQ(path("/prod/@connections/L0SM9cOFvHcCIhw%3D"),
            "/prod/%40connections/L0SM9cOFvHcCIhw%253D");
  EXPECT_EQ(path(""), "/");
  EXPECT_EQ(path("?a=b"), "/");
  EXPECT_EQ(path("/a b/\xc3\xa4"), "/a%20b/%C3%A4");
  EXPECT_EQ(path("//a//b//"), "/a/b/");
  EXPECT_EQ(path("/a/./b/../c"), "/a/c");
  EXPECT_EQ(path("/./"), "/");
  EXPECT_EQ(path("/../../x"), "/x");
  EXPECT_EQ(path("/a/.."), "/");
  EXPECT_EQ(path("/a/."), "/a");
  EXPECT_EQ(path("/.well-known/x"), "/.well-known/x");
  EXPECT_EQ(path("/%2E%2E/a"), "/%252E%252E/a");
  EXPECT_EQ(path("http://host:80/a?b"), "/a");
  EXPECT_EQ(path("/a?b?c"), "/a");
}

TEST_F(SigV4, SortsAndEncodesTheQuery) {
  const auto query = [](const std::string& raw) {
    const std::string canonical = canonical_of("/?" + raw);
    const std::string start = "GET\n/\n";
    return canonical.substr(start.size(), canonical.find('\n', start.size()) - start.size());
  };
  EXPECT_EQ(query("b=2&a=1&a=0"), "a=0&a=1&b=2");
  EXPECT_EQ(query("flag&a"), "a=&flag=");
  EXPECT_EQ(query("a=b+c&d=%2f%7e"), "a=b%2Bc&d=%2F~");
  EXPECT_EQ(query("a=b=c"), "a=b%3Dc");
  EXPECT_EQ(query("Param-3=1&Param=2"), "Param=2&Param-3=1");
  EXPECT_EQ(query("\xc3\xa4=@"), "%C3%A4=%40");
  EXPECT_EQ(query("X-Amz-Signature=x&a=1"), "a=1");
}

TEST_F(SigV4, TrimsAndJoinsHeaders) {
  EXPECT_EQ(
      canonical_of(
          "/", {{"Host", " h:1 "}, {"X-Dup", "  a   b "}, {"x-dup", "\tc\r\n  d"}, {"X-Dup", ""}},
          {"host", "x-dup"}),
      "GET\n/\n\nhost:h:1\nx-dup:a b,c d,\n\nhost;x-dup\nhash");
}

// ---- The order of the checks, row by row -------------------------------------------------------

TEST_F(SigV4, AcceptsAGoodSignatureAndTellsWhoseItIs) {
  const auto answer = verify(signed_request());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, key_);
}

TEST_F(SigV4, AcceptsADateHeaderInPlaceOfXAmzDate) {
  const WallTime now = clock_.wall_now();
  EXPECT_TRUE(verify(signed_by_hand("/message", {"Date", format_iso8601_basic(now)}, now)));
  EXPECT_TRUE(verify(signed_by_hand("/message", {"Date", format_http_date(now)}, now)));
  expect_refused(signed_by_hand("/message", {"Date", "yesterday"}, now), kIncomplete,
                 HasSubstr("ISO-8601"));
}

TEST_F(SigV4, AnswersMissingAuthenticationToken) {
  expect_refused(RequestBuilder{}, kMissing, "Missing Authentication Token");
}

TEST_F(SigV4, RefusesOtherSchemesWithoutRepeatingThem) {
  RequestBuilder request;
  request.headers.emplace_back("Authorization", "Bearer hunter2");
  const auto hash = base64_encode(view(sha256("Bearer hunter2")));
  expect_refused(request, kIncomplete,
                 AllOf(StartsWith("Invalid key=value pair (missing equal-sign)"), HasSubstr(hash),
                       Not(HasSubstr("hunter2"))));
  *request.header("Authorization") = "Basic aHVudGVyMg==";
  expect_refused(request, kIncomplete,
                 AllOf(HasSubstr("'Credential'"), Not(HasSubstr("aHVudGVyMg"))));
  *request.header("Authorization") = "";
  expect_refused(request, kIncomplete, HasSubstr("'Credential'"));
}

TEST_F(SigV4, NamesEachMissingPart) {
  constexpr const char* credential = "Authorization header requires 'Credential' parameter.";
  constexpr const char* signature = "Authorization header requires 'Signature' parameter.";
  constexpr const char* names = "Authorization header requires 'SignedHeaders' parameter.";
  constexpr const char* date = "'X-Amz-Date' or a 'Date' header.";
  RequestBuilder request;
  request.headers.emplace_back("Authorization", "AWS4-HMAC-SHA256");
  expect_refused(
      request, kIncomplete,
      AllOf(HasSubstr(credential), HasSubstr(signature), HasSubstr(names), HasSubstr(date)));
  for (const char* part : {"Credential", "Signature", "SignedHeaders"}) {
    request = signed_request();
    request.replace("Authorization", std::string(part) + "=", "Other=");
    expect_refused(request, kIncomplete,
                   AllOf(HasSubstr("'" + std::string(part) + "' parameter"), Not(HasSubstr(date))));
  }
  request = signed_request();
  request.drop("X-Amz-Date");
  expect_refused(request, kIncomplete, AllOf(HasSubstr(date), Not(HasSubstr(credential))));
}

TEST_F(SigV4, RefusesPartsThatOccurTwice) {
  RequestBuilder request = signed_request();
  *request.header("Authorization") += ", Signature=00";
  expect_refused(request, kIncomplete, HasSubstr("twice"));
  request = signed_request();
  request.headers.emplace_back("authorization", *request.header("Authorization"));
  expect_refused(request, kIncomplete, HasSubstr("more than once"));
  request = signed_request();
  request.headers.emplace_back("x-amz-date", *request.header("X-Amz-Date"));
  expect_refused(request, kIncomplete, HasSubstr("more than once"));
}

TEST_F(SigV4, RefusesOtherAlgorithms) {
  for (const char* algorithm : {"AWS4-ECDSA-P256-SHA256", "AWS4-HMAC-SHA512", "aws4-hmac-sha256",
                                "AWS4-HMAC-SHA256-PAYLOAD"}) {
    RequestBuilder request = signed_request();
    request.replace("Authorization", "AWS4-HMAC-SHA256 ", std::string(algorithm) + " ");
    expect_refused(request, kIncomplete, HasSubstr("'AWS4-HMAC-SHA256'"));
  }
}

TEST_F(SigV4, RefusesDatesInOtherForms) {
  for (const char* date : {"2015-08-30T12:36:00Z", "20150830T123600", "20150830",
                           "Sun, 30 Aug 2015 12:36:00 GMT", "20151330T123600Z", "now"}) {
    RequestBuilder request = signed_request();
    *request.header("X-Amz-Date") = date;
    expect_refused(request, kIncomplete, HasSubstr("ISO-8601"));
  }
}

TEST_F(SigV4, RefusesCredentialsOfFourOrSixParts) {
  for (const char* scope :
       {"20150830/us-east-1/aws4_request", "20150830/us/east/1/aws4_request", "", "/////////"}) {
    RequestBuilder request = signed_request();
    request.replace("Authorization", "20150830/us-east-1/execute-api/aws4_request", scope);
    expect_refused(request, kIncomplete, HasSubstr("exactly 5 slash-delimited elements"));
  }
}

TEST_F(SigV4, RequiresHostToBeSigned) {
  RequestBuilder request = signed_request();
  request.replace("Authorization", "content-type;host;x-amz-date", "content-type;x-amz-date");
  expect_refused(request, kInvalid, HasSubstr("'Host' must be a 'SignedHeader'"));
}

TEST_F(SigV4, RequiresAmzHeadersToBeSigned) {
  for (const char* name : {"X-Amz-Target", "X-AMZ-Meta-Anything", "x-amz-content-sha256x"}) {
    RequestBuilder request = signed_request();
    request.headers.emplace_back(name, "x");
    expect_refused(request, kInvalid,
                   HasSubstr("'" + std::string(name) + "' must be a 'SignedHeader'"));
  }
  RequestBuilder request = signed_request();
  request.headers.emplace_back("X-Amz-Cf-Id", "added by a proxy");
  request.headers.emplace_back("X-Amzn-Trace-Id", "Root=1");
  request.headers.emplace_back("User-Agent", "curl");
  EXPECT_TRUE(verify(request));
  request = signed_request();
  request.replace("Authorization", "host;x-amz-date", "host");
  expect_refused(request, kInvalid, HasSubstr("'X-Amz-Date' must be a 'SignedHeader'"));
}

TEST_F(SigV4, LetsTheBodysHashGoUnsignedSinceTheSignatureCoversIt) {
  const RequestBuilder plain = signed_request();
  const std::string right = hex_encode(view(sha256(plain.body)));
  const auto with = [&plain](std::vector<std::string> values) {
    RequestBuilder request = plain;
    for (std::string& value : values) {
      request.headers.emplace_back("X-Amz-Content-SHA256", std::move(value));
    }
    return request;
  };
  EXPECT_TRUE(verify(with({right})));
  EXPECT_TRUE(verify(with({right, right})));
  std::string capitals = right;
  for (char& c : capitals) c = static_cast<char>(std::toupper(c));
  for (const std::string& wrong :
       {hex_encode(view(sha256("other"))), std::string("UNSIGNED-PAYLOAD"), std::string(), capitals,
        std::string("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), right + "0"}) {
    expect_refused(with({wrong}), kInvalid, HasSubstr("x-amz-content-sha256"));
    expect_refused(with({right, wrong}), kInvalid, HasSubstr("x-amz-content-sha256"));
  }
  RequestBuilder presigned = presigned_request();
  presigned.headers.emplace_back("x-amz-content-sha256", hex_encode(view(sha256(presigned.body))));
  EXPECT_TRUE(verify(presigned));
  presigned.headers.back().second = "UNSIGNED-PAYLOAD";
  expect_refused(presigned, kInvalid, HasSubstr("x-amz-content-sha256"));
}

TEST_F(SigV4, TakesTheHostWithoutAPortThatIsNotTheSchemesOwn) {
  const auto signed_for = [this](const std::string& host, bool presign) {
    RequestBuilder request;
    request.headers = {{"Host", host}};
    if (!presign) return request.sign(kCredentials, kRegion, kService, clock_.wall_now());
    return request.presign(kCredentials, kRegion, kService, clock_.wall_now(), "60");
  };
  for (const bool presign : {false, true}) {
    const auto sent = [&](const std::string& signed_host, const std::string& sent_host) {
      RequestBuilder request = signed_for(signed_host, presign);
      request.headers[0].second = sent_host;
      return verify(request).has_value();
    };
    SCOPED_TRACE(presign ? "presigned" : "in headers");
    EXPECT_TRUE(sent("push.example.com", "push.example.com:8080"));
    EXPECT_TRUE(sent("push.example.com:8080", "push.example.com:8080"));
    EXPECT_TRUE(sent("127.0.0.1", "127.0.0.1:18080"));
    EXPECT_TRUE(sent("[::1]", "[::1]:8080"));
    for (const auto& [signed_host, sent_host] :
         std::initializer_list<std::pair<const char*, const char*>>{
             {"push.example.com:8081", "push.example.com:8080"},
             {"push.example.com:8080", "push.example.com"},
             {"evil.example.com", "push.example.com:8080"},
             {"push.example.com", "push.example.com:8080:8080"},
             {"push.example.com", "push.example.com:80"},
             {"push.example.com", "push.example.com:443"},
             {"push.example.com", "push.example.com:"},
             {"push.example.com", "push.example.com:8080x"},
             {"push.example", "push.example:8080, push.example.com:1"},
             {"[::1", "[::1]"},
             {"::", "::1"}}) {
      EXPECT_FALSE(sent(signed_host, sent_host)) << signed_host << " as " << sent_host;
    }
  }
}

TEST_F(SigV4, TakesARawPlusOfTheQueryForAPlusAndForASpace) {
  const auto sent = [this](const std::string& signed_query, const std::string& sent_query) {
    RequestBuilder request;
    request.target = "/message?" + signed_query;
    request.sign(kCredentials, kRegion, kService, clock_.wall_now());
    request.target = "/message?" + sent_query;
    return verify(request).has_value();
  };
  for (const char* query : {"a=b+c", "a+b=c", "+=+&x", "a=1+2+3&b=%20"}) {
    std::string as_plus(query);
    std::string as_space(query);
    for (const auto& [text, by] : {std::pair(&as_plus, "%2B"), std::pair(&as_space, "%20")}) {
      for (std::size_t at = 0; (at = text->find('+', at)) != std::string::npos;) {
        text->replace(at, 1, by);
      }
    }
    EXPECT_TRUE(sent(as_plus, query)) << query;
    EXPECT_TRUE(sent(as_space, query)) << query;
    EXPECT_FALSE(sent(as_space, as_plus)) << query;
    EXPECT_FALSE(sent(as_plus, as_space)) << query;
    EXPECT_FALSE(sent("a=other", query)) << query;
  }
  EXPECT_FALSE(sent("a=b%20c%20d", "a=b+c%2Bd")) << "an encoded plus is never a space";
  EXPECT_FALSE(sent("a=b%2Bc%20d", "a=b+c+d")) << "one reading for the whole query";
}

TEST_F(SigV4, TakesEachPlusAndTheBareHostTogether) {
  RequestBuilder request;
  request.target = "/message?a=b%20c";
  request.headers = {{"Host", "push.example.com"}};
  request.sign(kCredentials, kRegion, kService, clock_.wall_now());
  request.target = "/message?a=b+c";
  request.headers[0].second = "push.example.com:8080";
  EXPECT_TRUE(verify(request));
}

TEST_F(SigV4, RefusesSignedHeadersThatAreMalformedRepeatedOrAbsent) {
  const auto with_names = [&](const std::string& names) {
    RequestBuilder request = signed_request();
    request.replace("Authorization", "content-type;host;x-amz-date", names);
    return request;
  };
  expect_refused(with_names("host;;x-amz-date"), kIncomplete, HasSubstr("SignedHeaders"));
  expect_refused(with_names("host;x-amz-date;"), kIncomplete, HasSubstr("SignedHeaders"));
  expect_refused(with_names("host;x amz;x-amz-date"), kIncomplete, HasSubstr("SignedHeaders"));
  expect_refused(with_names("host;host;x-amz-date"), kInvalid, HasSubstr("twice"));
  expect_refused(with_names("host;x-absent;x-amz-date"), kInvalid, HasSubstr("does not match"));
  std::string many = "host;x-amz-date";
  for (int i = 0; i < 5000; ++i) many += ";h" + std::to_string(i);
  expect_refused(with_names(many), kIncomplete, HasSubstr("100"));
}

TEST_F(SigV4, AcceptsFiveMinutesOfDriftOnEitherSideAndNoMore) {
  const RequestBuilder request = signed_request();
  clock_.advance(Seconds(300));
  EXPECT_TRUE(verify(request));
  clock_.advance(Seconds(1));
  expect_refused(request, kInvalid,
                 "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z "
                 "(20150830T124101Z - 5 min.)");
  clock_.advance(Seconds(-601));
  EXPECT_TRUE(verify(request));
  clock_.advance(Seconds(-1));
  expect_refused(request, kInvalid,
                 "Signature not yet current: 20150830T123600Z is still later than "
                 "20150830T123559Z (20150830T123059Z + 5 min.)");
}

TEST_F(SigV4, SaysWhatIsWrongWithTheScope) {
  const auto scoped = [&](const std::string& scope) {
    RequestBuilder request = signed_request();
    request.replace("Authorization", "20150830/us-east-1/execute-api/aws4_request", scope);
    return request;
  };
  expect_refused(scoped("20150830/eu-west-1/execute-api/aws4_request"), kInvalid,
                 "Credential should be scoped to a valid region, which is 'us-east-1'.");
  expect_refused(scoped("20150830/us-east-1/s3/aws4_request"), kInvalid,
                 "Credential should be scoped to correct service: 'execute-api'.");
  expect_refused(scoped("20150830/us-east-1/execute-api/aws5_request"), kInvalid,
                 "Credential should be scoped with a valid terminator: 'aws4_request'.");
  expect_refused(scoped("20150829/us-east-1/execute-api/aws4_request"), kInvalid,
                 StartsWith("Date in Credential scope does not match YYYYMMDD"));
  expect_refused(scoped("x/y/z/t"), kInvalid,
                 AllOf(HasSubstr("region"), HasSubstr("service"), HasSubstr("terminator"),
                       HasSubstr("YYYYMMDD")));
}

TEST_F(SigV4, DoesNotKnowUnknownOrDisabledKeysWhateverTheirSignature) {
  constexpr const char* message = "The security token included in the request is invalid.";
  RequestBuilder request;
  request.sign({"AKIAUNKNOWN", "x", ""}, kRegion, kService, clock_.wall_now());
  expect_refused(request, kUnrecognized, message);
  keys_->set(kCredentials.access_key_id, kCredentials.secret_access_key, false);
  expect_refused(signed_request(), kUnrecognized, message);
  request = signed_request();
  request.body += " ";
  expect_refused(request, kUnrecognized, message);
}

TEST_F(SigV4, DoesNotKnowSessionTokensOfPermanentKeys) {
  RequestBuilder request;
  Credentials credentials = kCredentials;
  credentials.session_token = "tok/+=";
  request.sign(credentials, kRegion, kService, clock_.wall_now());
  expect_refused(request, kUnrecognized, HasSubstr("security token"));

  request = RequestBuilder{};
  request.presign(credentials, kRegion, kService, clock_.wall_now(), "60");
  expect_refused(request, kUnrecognized, HasSubstr("security token"));
}

TEST_F(SigV4, RefusesWrongSignaturesWithoutSayingWhatWouldBeRight) {
  const RequestBuilder good = signed_request();
  const std::string signature = good.headers.back().second.substr(
      good.headers.back().second.find("Signature=") + std::string_view("Signature=").size());
  RequestBuilder request = good;
  request.body += "x";
  expect_refused(request, kInvalid,
                 AllOf(StartsWith("The request signature we calculated does not match"),
                       Not(HasSubstr(kCredentials.secret_access_key))));
  for (const std::string& wrong :
       {std::string("00"), signature + "0", std::string(64, '0'), std::string(100'000, 'a')}) {
    request = good;
    request.replace("Authorization", signature, wrong);
    expect_refused(request, kInvalid, Not(HasSubstr(signature)));
  }
}

TEST_F(SigV4, RefusesAnUploadThatWasSignedAsAnEmptyBody) {
  RequestBuilder request;
  request.body.clear();
  request.sign(kCredentials, kRegion, kService, clock_.wall_now());
  request.body = R"({"userId":"u","message":"m"})";
  expect_refused(request, kInvalid, HasSubstr("does not match"));
}

TEST_F(SigV4, HoldsTheContentHashAgainstTheBody) {
  const auto with_hash = [&](const std::string& hash) {
    RequestBuilder request;
    request.headers.emplace_back("X-Amz-Content-Sha256", hash);
    return request.sign(kCredentials, kRegion, kService, clock_.wall_now());
  };
  const std::string good = hex_encode(view(sha256(RequestBuilder{}.body)));
  EXPECT_TRUE(verify(with_hash(good)));
  for (const std::string& hash :
       {std::string("UNSIGNED-PAYLOAD"), std::string("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        hex_encode(view(sha256(""))), std::string(), good + good}) {
    expect_refused(with_hash(hash), kInvalid, HasSubstr("x-amz-content-sha256"));
  }
  RequestBuilder request = with_hash(good);
  request.body += " ";
  expect_refused(request, kInvalid, HasSubstr("x-amz-content-sha256"));
}

TEST_F(SigV4, ForgetsDerivedKeysWhenASecretChanges) {
  EXPECT_TRUE(verify(signed_request()));
  keys_->set(kCredentials.access_key_id, "another secret");
  EXPECT_FALSE(verify(signed_request()));
  RequestBuilder request;
  request.sign({kCredentials.access_key_id, "another secret", ""}, kRegion, kService,
               clock_.wall_now());
  EXPECT_TRUE(verify(request));
}

TEST_F(SigV4, ManyKeysShareTheBoundedCache) {
  constexpr int count = 3000;
  for (int i = 0; i < count; ++i) {
    const Credentials credentials{"AKIA" + std::to_string(i), "s" + std::to_string(i), ""};
    const auto key = keys_->set(credentials.access_key_id, credentials.secret_access_key);
    RequestBuilder request;
    request.sign(credentials, kRegion, kService, clock_.wall_now());
    const auto answer = verify(request);
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, key);
  }
}

// ---- Presigned ---------------------------------------------------------------------------------

TEST_F(SigV4, AcceptsPresignedRequestsUntilTheyExpire) {
  const RequestBuilder request = presigned_request("3600");
  EXPECT_TRUE(verify(request));
  clock_.advance(Seconds(3600));
  EXPECT_TRUE(verify(request));
  clock_.advance(Seconds(1));
  expect_refused(request, kInvalid, StartsWith("Signature expired: 20150830T123600Z"));
  clock_.advance(Seconds(-3600 - 302));
  expect_refused(request, kInvalid, StartsWith("Signature not yet current"));
}

TEST_F(SigV4, LetsAPresignedRequestThatMayChangeSomethingLiveShortly) {
  verifier_ = std::make_unique<SigV4Verifier>(SigV4Options{}, clock_, keys_);
  for (const char* method : {"POST", "DELETE", "PUT"}) {
    const auto presigned = [&](std::string_view expires) {
      RequestBuilder request;
      request.method = method;
      return request.presign(kCredentials, kRegion, kService, clock_.wall_now(), expires);
    };
    EXPECT_TRUE(verify(presigned("300"))) << method;
    expect_refused(presigned("301"), kIncomplete,
                   HasSubstr("at most 300 seconds for " + std::string(method)));
  }
  RequestBuilder request;
  request.method = "GET";
  EXPECT_TRUE(
      verify(request.presign(kCredentials, kRegion, kService, clock_.wall_now(), "604800")));
}

TEST_F(SigV4, TellsWhichSignatureItWas) {
  const auto signature_of = [this](const RequestBuilder& request) {
    Signature out;
    request.with([&](const SignedRequest& view) {
      auto signer = verifier_->verify(view, kService);
      ASSERT_TRUE(signer) << signer.error().message;
      out = signer->signature;
    });
    return out;
  };
  const RequestBuilder first = signed_request();
  const std::string authorization = *RequestBuilder(first).header("Authorization");
  EXPECT_EQ(hex_encode(view(signature_of(first).bytes)),
            authorization.substr(authorization.find("Signature=") + 10));
  EXPECT_EQ(signature_of(first).date, clock_.wall_now());
  EXPECT_EQ(signature_of(first).bytes, signature_of(signed_request()).bytes);
  clock_.advance(Seconds(1));
  EXPECT_NE(signature_of(first).bytes, signature_of(signed_request()).bytes);
}

TEST_F(SigV4, HashesTheBodyOfAPresignedRequest) {
  RequestBuilder request = presigned_request();
  request.body = "smuggled";
  expect_refused(request, kInvalid, HasSubstr("does not match"));
}

TEST_F(SigV4, NamesTheMissingParametersOfAPresignedRequest) {
  for (const char* name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date",
                           "X-Amz-SignedHeaders", "X-Amz-Expires"}) {
    RequestBuilder request = presigned_request();
    request.target.replace(request.target.find(std::string(name) + "="),
                           std::string_view(name).size(), "Other");
    expect_refused(request, kIncomplete, HasSubstr("'" + std::string(name) + "'"));
  }
}

TEST_F(SigV4, RefusesDuplicateParametersHoweverTheyAreSpelt) {
  for (const char* extra : {"&X-Amz-Date=20150830T123600Z", "&X%2dAmz-Expires=60",
                            "&X-Amz-Signature", "&X-Amz-Credential=x"}) {
    RequestBuilder request = presigned_request();
    request.target += extra;
    expect_refused(request, kIncomplete, HasSubstr("more than once"));
  }
}

TEST_F(SigV4, RefusesLifetimesOutOfRange) {
  for (const char* expires : {"0", "-1", "604801", "99999999999999999999", "1e3", "60s", "+60"}) {
    expect_refused(presigned_request(expires), kIncomplete, HasSubstr("X-Amz-Expires"));
  }
  EXPECT_TRUE(verify(presigned_request("604800")));
  EXPECT_TRUE(verify(presigned_request("1")));
}

TEST_F(SigV4, RefusesHeaderAndQuerySignaturesTogether) {
  RequestBuilder request = presigned_request();
  request.sign(kCredentials, kRegion, kService, clock_.wall_now());
  expect_refused(request, kIncomplete, HasSubstr("not in both"));
}

TEST_F(SigV4, ChecksPresignedRequestsInTheSameOrder) {
  const auto changed = [&](const std::string& from, const std::string& to) {
    RequestBuilder request = presigned_request();
    request.target.replace(request.target.find(from), from.size(), to);
    return request;
  };
  expect_refused(changed("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), kIncomplete,
                 HasSubstr("X-Amz-Algorithm"));
  expect_refused(changed("20150830T123600Z", "2015-08-30"), kIncomplete, HasSubstr("ISO-8601"));
  expect_refused(changed("us-east-1%2F", ""), kIncomplete, HasSubstr("exactly 5"));
  expect_refused(changed("SignedHeaders=host", "SignedHeaders=date"), kInvalid,
                 HasSubstr("'Host'"));
  expect_refused(changed("us-east-1", "us-west-1"), kInvalid, HasSubstr("region"));
  expect_refused(changed("AKIDEXAMPLE", "AKIDUNKNOWN"), kUnrecognized, HasSubstr("security token"));
  RequestBuilder request = presigned_request();
  request.headers.emplace_back("x-amz-target", "x");
  expect_refused(request, kInvalid, HasSubstr("x-amz-target"));
}

// ---- curl's raw reading ------------------------------------------------------------------------

TEST_F(SigV4, AcceptsTheTargetAsOldCurlSignsIt) {
  for (const char* target : {"/prod/@connections/ID=", "/prod/@connections/ID%3D", "/a?b=2&a=1",
                             "/a?flag", "/a?x=a+b&y=/:@", "/a?x=%2f", "//a/./b"}) {
    const RequestBuilder request = signed_raw(target, clock_.wall_now());
    EXPECT_TRUE(verify(request)) << target;
    RequestBuilder changed = request;
    changed.target += "x";
    EXPECT_FALSE(verify(changed)) << target;
    changed = request;
    changed.body += "x";
    EXPECT_FALSE(verify(changed)) << target;
  }
}

TEST_F(SigV4, GivesNoSignatureASecondMeaning) {
  // Signed the standard way for one path, and sent with that path's canonical form instead.
  RequestBuilder request;
  request.target = "/prod/@connections/abc%3D";
  request.sign(kCredentials, kRegion, kService, clock_.wall_now());
  ASSERT_TRUE(verify(request));
  request.target = "/prod/%40connections/abc%253D";
  expect_refused(request, kInvalid, HasSubstr("does not match"));
}

TEST_F(SigV4, DoesNotTakeControlCharactersForTheRawReading) {
  const RequestBuilder request = signed_raw("/a\nb", clock_.wall_now());
  expect_refused(request, kInvalid, HasSubstr("does not match"));
}

// ---- Odd requests ------------------------------------------------------------------------------

class OddRequests {
 public:
  explicit OddRequests(std::uint32_t seed) : random_(seed) {}

  RequestBuilder next() {
    RequestBuilder request;
    request.method = pick({"GET", "POST", "DELETE", "PUT"});
    request.target = "/" + mix(kPathPieces, 8);
    if (chance(70)) request.target += "?" + mix(kQueryPieces, 10);
    request.headers = {{pick({"Host", "host", "HOST"}), "127.0.0.1:8080"}};
    const std::uint32_t headers = below(4);
    for (std::uint32_t i = 0; i < headers; ++i) {
      request.headers.emplace_back(pick({"X-Custom", "x-custom", "Content-Type", "X-Other"}),
                                   mix(kValuePieces, 6));
    }
    request.body = random_bytes_text(below(200));
    return request;
  }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

 private:
  using Pieces = std::vector<std::string>;
  inline static const Pieces kPathPieces = {"a",   "B",   "/", "//",  ".",    "..",       "%41",
                                            "%25", "%2F", "@", "=",   "~",    "\xc3\xa4", "%C3%A4",
                                            "+",   "*",   "!", "/./", "/../", "%20",      ":"};
  inline static const Pieces kQueryPieces = {"a", "b=", "=", "&", "c=%20", "+",   "%2B", "%C3%A4",
                                             "Z", "0",  "-", "/", "@",     "%7E", "~",   "d=e&"};
  inline static const Pieces kValuePieces = {"v",        " ",        "   ", "\t", ",",
                                             "\"a  b\"", "\xc3\xbc", ";",   "="};

  bool chance(std::uint32_t percent) { return below(100) < percent; }
  std::string pick(const Pieces& from) {
    return from.at(below(static_cast<std::uint32_t>(from.size())));
  }
  std::string mix(const Pieces& from, std::uint32_t count_max) {
    std::string out;
    for (std::uint32_t i = below(count_max + 1); i > 0; --i) out += pick(from);
    return out;
  }
  std::string random_bytes_text(std::uint32_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(below(256));
    return out;
  }

  std::mt19937 random_;
};

std::string canonical_target(const RequestBuilder& request) {
  std::string out;
  request.with([&](const SignedRequest& view) { out = canonical_request(view, {}, ""); });
  return out;
}

TEST_F(SigV4, AcceptsOddRequestsAndRefusesThemWithOneByteChanged) {
  constexpr std::uint32_t seeds = 3000;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    OddRequests odd(seed);
    RequestBuilder request = odd.next();
    request.sign(kCredentials, kRegion, kService, clock_.wall_now());
    const auto answer = verify(request);
    ASSERT_TRUE(answer) << request.target << ": " << answer.error().message;

    const auto change = [&](std::string& text) {
      char& c = text.at(odd.below(static_cast<std::uint32_t>(text.size())));
      const char before = c;
      while (c == before) c = static_cast<char>(33 + odd.below(94));
    };
    RequestBuilder changed = request;
    change(changed.target);
    // `/./` and `///`, or `%41` and `A`, are spellings of the same thing.
    if (canonical_target(changed) != canonical_target(request)) {
      EXPECT_FALSE(verify(changed)) << request.target << " -> " << changed.target;
    }
    changed = request;
    auto& header =
        changed.headers.at(odd.below(static_cast<std::uint32_t>(request.headers.size())));
    if (!header.second.empty() && header.second.find_first_of(" \t") == std::string::npos) {
      change(header.second);
      EXPECT_FALSE(verify(changed)) << header.first << ": " << header.second;
    }
    if (!request.body.empty()) {
      changed = request;
      change(changed.body);
      EXPECT_FALSE(verify(changed));
    }
    changed = request;
    changed.method += "X";
    EXPECT_FALSE(verify(changed));
  }
}

}  // namespace
}  // namespace holdfast::iam
