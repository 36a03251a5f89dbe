// Tests HTTP/1.1 over real sockets: requests, refusals, deadlines and limits.

#include <algorithm>
#include <array>
#include <cctype>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/base/manual_clock.hpp"
#include "support/base/temp_dir.hpp"
#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using test::FakeService;
using test::RawClient;
using test::RawResponse;
using test::TestServer;

struct BadRequest {
  const char* name;
  std::string bytes;
  int status;
};

class BadRequestsTest : public testing::TestWithParam<BadRequest> {};

// The request behind the bad one must never be served.
TEST_P(BadRequestsTest, GetsAnErrorAndEndsTheConnection) {
  const auto service = std::make_shared<FakeService>();
  TestServer server(service);
  RawClient client(server.address());
  ASSERT_TRUE(client.send(GetParam().bytes + "GET /next HTTP/1.1\r\nHost: test\r\n\r\n"));
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, GetParam().status);
  EXPECT_EQ(response->header("connection"), "close");
  EXPECT_FALSE(response->header("date").empty());
  EXPECT_TRUE(client.ends());
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(client.pending(), "");
}

std::string post(const std::string& headers, const std::string& body = "") {
  return "POST /message HTTP/1.1\r\nHost: test\r\n" + headers + "\r\n" + body;
}

std::string own_name(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

std::string chunk(const std::string& chunks) {
  return post("Transfer-Encoding: chunked\r\n", chunks);
}

std::string many_headers(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += "X" + std::to_string(i) + ":\r\n";
  return all;
}

INSTANTIATE_TEST_SUITE_P(
    Framing, BadRequestsTest,
    testing::Values(
        BadRequest{"LengthThenChunked",
                   post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        BadRequest{"ChunkedThenLength",
                   post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
        BadRequest{"TwoLengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400},
        BadRequest{"ListOfLengths", post("Content-Length: 5, 5\r\n", "hello"), 400},
        BadRequest{"NegativeLength", post("Content-Length: -1\r\n"), 400},
        BadRequest{"SignedLength", post("Content-Length: +5\r\n", "hello"), 400},
        BadRequest{"HexLength", post("Content-Length: 0x5\r\n", "hello"), 400},
        BadRequest{"EmptyLength", post("Content-Length: \r\n"), 400},
        BadRequest{"LengthOver64Bits", post("Content-Length: 18446744073709551616\r\n"), 400},
        BadRequest{"LengthOverTheLimit", post("Content-Length: 18446744073709551615\r\n"), 413},
        BadRequest{"ChunkedOnHttp10",
                   "POST / HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                   400},
        BadRequest{"XChunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
        BadRequest{"GzipChunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
        BadRequest{"ChunkedGzip", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), 501},
        BadRequest{"ChunkedWithParameter", post("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n"),
                   501},
        BadRequest{"CodingThatIsNone", post("Transfer-Encoding: a b\r\n", "0\r\n\r\n"), 400},
        BadRequest{"CodingMissing", post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), 400},
        BadRequest{"CodingEmpty", post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400},
        BadRequest{"CodingInQuotes", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
        BadRequest{
            "ChunkedTwice",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        BadRequest{"ChunkedListedTwice",
                   post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400},
        BadRequest{"ChunkWithoutSize", post("Transfer-Encoding: chunked\r\n", "\r\n"), 400},
        BadRequest{"ChunkSizeOverflow",
                   post("Transfer-Encoding: chunked\r\n", "11111111111111111\r\n"), 400},
        BadRequest{"ChunkOverTheLimit",
                   post("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n"), 413},
        BadRequest{"ChunkWithBareLf", post("Transfer-Encoding: chunked\r\n", "1\na\r\n0\r\n\r\n"),
                   400},
        BadRequest{"ChunkWithoutItsEnd",
                   post("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"), 400},
        BadRequest{"ChunkExtensionBare", chunk("1;\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionBracket", chunk("1;[\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionBareBetween", chunk("1;a;;b\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionWithoutName", chunk("1;=b\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionWithoutValue", chunk("1;a=\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionTwoValues", chunk("1;a=b=c\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionTwoWords", chunk("1;a b\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionOpenQuote", chunk("1;a=\"b\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionBehindQuote", chunk("1;a=\"b\"c\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionBareCr", chunk("1;a\rb\r\na\r\n"), 400},
        BadRequest{"ChunkExtensionBareLf", chunk("1;a\na\r\n"), 400},
        BadRequest{"ChunkExtensionSpaceAtTheEnd", chunk("1;a \r\na\r\n"), 400},
        BadRequest{"ChunkSpaceBehindTheSize", chunk("1 \r\na\r\n"), 400},
        BadRequest{"ChunkSpaceInTheSize", chunk("1 0;a\r\na\r\n"), 400},
        BadRequest{"ChunkSpaceAndAName", chunk("1 a\r\na\r\n"), 400},
        BadRequest{"ChunkSpaceBeforeTheSize", chunk(" 1\r\na\r\n"), 400},
        BadRequest{"ChunkSizeInHexNotation", chunk("0x1\r\na\r\n"), 400},
        BadRequest{"TrailerWithoutColon", chunk("0\r\nabc\r\n\r\n"), 400},
        BadRequest{"TrailerWithoutName", chunk("0\r\n: b\r\n\r\n"), 400},
        BadRequest{"TrailerSpaceBeforeColon", chunk("0\r\na : b\r\n\r\n"), 400},
        BadRequest{"TrailerFolded", chunk("0\r\na: b\r\n c: d\r\n\r\n"), 400},
        BadRequest{"TrailerBareLf", chunk("0\r\na: b\n\r\n"), 400},
        BadRequest{"TrailerNul", chunk(std::string("0\r\na: \0\r\n\r\n", 11)), 400},
        BadRequest{"TrailerIsARequest", chunk("0\r\nGET / HTTP/1.1\r\n\r\n"), 400},
        BadRequest{"Trailers101", chunk("0\r\n" + many_headers(101) + "\r\n"), 400},
        BadRequest{"ChunkExtensionsWithoutEnd",
                   post("Transfer-Encoding: chunked\r\n", "1;" + std::string(70'000, 'x')), 400},
        BadRequest{"TrailersWithoutEnd",
                   post("Transfer-Encoding: chunked\r\n", "0\r\n" + many_headers(20'000)), 400}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Headers, BadRequestsTest,
    testing::Values(
        BadRequest{"FoldedHeader", post("A: b\r\n c\r\n"), 400},
        BadRequest{"FoldedFirstHeader", "GET / HTTP/1.1\r\n A: b\r\nHost: test\r\n\r\n", 400},
        BadRequest{"BareLf", "GET / HTTP/1.1\nHost: test\n\n", 400},
        BadRequest{"BareLfInTheMiddle", "GET / HTTP/1.1\r\nA: b\nHost: test\r\n\r\n", 400},
        BadRequest{"BareCr", post("A: b\rc\r\n"), 400},
        BadRequest{"BareCrInRequestLine", "GET /\r HTTP/1.1\r\nHost: test\r\n\r\n", 400},
        BadRequest{"NulInValue", post(std::string("A: b\0c\r\n", 8)), 400},
        BadRequest{"NulInName", post(std::string("A\0: b\r\n", 7)), 400},
        BadRequest{"NulInTarget", std::string("GET /\0 HTTP/1.1\r\nHost: test\r\n\r\n", 32), 400},
        BadRequest{"SpaceBeforeColon", post("A : b\r\n"), 400},
        BadRequest{"NoColon", post("abc\r\n"), 400}, BadRequest{"EmptyName", post(": b\r\n"), 400},
        BadRequest{"MissingHost", "GET / HTTP/1.1\r\n\r\n", 400},
        BadRequest{"MissingHostOnHttp10", "GET / HTTP/1.0\r\n\r\n", 400},
        BadRequest{"DuplicateHost", post("Host: test\r\n"), 400},
        BadRequest{"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
        BadRequest{"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        BadRequest{"DuplicateAuthorization", post("Authorization: a\r\nauthorization: a\r\n"), 400},
        BadRequest{"DuplicateAmzDate", post("X-Amz-Date: a\r\nx-amz-date: a\r\n"), 400},
        BadRequest{"OtherAuthority", "GET http://other/ HTTP/1.1\r\nHost: test\r\n\r\n", 400},
        BadRequest{"UserInAuthority", "GET http://a@test/ HTTP/1.1\r\nHost: test\r\n\r\n", 400},
        BadRequest{"OtherScheme", "GET ftp://test/ HTTP/1.1\r\nHost: test\r\n\r\n", 400},
        BadRequest{"ConnectAuthority", "CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n", 400},
        BadRequest{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        BadRequest{"Http2", "GET / HTTP/2.0\r\nHost: test\r\n\r\n", 505},
        BadRequest{"Http3", "GET / HTTP/3.0\r\nHost: test\r\n\r\n", 505},
        BadRequest{"Http09", "GET / HTTP/0.9\r\nHost: test\r\n\r\n", 505},
        BadRequest{"VersionWithoutMinor", "GET / HTTP/2\r\nHost: test\r\n\r\n", 400},
        BadRequest{"VersionOfTwoDigits", "GET / HTTP/1.10\r\nHost: test\r\n\r\n", 400},
        BadRequest{"VersionInLowerCase", "GET / http/1.1\r\nHost: test\r\n\r\n", 400},
        BadRequest{"NoVersion", "GET /\r\nHost: test\r\n\r\n", 400},
        BadRequest{"TwoSpaces", "GET  / HTTP/1.1\r\nHost: test\r\n\r\n", 400},
        BadRequest{"BareLfFirst", "\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", 400},
        BadRequest{"SpaceFirst", " \r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", 400},
        BadRequest{"EmptyLinesWithoutEnd", repeated("\r\n", 50), 400},
        BadRequest{"TlsHello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\n", 9), 400},
        BadRequest{"MethodWithoutEnd", std::string(64 << 10, 'A'), 400},
        BadRequest{"Header64KiB", post("A: " + std::string(64 << 10, 'x') + "\r\n"), 431},
        BadRequest{"Header64KiBWithoutEnd", post("A: " + std::string(64 << 10, 'x')), 431},
        BadRequest{"Headers5000", post(many_headers(5000)), 431},
        BadRequest{"Target64KiB",
                   "GET /" + std::string(64 << 10, 'x') + " HTTP/1.1\r\nHost: test\r\n\r\n", 414},
        BadRequest{"Target9KiB",
                   "GET /" + std::string(9 << 10, 'x') + " HTTP/1.1\r\nHost: test\r\n\r\n", 414},
        BadRequest{"OtherExpectation", post("Expect: 200-maybe\r\n"), 417}),
    [](const auto& info) { return info.param.name; });

struct OddRequest {
  const char* name;
  std::string bytes;
  std::string answer;
};
class OddRequestsTest : public testing::TestWithParam<OddRequest> {};

// Once whole and once byte by byte: nothing may depend on how it is cut.
TEST_P(OddRequestsTest, GetsAnAnswer) {
  TestServer server(std::make_shared<FakeService>());
  for (const bool cut : {false, true}) {
    RawClient client(server.address());
    const std::string& bytes = GetParam().bytes;
    for (std::size_t i = 0; i < bytes.size(); i += cut ? 1 : bytes.size()) {
      ASSERT_TRUE(client.send(std::string_view(bytes).substr(i, cut ? 1 : bytes.size())));
    }
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200) << response->body;
    EXPECT_EQ(response->body, GetParam().answer);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, OddRequestsTest,
    testing::Values(
        OddRequest{"EmptyLineFirst", "\r\n" + post("Content-Length: 1\r\n", "a"), "/message|a"},
        OddRequest{"EmptyLinesFirst", "\r\n\r\n\r\n" + post(""), "/message|"},
        OddRequest{"Http12", "GET /a HTTP/1.2\r\nHost: test\r\n\r\n", "/a|"},
        OddRequest{"Http19", "GET /a HTTP/1.9\r\nHost: test\r\n\r\n", "/a|"},
        OddRequest{"ChunkedInCapitals",
                   post("Transfer-Encoding: CHUNKED\r\n", "1\r\na\r\n0\r\n\r\n"), "/message|a"},
        OddRequest{"Extensions", chunk("1;a;b=c;d=\"e;\\\"\"\r\na\r\n0;f\r\n\r\n"), "/message|a"},
        OddRequest{"ExtensionsWithSpaces", chunk("1; a = b ; c\t=\t\"d\"\r\na\r\n0\r\n\r\n"),
                   "/message|a"},
        OddRequest{"SpacesBeforeExtensions", chunk("1 ;a\r\na\r\n0\t ;b=c\r\n\r\n"), "/message|a"},
        OddRequest{"Trailers", chunk("1\r\na\r\n0\r\nX-Sum: 1\r\nEmpty:\r\n\r\n"), "/message|a"},
        OddRequest{"TrailerThatFrames",
                   chunk("1\r\na\r\n0\r\nContent-Length: 9\r\nHost: other\r\n\r\n"), "/message|a"}),
    [](const auto& info) { return info.param.name; });

// A client that ends its bodies with an empty line has begun no other request.
TEST(HttpTest, StaysIdleBehindAnEmptyLine) {
  HttpLimits limits;
  limits.header_timeout = Milliseconds(50);
  TestServer server(std::make_shared<FakeService>(), 1, limits);
  RawClient client(server.address());
  ASSERT_TRUE(client.send(post("Content-Length: 1\r\n", "a") + "\r\n"));
  EXPECT_EQ(client.read_response()->body, "/message|a");
  EXPECT_FALSE(client.ends(Milliseconds(300))) << client.pending();
  ASSERT_TRUE(client.send("GET /next HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_EQ(client.read_response()->body, "/next|");
}

TEST(HttpTest, ServesHttp10WithoutAHostWhereTheServiceDoes) {
  class Health : public FakeService {
   public:
    bool serves_without_host(const RequestHead& head) const override {
      return head.target == "/readyz";
    }
  };
  TestServer server(std::make_shared<Health>());
  const auto status = [&](const std::string& request) {
    RawClient client(server.address());
    client.send(request);
    const auto response = client.read_response(RawClient::kPatience, request.starts_with("HEAD"));
    return response ? response->status : 0;
  };
  EXPECT_EQ(status("GET /readyz HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(status("HEAD /readyz HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(status("GET /other HTTP/1.0\r\n\r\n"), 400);
  EXPECT_EQ(status("GET /readyz HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status("GET /readyz HTTP/1.0\r\nHost:\r\n\r\n"), 400);
  EXPECT_EQ(status("GET http://test/readyz HTTP/1.0\r\n\r\n"), 400);
}

TEST(HttpTest, TakesAnEmptyHostOverAUnixSocketAlone) {
  const test::TempDir directory;
  TestServer local(std::make_shared<FakeService>(), 1, {}, "unix:" + directory.file("socket"));
  TestServer remote(std::make_shared<FakeService>());
  const auto status = [](const TestServer& server, const std::string& headers) {
    RawClient client(server.address());
    client.send("GET / HTTP/1.1\r\n" + headers + "\r\n");
    const auto response = client.read_response();
    return response ? response->status : 0;
  };
  EXPECT_EQ(status(local, "Host:\r\n"), 200);
  EXPECT_EQ(status(local, "Host: test\r\n"), 200);
  EXPECT_EQ(status(remote, "Host:\r\n"), 400);
  for (const char* headers : {"", "Host:\r\nHost:\r\n", "Host: a/b\r\n"}) {
    EXPECT_EQ(status(local, headers), 400) << headers;
  }
}

// Whatever net or a service answers, a browser is told what not to do with it.
TEST(HttpTest, AddsWhatKeepsBrowsersSafeToEveryAnswer) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request request, Responder respond) {
    if (request.head.target == "/own") {
      return respond({.headers = {{"cache-control", "max-age=5"},
                                  {"CONTENT-SECURITY-POLICY", "default-src 'self'"}}});
    }
    respond({.status = request.head.target == "/204" ? 204 : 200});
  };
  TestServer server(service);
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost: test\r\n\r\n", "HEAD /204 HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", "rubbish\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"}) {
    RawClient client(server.address());
    ASSERT_TRUE(client.send(request));
    const auto response = client.read_response(RawClient::kPatience, true);
    ASSERT_TRUE(response) << request;
    EXPECT_EQ(response->header("cache-control"), "no-store") << request;
    EXPECT_EQ(response->header("x-content-type-options"), "nosniff") << request;
    EXPECT_EQ(response->header("content-security-policy"),
              "default-src 'none'; frame-ancestors 'none'")
        << request;
    EXPECT_EQ(response->header("strict-transport-security"), "") << request;
  }
  RawClient client(server.address());
  ASSERT_TRUE(client.send("GET /own HTTP/1.1\r\nHost: test\r\n\r\n"));
  const auto own = client.read_response();
  ASSERT_TRUE(own);
  const auto count = [&own](const std::string& name) {
    return std::ranges::count_if(own->headers, [&name](const auto& header) {
      return header.first.size() == name.size() && own_name(header.first) == name;
    });
  };
  EXPECT_EQ(count("cache-control"), 1);
  EXPECT_EQ(count("content-security-policy"), 1);
  EXPECT_EQ(own->header("content-security-policy"), "default-src 'self'");
}

TEST(HttpTest, AnswersWithDateAndLengthAndKeepsTheConnection) {
  TestServer server(std::make_shared<FakeService>());
  RawClient client(server.address());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send(post("Content-Length: 5\r\n", "hello")));
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "/message|hello");
    EXPECT_EQ(response->header("content-length"), "14");
    EXPECT_TRUE(response->header("date").ends_with(" GMT"));
    EXPECT_EQ(response->header("connection"), "");
  }
}

TEST(HttpTest, KeepsTheHeadersAsTheyCame) {
  const auto service = std::make_shared<FakeService>();
  RequestHead seen;
  service->on_handle = [&](Request request, Responder respond) {
    seen = request.head;
    respond({});
  };
  TestServer server(service);
  RawClient client(server.address());
  ASSERT_TRUE(
      client.send("GET http://TEST:80/a%20b//c?q=%41&&x HTTP/1.1\r\nHOST: test\r\n"
                  "x-One:  a  b \r\nX-one:\tc\t\r\nEmpty:\r\n\r\n"));
  ASSERT_TRUE(client.read_response());
  using Header = std::pair<std::string, std::string>;
  EXPECT_EQ(seen.headers, (std::vector<Header>{
                              {"HOST", "test"}, {"x-One", "a  b"}, {"X-one", "c"}, {"Empty", ""}}));
  EXPECT_EQ(seen.target, "/a%20b//c?q=%41&&x");
  EXPECT_EQ(seen.path(), "/a%20b//c");
  EXPECT_EQ(seen.query(), "q=%41&&x");
  EXPECT_EQ(*seen.header("X-ONE"), "a  b");
  EXPECT_EQ(seen.remote_address, "127.0.0.1");
}

TEST(HttpTest, AnswersPipelinedRequestsInOrder) {
  const auto service = std::make_shared<FakeService>();
  std::vector<std::pair<std::string, Responder>> waiting;
  service->on_handle = [&](Request request, Responder respond) {
    if (request.head.target != "/later") {
      return respond({.body = request.head.target});
    }
    waiting.emplace_back(request.head.target, std::move(respond));
  };
  TestServer server(service);
  RawClient client(server.address());
  std::string requests;
  for (const char* target : {"/1", "/later", "/2", "/later", "/3"}) {
    requests += std::string("GET ") + target + " HTTP/1.1\r\nHost: test\r\n\r\n";
  }
  ASSERT_TRUE(client.send(requests));
  EXPECT_EQ(client.read_response()->body, "/1");
  for (const char* next : {"/2", "/3"}) {
    EXPECT_FALSE(client.read_response(Milliseconds(20)));
    server.run_on(0, [&] {
      ASSERT_EQ(waiting.size(), 1U);
      Responder respond = std::move(waiting[0].second);
      waiting.clear();
      respond({.body = "later"});
      EXPECT_TRUE(waiting.empty()) << "the next request was handled inside the answer";
    });
    EXPECT_EQ(client.read_response()->body, "later");
    EXPECT_EQ(client.read_response()->body, next);
  }
}

TEST(HttpTest, AnswersAThousandPipelinedRequestsOfOneSegment) {
  TestServer server(std::make_shared<FakeService>());
  RawClient client(server.address());
  std::string requests;
  for (int i = 0; i < 1000; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: test\r\n\r\n";
  }
  ASSERT_TRUE(client.send(requests));
  for (int i = 0; i < 1000; ++i) {
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    ASSERT_EQ(response->body, "/" + std::to_string(i) + "|");
  }
}

TEST(HttpTest, ReadsARequestThatComesByteByByte) {
  TestServer server(std::make_shared<FakeService>());
  RawClient client(server.address());
  for (const char c : post("Content-Length: 5\r\n", "hello") + post("Content-Length: 1\r\n", "x")) {
    ASSERT_TRUE(client.send({&c, 1}));
  }
  EXPECT_EQ(client.read_response()->body, "/message|hello");
  EXPECT_EQ(client.read_response()->body, "/message|x");
}

TEST(HttpTest, TakesTheChunksOffAndClosesBehindThem) {
  TestServer server(std::make_shared<FakeService>());
  RawClient client(server.address());
  ASSERT_TRUE(client.send(post("Transfer-Encoding: Chunked\r\n",
                               "5;ext=\"1\"\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n") +
                          "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"));
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "/message|hello!");
  EXPECT_EQ(response->header("connection"), "close");
  EXPECT_TRUE(client.ends());
  EXPECT_EQ(client.pending(), "");
}

TEST(HttpTest, RefusesABodyOverItsLimitBeforeItComes) {
  const auto service = std::make_shared<FakeService>();
  service->body_bytes_max = 10;
  TestServer server(service);
  RawClient whole(server.address());
  ASSERT_TRUE(whole.send(post("Content-Length: 10\r\n", "0123456789")));
  EXPECT_EQ(whole.read_response()->status, 200);
  ASSERT_TRUE(whole.send(post("Content-Length: 11\r\n")));
  const auto response = whole.read_response();
  EXPECT_EQ(response->status, 413);
  EXPECT_EQ(response->body, "Request Too Long");
  EXPECT_TRUE(whole.ends());

  RawClient chunked(server.address());
  ASSERT_TRUE(chunked.send(post("Transfer-Encoding: chunked\r\n", "6\r\n012345\r\n5\r\n")));
  EXPECT_EQ(chunked.read_response()->status, 413);
}

TEST(HttpTest, TellsAClientThatKeepsUploadingAboutTheRefusal) {
  const auto service = std::make_shared<FakeService>();
  service->on_screen = [](const RequestHead&) { return Response{.status = 403, .body = "no"}; };
  TestServer server(service);
  RawClient client(server.address());
  ASSERT_TRUE(client.send(post("Content-Length: 8000000\r\n")));
  client.send(std::string(4'000'000, 'x'));
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 403);
  EXPECT_EQ(response->header("connection"), "close");
}

TEST(HttpTest, KeepsTheConnectionWhenARefusedBodyHasCome) {
  const auto service = std::make_shared<FakeService>();
  service->on_screen = [](const RequestHead& head) -> std::variant<Response, BodyLimit> {
    if (head.target == "/message") return Response{.status = 403, .body = "no"};
    return BodyLimit{.bytes = 10};
  };
  TestServer server(service);
  RawClient client(server.address());
  ASSERT_TRUE(client.send(post("Content-Length: 5\r\n", "hello") +
                          "GET /other HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_EQ(client.read_response()->status, 403);
  EXPECT_EQ(client.read_response()->body, "/other|");
}

TEST(HttpTest, CarriesTheRouteThatWasFoundAtFirst) {
  const auto service = std::make_shared<FakeService>();
  service->on_screen = [](const RequestHead&) { return BodyLimit{.bytes = 10, .route = 7}; };
  service->open_route = 9;
  service->on_handle = [](const Request& request, Responder respond) {
    respond({.body = std::to_string(request.head.route)});
  };
  service->on_open = [](const RequestHead& head, LiveResponder respond) {
    respond(Response{.status = 403, .body = std::to_string(head.route)});
  };
  TestServer server(service);
  RawClient client(server.address());
  ASSERT_TRUE(client.send(post("Content-Length: 5\r\n", "hello")));
  EXPECT_EQ(client.read_response()->body, "7");
  EXPECT_EQ(client.upgrade("/ws")->body, "9");
  EXPECT_EQ(client.upgrade("/other")->body, "7");
}

TEST(HttpTest, SaysContinueToWhoAsksBeforeTheBody) {
  TestServer server(std::make_shared<FakeService>());
  RawClient client(server.address());
  ASSERT_TRUE(client.send(post("Expect: 100-Continue\r\nContent-Length: 5\r\n")));
  EXPECT_EQ(client.read_response()->status, 100);
  ASSERT_TRUE(client.send("hello"));
  EXPECT_EQ(client.read_response()->body, "/message|hello");
  ASSERT_TRUE(client.send(post("Expect: 100-continue\r\nContent-Length: 99999999\r\n")));
  EXPECT_EQ(client.read_response()->status, 413);
}

TEST(HttpTest, AnswersHeadWithoutABody) {
  TestServer server(std::make_shared<FakeService>());
  RawClient client(server.address());
  ASSERT_TRUE(
      client.send("HEAD /a HTTP/1.1\r\nHost: test\r\n\r\n"
                  "GET /b HTTP/1.1\r\nHost: test\r\n\r\n"));
  const auto head = client.read_response(RawClient::kPatience, true);
  EXPECT_EQ(head->header("content-length"), "3");
  EXPECT_EQ(client.read_response()->body, "/b|");
}

TEST(HttpTest, ClosesForHttp10AndForWhoAsks) {
  TestServer server(std::make_shared<FakeService>());
  for (const char* request : {"GET / HTTP/1.0\r\nHost: test\r\n\r\n",
                              "GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n",
                              "GET / HTTP/1.1\r\nHost: test\r\nConnection: x, Close\r\n\r\n"}) {
    RawClient client(server.address());
    ASSERT_TRUE(client.send(request));
    EXPECT_EQ(client.read_response()->header("connection"), "close");
    EXPECT_TRUE(client.ends());
    EXPECT_FALSE(client.was_reset());
  }
}

TEST(HttpTest, LeavesOutHeadersThatWouldBreakTheFraming) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request, Responder respond) {
    respond({.headers = {{"Bad", "a\r\nSet-Cookie: b"}, {"Content-Length", "99"}, {"Good", "c"}},
             .body = "x"});
  };
  TestServer server(service);
  RawClient client(server.address());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  const auto response = client.read_response();
  EXPECT_EQ(response->header("bad"), "");
  EXPECT_EQ(response->header("set-cookie"), "");
  EXPECT_EQ(response->header("content-length"), "1");
  EXPECT_EQ(response->header("good"), "c");
}

TEST(HttpTest, SendsALargeResponseToASlowReader) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request, Responder respond) {
    respond({.body = std::string(20 << 20, 'x')});
  };
  TestServer server(service);
  RawClient client(server.address());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
  const auto response = client.read_response(Milliseconds(20'000));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body.size(), 20U << 20);
}

HttpLimits short_limits() {
  HttpLimits limits;
  limits.header_timeout = Milliseconds(150);
  limits.body_timeout = Milliseconds(150);
  limits.idle_timeout = Milliseconds(150);
  limits.write_timeout = Milliseconds(150);
  limits.close_timeout = Milliseconds(150);
  return limits;
}

TEST(HttpDeadlinesTest, EndsASlowHeader) {
  TestServer server(std::make_shared<FakeService>(), 1, short_limits());
  RawClient client(server.address());
  std::optional<RawResponse> response;
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\nX: "));
  // A byte every now and then does not put the deadline off.
  for (int i = 0; i < 200 && !response; ++i) {
    client.send("a");
    response = client.read_response(Milliseconds(10));
  }
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 408);
  EXPECT_TRUE(client.ends());
}

TEST(HttpDeadlinesTest, EndsASlowBody) {
  TestServer server(std::make_shared<FakeService>(), 1, short_limits());
  for (const char* headers : {"Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    RawClient client(server.address());
    ASSERT_TRUE(client.send(post(headers)));
    std::optional<RawResponse> response;
    for (int i = 0; i < 200 && !response; ++i) {
      client.send("1");
      response = client.read_response(Milliseconds(60));
    }
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 408);
  }
}

TEST(HttpDeadlinesTest, EndsIdleConnectionsSilently) {
  TestServer server(std::make_shared<FakeService>(), 1, short_limits());
  RawClient silent(server.address());
  RawClient kept(server.address());
  ASSERT_TRUE(kept.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_EQ(kept.read_response()->status, 200);
  EXPECT_TRUE(silent.ends());
  EXPECT_TRUE(kept.ends());
  EXPECT_EQ(silent.pending() + kept.pending(), "");
  EXPECT_TRUE(test::eventually([&] { return server.listener().stats().open_sockets == 0; }));
}

// A proxy that keeps its connections for 60 s must never send a request into the end of one.
TEST(HttpDeadlinesTest, OutlastsTheIdleTimeOfUsualProxies) {
  test::ManualClock clock;
  TestServer server(std::make_shared<FakeService>(), 1, {}, "127.0.0.1:0", clock);
  const std::string get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
  RawClient kept(server.address());
  ASSERT_TRUE(kept.send(get));
  ASSERT_EQ(kept.read_response()->status, 200);
  RawClient silent(server.address());
  ASSERT_TRUE(test::eventually([&] { return server.listener().stats().open_sockets == 2; }));
  server.run_on(0, [] {});
  clock.advance(Seconds(61));
  EXPECT_TRUE(silent.ends()) << "deadlines have been looked at";
  ASSERT_TRUE(kept.send(get));
  EXPECT_EQ(kept.read_response()->status, 200);
  server.run_on(0, [] {});
  clock.advance(Seconds(76));
  EXPECT_TRUE(kept.ends());
}

TEST(HttpDeadlinesTest, EndsAPeerThatDoesNotReadItsResponse) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request, Responder respond) {
    respond({.body = std::string(32 << 20, 'x')});
  };
  TestServer server(service, 1, short_limits());
  RawClient client(server.address());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_TRUE(test::eventually([&] { return server.listener().stats().requests == 1; }));
  EXPECT_TRUE(test::eventually([&] { return server.listener().stats().open_sockets == 0; }));
}

TEST(HttpDeadlinesTest, StopsWhileTheRequestIsHandled) {
  const auto service = std::make_shared<FakeService>();
  std::optional<Responder> waiting;
  service->on_handle = [&](Request, Responder respond) { waiting = std::move(respond); };
  TestServer server(service, 1, short_limits());
  RawClient client(server.address());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_FALSE(client.read_response(Milliseconds(400)));
  server.run_on(0, [&] { std::exchange(waiting, std::nullopt).value()({.body = "late"}); });
  EXPECT_EQ(client.read_response()->body, "late");
}

TEST(HttpDeadlinesTest, AnswersForAHangingServiceAndDropsTheLateAnswer) {
  const auto service = std::make_shared<FakeService>();
  std::vector<Responder> waiting;
  std::vector<LiveResponder> upgrading;
  service->on_handle = [&](Request, Responder respond) { waiting.push_back(std::move(respond)); };
  service->on_open = [&](RequestHead, LiveResponder respond) {
    upgrading.push_back(std::move(respond));
  };
  std::atomic<bool> hangs = false;
  ListenerOptions options;
  options.gives_up = [&]() -> const char* { return hangs ? "it hangs" : nullptr; };
  options.answer_patience = Milliseconds(100);
  TestServer server(service, 1, std::move(options));
  RawClient client(server.address());
  RawClient behind(server.address());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_FALSE(client.read_response(Milliseconds(1'500)));  // late, and nothing hangs
  hangs = true;
  EXPECT_EQ(client.read_response()->status, 503);
  EXPECT_EQ(behind.upgrade("/ws")->status, 503);
  server.run_on(0, [&] {
    for (Responder& respond : waiting) respond({.body = "late"});
    EXPECT_EQ(upgrading.size(), 1U);
    for (LiveResponder& respond : upgrading) respond(LiveAccepted{});
  });
  for (RawClient* const each : {&client, &behind}) {
    EXPECT_TRUE(each->ends());
    EXPECT_EQ(each->pending(), "");
  }
}

TEST(HttpTest, SurvivesClientsThatVanishAtAnyByte) {
  const auto service = std::make_shared<FakeService>();
  std::vector<Responder> waiting;
  service->on_handle = [&](Request, Responder respond) { waiting.push_back(std::move(respond)); };
  TestServer server(service);
  const std::string request = post("Content-Length: 5\r\n", "hello");
  for (std::size_t bytes = 0; bytes <= request.size(); ++bytes) {
    RawClient client(server.address());
    ASSERT_TRUE(client.send(std::string_view(request).substr(0, bytes)));
    bytes % 2 == 0 ? client.reset() : client.close();
  }
  EXPECT_TRUE(test::eventually([&] {
    server.run_on(0, [&] {
      for (Responder& respond : waiting) respond({.body = "to nobody"});
      waiting.clear();
    });
    return server.listener().stats().open_sockets == 0;
  }));
}

// Fields of a service.
constexpr LogKey kRequestId{"request_id", 0};
constexpr LogKey kKey{"access_key_id", 2};

// The query of an upgrade is its token.
TEST(HttpTest, LogsRequestsWithoutTheirQueryAndHeaders) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request, Responder respond) {
    Response response;
    response.log_fields.set(kRequestId, "request-1");
    respond(std::move(response));
  };
  testing::internal::CaptureStdout();
  {
    const auto shards = make_shards(1);
    const auto listener = make_listener({.name = "gateway", .address = "127.0.0.1:0", .limits = {}},
                                        *shards, system_clock());
    shards->start();
    ASSERT_TRUE(listener->start(service));
    for (const char* target : {"/ws?token=s3cret", "/tokens?x=s3cret"}) {
      RawClient client(listener->address());
      EXPECT_TRUE(client.upgrade(target, "Authorization: s3cret\r\n"));
    }
    RawClient broken(listener->address());
    ASSERT_TRUE(broken.send("GET /broken?s3cret HTTP/1.1\r\n\r\n"));
    EXPECT_TRUE(broken.read_response());
    shards->stop();
  }
  const std::string log = testing::internal::GetCapturedStdout();
  EXPECT_EQ(log.find("s3cret"), std::string::npos) << log;
  EXPECT_NE(
      log.find(R"("event":"access","part":"gateway","method":"GET","path":"/ws","status":401)"),
      std::string::npos)
      << log;
  EXPECT_NE(log.find(R"("path":"/tokens","status":200)"), std::string::npos) << log;
  EXPECT_NE(log.find(R"("request_id":"request-1")"), std::string::npos) << log;
  EXPECT_NE(log.find(R"("status":400)"), std::string::npos) << log;
}

TEST(HttpTest, LogsWhyARequestIsRefusedAndWhichKeyItClaimed) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](const Request& request, Responder respond) {
    Response response{.status = 403, .refused = "a reason"};
    if (request.head.target == "/signed") response.log_fields.set(kKey, "AKIAEXAMPLE");
    response.log_fields.set(kRequestId, "request-1");
    respond(std::move(response));
  };
  service->on_open = [](RequestHead, LiveResponder respond) {
    respond(Response{.status = 401, .refused = "another reason"});
  };
  testing::internal::CaptureStdout();
  {
    const auto shards = make_shards(1);
    const auto listener = make_listener({.name = "gateway", .address = "127.0.0.1:0", .limits = {}},
                                        *shards, system_clock());
    shards->start();
    ASSERT_TRUE(listener->start(service));
    for (const char* target : {"/signed", "/unsigned"}) {
      RawClient client(listener->address());
      ASSERT_TRUE(client.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n\r\n"));
      const auto response = client.read_response();
      ASSERT_TRUE(response);
      for (const auto& [name, value] : response->headers) EXPECT_NE(value, "a reason") << name;
    }
    EXPECT_TRUE(RawClient(listener->address()).upgrade("/ws?token=x"));
    shards->stop();
  }
  const std::string log = testing::internal::GetCapturedStdout();
  const auto has = [&log](const char* text) { return log.find(text) != std::string::npos; };
  EXPECT_TRUE(
      has(R"("request_id":"request-1","access_key_id":"AKIAEXAMPLE","refused":"a reason"})"))
      << log;
  EXPECT_TRUE(has(R"("request_id":"request-1","refused":"a reason"})")) << log;
  EXPECT_TRUE(has(R"("refused":"another reason"})")) << log;
}

TEST(HttpTest, LogsWhatWasRefusedBeforeItWasReadWhole) {
  const auto service = std::make_shared<FakeService>();
  service->body_bytes_max = 10;
  HttpLimits limits;
  limits.target_bytes = 256;
  limits.header_bytes = 2'000;
  limits.headers = 5;
  limits.header_timeout = limits.body_timeout = Milliseconds(100);
  const std::string upgrade =
      " /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  const std::string version = "Sec-WebSocket-Version: ";
  const struct {
    std::string request;
    const char* line;
  } rows[] = {
      {"GET" + upgrade + version + "8\r\n\r\n",
       R"("GET","path":"/ws","status":426|Sec-WebSocket-Version is not 13)"},
      {"GET" + upgrade + "\r\n",
       R"("GET","path":"/ws","status":426|Sec-WebSocket-Version is not 13)"},
      {"POST" + upgrade + version + "13\r\n\r\n",
       R"("POST","path":"/ws","status":426|an upgrade is a GET of HTTP/1.1)"},
      {post("Content-Length: 11\r\n"),
       R"("POST","path":"/message","status":413|the body is too long)"},
      {chunk("b\r\n"), R"("POST","path":"/message","status":413|the body is too long)"},
      {"PUT /" + std::string(300, 'a') + " HTTP/1.1\r\n",
       R"("PUT","path":"","status":414|limits.target_bytes)"},
      {"\r\nPUT /" + std::string(9'000, 'a'),
       R"("PUT","path":"","status":414|limits.target_bytes)"},
      {"GET /a?s3cret HTTP/1.1\r\nExpect: 200-maybe\r\n",
       R"("GET","path":"/a","status":417|Expect is not 100-continue)"},
      {"GET /a?s3cret HTTP/1.1\r\nA: " + std::string(2'000, 'a'),
       R"("GET","path":"/a","status":431|limits.header_bytes)"},
      {"GET /a HTTP/1.1\r\n" + many_headers(6), R"("GET","path":"/a","status":431|limits.headers)"},
      {"GET /a HTTP/1.1\r\n", R"("GET","path":"/a","status":408|limits.header_timeout_ms)"},
      {post("Content-Length: 5\r\n", "he"),
       R"("POST","path":"/message","status":408|limits.body_timeout_ms)"},
      {"GET /a HTTP/2.0\r\n", R"("GET","path":"","status":505|HTTP Version Not Supported)"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.request.substr(0, 60));
    testing::internal::CaptureStdout();
    {
      const auto shards = make_shards(1);
      const auto listener = make_listener(
          {.name = "gateway", .address = "127.0.0.1:0", .limits = limits}, *shards, system_clock());
      shards->start();
      ASSERT_TRUE(listener->start(service));
      RawClient client(listener->address());
      ASSERT_TRUE(client.send(row.request));
      EXPECT_TRUE(client.read_response());
      shards->stop();
    }
    const std::string log = testing::internal::GetCapturedStdout();
    const std::string line = row.line;
    const std::size_t bar = line.find('|');
    EXPECT_NE(log.find(R"("method":)" + line.substr(0, bar)), std::string::npos) << log;
    EXPECT_NE(log.find(R"("refused":")" + line.substr(bar + 1) + "\""), std::string::npos) << log;
    EXPECT_EQ(log.find("s3cret"), std::string::npos) << log;
  }
}

TEST(HttpTest, TellsTheDateOfItsClock) {
  test::ManualClock clock;  // 2026-01-22T10:00:00Z
  TestServer server(std::make_shared<FakeService>(), 1, {}, "127.0.0.1:0", clock);
  RawClient client(server.address());
  const auto date = [&client] {
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    const auto response = client.read_response();
    return response ? response->header("Date") : std::string();
  };
  EXPECT_EQ(date(), "Thu, 22 Jan 2026 10:00:00 GMT");
  clock.advance(Milliseconds(999));
  EXPECT_EQ(date(), "Thu, 22 Jan 2026 10:00:00 GMT");
  clock.advance(Milliseconds(1));
  EXPECT_EQ(date(), "Thu, 22 Jan 2026 10:00:01 GMT");
  // A clock that is set back is believed as well.
  clock.step_wall(-Seconds(11));
  EXPECT_EQ(date(), "Thu, 22 Jan 2026 09:59:50 GMT");
}

HttpLimits bodies_of(std::size_t bytes) {
  HttpLimits limits;
  limits.body_bytes_in_flight = bytes;
  return limits;
}

TEST(HttpBodiesTest, LimitsTheSumOfReceivedBytesNotOfAnnouncedOnes) {
  TestServer server(std::make_shared<FakeService>(), 2, bodies_of(100'000));
  const auto holds = [&](std::size_t bytes) {
    return test::eventually([&] { return server.listener().stats().body_bytes == bytes; });
  };
  const std::string sixty = post("Content-Length: 60000\r\n");
  for (const std::string& too_much :
       {sixty + std::string(50'000, 'c'),
        post("Transfer-Encoding: chunked\r\n", "EA60\r\n" + std::string(50'000, 'c'))}) {
    RawClient first(server.address());
    RawClient second(server.address());
    ASSERT_TRUE(first.send(sixty + std::string(50'000, 'a')));
    ASSERT_TRUE(second.send(sixty + std::string(10, 'b')));
    ASSERT_TRUE(holds(50'010));
    RawClient third(server.address());
    ASSERT_TRUE(third.send(too_much));
    const auto refused = third.read_response();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 503);
    EXPECT_TRUE(third.ends());
    EXPECT_TRUE(holds(50'010));
    ASSERT_TRUE(first.send(std::string(10'000, 'a')));
    EXPECT_EQ(first.read_response()->status, 200);
    ASSERT_TRUE(second.send(std::string(59'990, 'b')));
    EXPECT_EQ(second.read_response()->status, 200);
    EXPECT_TRUE(holds(0));
  }
}

TEST(HttpBodiesTest, ReleasesTheBytesOfAnEndedConnection) {
  TestServer server(std::make_shared<FakeService>(), 1, bodies_of(100'000));
  {
    RawClient client(server.address());
    ASSERT_TRUE(client.send(post("Content-Length: 60000\r\n") + std::string(50'000, 'a')));
    ASSERT_TRUE(test::eventually([&] { return server.listener().stats().body_bytes == 50'000; }));
  }
  EXPECT_TRUE(test::eventually([&] { return server.listener().stats().body_bytes == 0; }));
}

TEST(HttpHeadsTest, CountsWhileIncomplete) {
  TestServer server(std::make_shared<FakeService>(), 2, bodies_of(200'000));
  const auto held = [&] { return server.listener().stats().body_bytes; };
  std::vector<std::unique_ptr<RawClient>> clients;
  std::size_t refused = 0;
  for (int i = 0; i < 20; ++i) {
    auto client = std::make_unique<RawClient>(server.address());
    ASSERT_TRUE(client->send("GET / HTTP/1.1\r\nHost: test\r\nX: " + std::string(20'000, 'x')));
    ASSERT_TRUE(test::eventually([&] { return held() >= clients.size() * 40'000 || refused > 0; }));
    if (const auto response = client->read_response(Milliseconds(30))) {
      EXPECT_EQ(response->status, 503);
      ++refused;
    } else {
      clients.push_back(std::move(client));
    }
  }
  EXPECT_LE(held(), 200'000U);
  EXPECT_LE(clients.size(), 5U);
  EXPECT_GE(clients.size(), 3U);
  for (const auto& client : clients) {
    ASSERT_TRUE(client->send("\r\n\r\n"));
    EXPECT_EQ(client->read_response()->status, 200);
  }
  EXPECT_TRUE(test::eventually([&] { return held() == 0; }));
}

TEST(HttpTest, EndsTheConnectionWhenTheResponderIsDropped) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request, Responder) {};
  TestServer server(service);
  RawClient client(server.address());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_TRUE(client.ends());
}

TEST(HttpCountsTest, SplitsAnswersByTheClassOfTheirStatus) {
  const auto service = std::make_shared<FakeService>();
  service->on_handle = [](Request request, Responder respond) {
    respond({.status = request.head.target == "/found" ? 200 : 404, .body = "text"});
  };
  TestServer server(service, 2);
  for (const char* const target : {"/found", "/lost", "/found"}) {
    RawClient client(server.address());
    ASSERT_TRUE(client.send(std::string("GET ") + target + " HTTP/1.1\r\nHost: test\r\n\r\n"));
    ASSERT_TRUE(client.read_response());
  }
  RawClient bad(server.address());
  ASSERT_TRUE(bad.send("rubbish\r\n\r\n"));
  ASSERT_TRUE(bad.read_response());
  // An answer is counted once it is written, which its client may know earlier.
  EXPECT_TRUE(test::eventually(
      [&] { return server.responses("2xx") == 2 && server.responses("4xx") == 2; }));
  for (const char* const other : {"1xx", "3xx", "5xx"}) EXPECT_EQ(server.responses(other), 0U);
  EXPECT_EQ(server.listener().stats().requests, 3U) << "what cannot be read is none";
  const std::string bytes = "holdfast_outbound_bytes_total";
  EXPECT_GT(server.metric(bytes, {{"protocol", "http"}}), 4U * 60);
  EXPECT_EQ(server.metric(bytes, {{"protocol", "websocket"}}), 0U);
}

}  // namespace
}  // namespace holdfast::net
