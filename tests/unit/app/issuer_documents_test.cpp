// Tests the reader of issuers' documents.

#include "app/issuer_documents.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/net/server.hpp>
#include <holdfast/net/tls.hpp>

#include "support/base/temp_dir.hpp"
#include "support/client/fake_gateway.hpp"

namespace holdfast::app {
namespace {

/// Never answers.
class SilentServer {
 public:
  SilentServer() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(socket_, 8), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/keys";
  }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  ~SilentServer() { close(socket_); }
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  int socket_;
  std::string url_;
};

class IssuerReaderTest : public ::testing::Test {
 protected:
  ~IssuerReaderTest() override {
    if (reader_ != nullptr) reader_->stop();
  }
  void open(IssuerDocumentsOptions options) { reader_ = make_issuer_reader(std::move(options)); }
  Result<std::string> read(const std::string& address) {
    std::promise<Result<std::string>> answered;
    reader_->read(address, [&](Result<std::string> text) { answered.set_value(std::move(text)); });
    auto answer = answered.get_future();
    if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready) std::abort();
    return answer.get();
  }

  test::TempDir dir_;
  test::FakeGateway server_{[](const net::Request& request) {
    if (request.head.target == "/keys") return test::json_response(200, "keys");
    if (request.head.target == "/big") return test::json_response(200, std::string(100'000, ' '));
    net::Response redirect = test::json_response(302, "moved");
    redirect.headers.emplace_back("Location", "/keys");
    return redirect;
  }};
  std::shared_ptr<IssuerReader> reader_;
};

TEST_F(IssuerReaderTest, ReadsADocumentOverHttp) {
  open({});
  EXPECT_EQ(read(server_.url() + "/keys"), "keys");
  EXPECT_EQ(read(server_.url() + "/keys"), "keys");
  const auto requests = server_.requests();
  const std::string* const agent = requests.back().head.header("User-Agent");
  ASSERT_NE(agent, nullptr);
  EXPECT_TRUE(agent->starts_with("holdfast/")) << *agent;
}

TEST_F(IssuerReaderTest, FollowsNoRedirect) {
  open({});
  EXPECT_EQ(read(server_.url() + "/moved").error().code, Errc::unavailable);
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(IssuerReaderTest, TakesNoDocumentOfAnySize) {
  open({.ca_file = {}, .bytes_max = 99'999});
  EXPECT_FALSE(read(server_.url() + "/big"));
  EXPECT_EQ(read(server_.url() + "/keys"), "keys") << "and goes on";
}

TEST_F(IssuerReaderTest, WaitsForNobodyForLongerThanTheBound) {
  const SilentServer silent;
  open({.ca_file = {}, .timeout = Milliseconds(100)});
  EXPECT_EQ(read(silent.url()).error().code, Errc::unavailable);
}

TEST_F(IssuerReaderTest, EndsWithWhatIsWanted) {
  const SilentServer silent;
  open({.ca_file = {}, .timeout = Milliseconds(300)});
  std::atomic<int> answers = 0;
  for (int i = 0; i < 100; ++i) {
    reader_->read(silent.url(), [&](const Result<std::string>&) { ++answers; });
  }
  reader_->stop();
  EXPECT_LE(answers, 1) << "those behind it are dropped";
}

TEST_F(IssuerReaderTest, ReadsFiles) {
  open({.ca_file = {}, .bytes_max = 10});
  std::ofstream(dir_.file("keys.json")) << "0123456789";
  EXPECT_EQ(read(dir_.file("keys.json")), "0123456789");
  std::ofstream(dir_.file("long.json")) << "0123456789x";
  EXPECT_EQ(read(dir_.file("long.json")).error().code, Errc::invalid_argument);
  EXPECT_EQ(read(dir_.file("none.json")).error().code, Errc::io);
  EXPECT_EQ(read(dir_.file("")).error().code, Errc::io) << "a folder";
}

TEST_F(IssuerReaderTest, TrustsTheConfiguredAuthorityAlone) {
  const auto made = make_dev_certificates(dir_.file("tls"), {});
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(make_dev_certificates(dir_.file("other"), {}));
  const auto tls = net::make_tls_server(
      {.certificate_file = dir_.file("tls/server.pem"), .key_file = dir_.file("tls/server.key")});
  ASSERT_TRUE(tls) << tls.error().message;
  struct Keys final : net::HttpService {
    std::variant<net::Response, net::BodyLimit> screen(const net::RequestHead&) override {
      return net::BodyLimit{0};
    }
    void handle(net::Request, net::Responder respond) override {
      respond(test::json_response(200, "keys"));
    }
    net::Response error(int status, std::string_view) const override {
      return {status, {}, "", true};
    }
  };
  const auto shards = net::make_shards(1);
  net::ListenerOptions options;
  options.name = "issuer";
  options.address = "127.0.0.1:0";
  options.access_log = false;
  options.tls = *tls;
  const auto listener = net::make_listener(std::move(options), *shards, system_clock());
  shards->start();
  ASSERT_TRUE(listener->start(std::make_shared<Keys>()));
  const std::string url = "https://" + listener->address() + "/keys";
  const std::pair<std::string, bool> authorities[] = {{dir_.file("tls/ca.pem"), true},
                                                      {dir_.file("other/ca.pem"), false},
                                                      {"", false},
                                                      {dir_.file("none.pem"), false}};
  for (const auto& [authority, good] : authorities) {
    if (reader_ != nullptr) reader_->stop();
    open({.ca_file = authority, .timeout = Milliseconds(10'000)});
    EXPECT_EQ(read(url).has_value(), good) << authority;
  }
  listener->close();
  shards->stop();
}

}  // namespace
}  // namespace holdfast::app
