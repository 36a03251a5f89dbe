// Tests the PROXY protocol, alone and before HTTP.

#include "net/proxy_header.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/net/client.hpp>

#include "support/base/temp_dir.hpp"
#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

using namespace std::string_literals;
using test::FakeService;
using test::RawClient;
using test::TestServer;
using State = ProxyHeader::State;

const std::string kStart = "\r\n\r\n\0\r\nQUIT\n"s;

std::string binary(char command, char family, const std::string& rest) {
  std::string out = kStart + command + family;
  out += static_cast<char>(rest.size() >> 8 & 0xff);
  out += static_cast<char>(rest.size() & 0xff);
  return out + rest;
}

const std::string kFour = "\xcb\x00\x71\x09\x7f\x00\x00\x01\x30\x39\x1f\x90"s;
const std::string kSix = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x07" +
                         std::string(15, '\0') + "\x01\x30\x39\x1f\x90";
const std::string kMappedSix = std::string(10, '\0') + "\xff\xff\xcb\x00\x71\x09"s +
                               std::string(15, '\0') + "\x01\x30\x39\x1f\x90";
const std::string kSsl = "\x20\x00\x05\x01\x00\x00\x00\x00"s;

struct GoodHeader {
  const char* name;
  std::string bytes;
  std::string address;
  bool secure = false;
};
class ProxyHeaderTableTest : public testing::TestWithParam<GoodHeader> {};

// Cut anywhere, it waits for the rest, and takes no byte of what is behind it.
TEST_P(ProxyHeaderTableTest, ReadsTheHeader) {
  const std::string& bytes = GetParam().bytes;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(read_proxy_header(std::string_view(bytes).substr(0, size)).state, State::more)
        << size;
  }
  const ProxyHeader header = read_proxy_header(bytes + "GET / HTTP/1.1\r\n");
  EXPECT_EQ(header.state, State::done);
  EXPECT_EQ(header.size, bytes.size());
  EXPECT_EQ(header.address, GetParam().address);
  EXPECT_EQ(header.secure, GetParam().secure);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ProxyHeaderTableTest,
    testing::Values(
        GoodHeader{"Text4", "PROXY TCP4 203.0.113.9 127.0.0.1 12345 8080\r\n", "203.0.113.9"},
        GoodHeader{"Text6", "PROXY TCP6 2001:DB8::7 ::1 0 65535\r\n", "2001:db8::7"},
        GoodHeader{"TextLongest",
                   "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        GoodHeader{"TextUnknown", "PROXY UNKNOWN\r\n", "unknown"},
        GoodHeader{"TextUnknownWithMore", "PROXY UNKNOWN ffff:: x 1 2\r\n", "unknown"},
        GoodHeader{"Binary4", binary(0x21, 0x11, kFour), "203.0.113.9"},
        GoodHeader{"Binary6", binary(0x21, 0x21, kSix), "2001:db8::7"},
        GoodHeader{"Binary6Mapped", binary(0x21, 0x21, kMappedSix), "203.0.113.9"},
        GoodHeader{"BinaryValues", binary(0x21, 0x11, kFour + "\x04\x00\x01x\xe0\x00\x00"s),
                   "203.0.113.9"},
        GoodHeader{"BinarySecure", binary(0x21, 0x11, kFour + kSsl), "203.0.113.9", true},
        GoodHeader{"BinaryNotSecure",
                   binary(0x21, 0x11, kFour + "\x20\x00\x05\x00\x00\x00\x00\x01"s), "203.0.113.9",
                   false},
        GoodHeader{"BinaryLocal", binary(0x20, 0x00, ""), ""},
        GoodHeader{"BinaryLocalWithAddress", binary(0x20, 0x11, kFour), ""},
        GoodHeader{"BinaryUnspecified", binary(0x21, 0x00, "whatever"), "unknown"},
        GoodHeader{"BinaryDatagram", binary(0x21, 0x12, kFour), "unknown"},
        GoodHeader{"BinaryUnix", binary(0x21, 0x31, std::string(216, 'u')), "unknown"}),
    [](const auto& info) { return info.param.name; });

TEST(ProxyHeadersTest, RefusesOtherBytes) {
  for (const std::string& bytes : std::vector<std::string>{
           "GET / HTTP/1.1\r\n",
           "proxy TCP4 ",
           "PROXY  TCP4 203.0.113.9 127.0.0.1 1 2\r\n",
           "\x16\x03\x01",
           "\r\n\r\nG",
           "\n",
           "PROXY TCP4 203.0.113.9 127.0.0.1 12345 8080\n" + std::string(100, 'x'),
           "PROXY TCP4 203.0.113.9 127.0.0.1 12345\r\n",
           "PROXY TCP4 203.0.113.9 127.0.0.1 1 2 3\r\n",
           "PROXY TCP4 203.0.113.9  127.0.0.1 1 2\r\n",
           "PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
           "PROXY TCP6 203.0.113.9 127.0.0.1 1 2\r\n",
           "PROXY TCP5 203.0.113.9 127.0.0.1 1 2\r\n",
           "PROXY TCP4 203.0.113.09 127.0.0.1 1 2\r\n",
           "PROXY TCP4 203.0.113 127.0.0.1 1 2\r\n",
           "PROXY TCP4 203.0.113.9 127.0.0.1 65536 2\r\n",
           "PROXY TCP4 203.0.113.9 127.0.0.1 01 2\r\n",
           "PROXY TCP4 203.0.113.9 127.0.0.1 -1 2\r\n",
           "PROXY TCP4 203.0.113.9 127.0.0.1 1 2 \r\n",
           "PROXY \r\n",
           "PROXY UNKNOWNX\r\n",
           "PROXY UNKNOWN " + std::string(107, 'x'),
           binary(0x11, 0x11, kFour),
           binary(0x22, 0x11, kFour),
           binary(0x21, 0x41, kFour),
           binary(0x21, 0x13, kFour),
           binary(0x21, 0x11, kFour.substr(1)),
           binary(0x21, 0x21, kFour),
           binary(0x21, 0x31, kSix),
           binary(0x21, 0x11, kFour + "\x04\x00"s),
           binary(0x21, 0x11, kFour + "\x04\x00\x02x"s),
           binary(0x21, 0x11, kFour + "\x20\x00\x04\x01\x00\x00\x00"s),
           binary(0x21, 0x11, std::string(5000, 'x'))}) {
    EXPECT_EQ(read_proxy_header(bytes).state, State::bad) << bytes;
  }
}

// Whatever comes: no more is taken than there is, and what is refused stays refused with more.
TEST(ProxyHeadersTest, SurvivesAllInputs) {
  std::mt19937 random(7);
  const std::vector<std::string> seeds = {"PROXY TCP4 203.0.113.9 127.0.0.1 12345 8080\r\n",
                                          "PROXY UNKNOWN\r\n", binary(0x21, 0x11, kFour + kSsl),
                                          binary(0x21, 0x21, kSix), binary(0x20, 0, "")};
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = seeds[random() % seeds.size()] + "GET /";
    for (unsigned i = random() % 4; i > 0; --i) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 3);
          break;
        default:
          bytes.insert(at, 1 + random() % 40, static_cast<char>(random()));
      }
      if (bytes.empty()) bytes = "x";
    }
    State last = State::more;
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      const ProxyHeader header = read_proxy_header(std::string_view(bytes).substr(0, size));
      ASSERT_TRUE(last == State::more || header.state == last) << bytes;
      ASSERT_LE(header.size, size);
      last = header.state;
    }
  }
}

/// A listener that takes the PROXY protocol of 127.0.0.1 and 10.0.0.0/8, and answers whom it sees.
class ProxiedListenerTest : public testing::Test {
 protected:
  void serve(std::shared_ptr<TlsServer> tls = nullptr) {
    service_->on_handle = [](Request request, Responder respond) {
      respond({.body = request.head.remote_address + (request.head.secure ? " secure" : " plain")});
    };
    options_.tls = std::move(tls);
    options_.proxy_protocol = true;
    options_.trusted_proxies = TrustedProxies::parse({"127.0.0.1", "10.0.0.0/8"}).value();
    server_.emplace(service_, 2, options_);
  }
  std::string answer(const std::string& header, const std::string& more = {}) {
    RawClient client(server_->address());
    client.send(header + "GET / HTTP/1.1\r\nHost: test\r\n" + more + "\r\n");
    const auto response = client.read_response();
    return response ? response->body : "nothing";
  }

  std::shared_ptr<FakeService> service_ = std::make_shared<FakeService>();
  ListenerOptions options_{.name = "test", .address = {}, .limits = {}, .access_log = false};
  std::optional<TestServer> server_;
};

TEST_F(ProxiedListenerTest, SeesWhomTheProxyNames) {
  serve();
  EXPECT_EQ(answer("PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n"), "203.0.113.9 plain");
  EXPECT_EQ(answer(binary(0x21, 0x21, kSix)), "2001:db8::7 plain");
  EXPECT_EQ(answer(binary(0x21, 0x11, kFour + kSsl)), "203.0.113.9 secure");
  EXPECT_EQ(answer(binary(0x20, 0x00, "")), "127.0.0.1 plain");
  EXPECT_EQ(answer("PROXY UNKNOWN\r\n"), "unknown plain");
  const std::string forwarded = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n";
  EXPECT_EQ(answer("PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n", forwarded), "203.0.113.9 plain")
      << "who is behind the proxy is no proxy";
  EXPECT_EQ(answer("PROXY TCP4 10.1.2.3 127.0.0.1 1 2\r\n", forwarded), "198.51.100.7 secure");
  EXPECT_EQ(answer("PROXY UNKNOWN\r\n", forwarded), "unknown plain");
}

TEST_F(ProxiedListenerTest, ReadsAHeaderThatComesByteByByte) {
  serve();
  RawClient client(server_->address());
  for (const char c : binary(0x21, 0x11, kFour) + "GET / HTTP/1.1\r\nHost: test\r\n\r\n") {
    ASSERT_TRUE(client.send({&c, 1}));
  }
  EXPECT_EQ(client.read_response()->body, "203.0.113.9 plain");
  // Once, not before every request.
  client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(client.read_response()->body, "203.0.113.9 plain");
  client.send("PROXY TCP4 1.1.1.1 127.0.0.1 1 2\r\n\r\n");
  EXPECT_EQ(client.read_response()->status, 400);
}

TEST_F(ProxiedListenerTest, RefusesWhoIsNoProxyAndWhatIsNoHeader) {
  testing::internal::CaptureStdout();
  serve();
  RawClient stranger(server_->address(), "127.0.0.2");
  stranger.send("PROXY TCP4 10.1.2.3 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(stranger.read_response()->status, 400);
  EXPECT_TRUE(stranger.ends());
  for (const char* bytes : {"GET / HTTP/1.1\r\nHost: test\r\n\r\n", "PROXY TCP4 10.1.2.3\r\n"}) {
    RawClient client(server_->address());
    client.send(bytes);
    EXPECT_EQ(client.read_response()->status, 400) << bytes;
    EXPECT_TRUE(client.ends());
    EXPECT_EQ(client.pending(), "");
  }
  server_->stop();
  const std::string log = testing::internal::GetCapturedStdout();
  EXPECT_NE(log.find(R"("event":"proxy_header_refused","part":"test","remote_address":"127.0.0.2")"
                     R"(,"reason":"not from a trusted proxy","connections_refused":1})"),
            std::string::npos)
      << log;
}

TEST_F(ProxiedListenerTest, WaitsForAHeaderNoLongerThanForARequests) {
  options_.limits.header_timeout = Milliseconds(100);
  serve();
  for (const char* bytes : {"", "PROXY TCP4", "PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n",
                            "PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\nGET"}) {
    RawClient client(server_->address());
    client.send(bytes);
    EXPECT_TRUE(client.ends()) << bytes;
  }
}

TEST_F(ProxiedListenerTest, CountsWhomTheProxyNames) {
  options_.limits.connections_per_address = 2;
  serve();
  std::vector<std::unique_ptr<RawClient>> kept;
  for (int i = 0; i < 6; ++i) {
    kept.push_back(std::make_unique<RawClient>(server_->address()));
    const std::string client = "203.0.113." + std::to_string(i / 2);
    kept.back()->send("PROXY TCP4 " + client +
                      " 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" + "GET");
    ASSERT_EQ(kept.back()->read_response()->status, 200);
  }
  RawClient refused(server_->address());
  refused.send("PROXY TCP4 203.0.113.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(refused.read_response()->status, 503);
}

// The header comes in the clear, the handshake behind it, maybe in the same segment.
TEST_F(ProxiedListenerTest, SpeaksTlsBehindTheHeader) {
  const test::TempDir dir;
  const DevCertificates made = make_dev_certificates(dir.file("tls"), {}).value();
  serve(make_tls_server({.certificate_file = made.certificate_file, .key_file = made.key_file})
            .value());
  // A relay like a TCP load balancer in front of the project's own client.
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(own);
  ASSERT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&own), size), 0);
  ASSERT_EQ(listen(listening, 1), 0);
  getsockname(listening, reinterpret_cast<sockaddr*>(&own), &size);
  std::thread relay([&] {
    const int client = accept(listening, nullptr, nullptr);
    RawClient server(server_->address());
    std::array<char, 65536> buffer;
    // With the ClientHello, as some send it.
    const ssize_t hello = recv(client, buffer.data(), buffer.size(), 0);
    server.send(binary(0x21, 0x11, kFour) +
                std::string(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(hello, 0))));
    for (;;) {
      pollfd waiting[2] = {{.fd = client, .events = POLLIN, .revents = 0},
                           {.fd = server.descriptor(), .events = POLLIN, .revents = 0}};
      if (poll(waiting, 2, 5'000) <= 0) break;
      const bool up = waiting[0].revents != 0;
      const ssize_t bytes =
          recv(up ? client : server.descriptor(), buffer.data(), buffer.size(), 0);
      if (bytes <= 0) break;
      send(up ? server.descriptor() : client, buffer.data(), static_cast<std::size_t>(bytes),
           MSG_NOSIGNAL);
    }
    close(client);
  });
  const auto url = parse_url("https://127.0.0.1:" + std::to_string(ntohs(own.sin_port)) + "/");
  {
    const auto client = make_http_client(*url, {.ca_file = made.ca_file});
    for (int i = 0; i < 2; ++i) {
      const auto response = client->request({.method = "GET", .target = "/"});
      EXPECT_TRUE(response) << response.error().message;
      EXPECT_EQ(response ? response->body : "", "203.0.113.9 secure");
    }
  }
  relay.join();
  close(listening);
  RawClient stranger(server_->address(), "127.0.0.2");
  EXPECT_TRUE(stranger.ends());
}

}  // namespace
}  // namespace holdfast::net
