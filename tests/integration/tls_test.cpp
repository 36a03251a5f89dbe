// Tests TLS on a whole gateway.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/client/gateway_client.hpp>
#include <holdfast/net/client.hpp>

#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// The built gateway with certificates of the built program's making.
class TlsTest : public ::testing::Test {
 protected:
  TlsTest() { make_certificates(); }

  void make_certificates() {
    ChildProcess process({.command = {holdfast_binary(), "dev-certs", tls_, "gateway.test"}});
    if (process.wait(kPatience) != 0) throw std::runtime_error("no certificates");
  }
  GatewayProcess start(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--tls-cert", tls_ + "/server.pem", "--tls-key",
                                          tls_ + "/server.key"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return GatewayProcess({.data_dir = dir_.file("data"), .arguments = arguments});
  }
  client::GatewayOptions options(const GatewayProcess& gateway) const {
    client::GatewayOptions out;
    const auto& variables = gateway.credentials();
    out.url = variables.at("HOLDFAST_URL");
    out.user_pool_id = variables.at("HOLDFAST_USER_POOL_ID");
    out.client_id = variables.at("HOLDFAST_CLIENT_ID");
    out.credentials = {
        variables.at("AWS_ACCESS_KEY_ID"), variables.at("AWS_SECRET_ACCESS_KEY"), {}};
    out.ca_file = tls_ + "/ca.pem";
    return out;
  }
  std::unique_ptr<client::GatewayClient> client(const GatewayProcess& gateway) const {
    return client::make_gateway_client(options(gateway), system_clock()).value();
  }
  static std::string publish(client::GatewayClient& client, const std::string& user) {
    const auto receipt = client.publish(
        {.user_id = user, .text = "m", .deduplication_id = std::nullopt, .ttl = std::nullopt});
    return receipt ? receipt->status : receipt.error().text();
  }

  TempDir dir_;
  std::string tls_ = dir_.file("tls");
};

TEST_F(TlsTest, DeliversOverHttpsAndWss) {
  const GatewayProcess gateway = start();
  EXPECT_EQ(gateway.credentials().at("HOLDFAST_URL"), "https://" + gateway.address());
  const auto root = client(gateway);
  const std::string id = root->admin_create_user("alice", "temporary password").value();
  EXPECT_EQ(publish(*root, id), "STORED");
  const auto first = root->admin_initiate_auth("alice", "temporary password").value();
  const auto second = root->admin_respond_new_password("alice", "correct horse battery",
                                                       std::get<client::Challenge>(first).session)
                          .value();
  const std::string token =
      root->temporary_token(std::get<client::Tokens>(second).id_token).value();
  const auto url =
      net::parse_url("wss://" + gateway.address() + "/ws?token=" + percent_encode(token)).value();
  auto socket =
      net::connect_websocket(url, {}, "", Milliseconds(10'000), {.ca_file = tls_ + "/ca.pem"});
  ASSERT_TRUE(socket) << socket.error().message;
  const auto text = (*socket)->read(Milliseconds(10'000));
  ASSERT_TRUE(text && *text);
  EXPECT_EQ(**text, R"({"Payload":"m"})");
}

TEST_F(TlsTest, AnswersAPlainRequestWith400) {
  const GatewayProcess gateway = start();
  RawClient plain(gateway.address());
  ASSERT_TRUE(plain.send("GET /tokens HTTP/1.1\r\nHost: test\r\n\r\n"));
  const auto response = plain.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 400);
}

TEST_F(TlsTest, SpeaksTlsOnTheControlListenerToo) {
  const GatewayProcess gateway = GatewayProcess(
      {.data_dir = dir_.file("data"),
       .arguments = {"--tls-cert", tls_ + "/server.pem", "--tls-key", tls_ + "/server.key"},
       .environment = {{"HOLDFAST_TLS__CONTROL", "true"}}});
  const auto http =
      net::make_http_client(net::parse_url("https://" + gateway.control_address()).value(),
                            {.ca_file = tls_ + "/ca.pem"});
  EXPECT_EQ(http->request({.target = "/readyz"}).value().status, 200);
}

TEST_F(TlsTest, ReloadsOnSighupWithoutDroppingConnections) {
  GatewayProcess gateway = start();
  client::GatewayOptions once = options(gateway);
  once.ca_file = dir_.file("once.pem");
  fs::copy_file(tls_ + "/ca.pem", once.ca_file);
  const auto before = client::make_gateway_client(once, system_clock()).value();
  EXPECT_EQ(publish(*before, "u"), "STORED");
  // Without the authority's file it cannot make another connection.
  fs::remove(once.ca_file);
  const auto hang_up = [&](const std::string& event) {
    const std::size_t from = gateway.process().output().size();
    gateway.process().signal(SIGHUP);
    return gateway.process().wait_for_output(
        [&](const std::string& line) { return line.contains(event); }, kPatience, from);
  };
  fs::rename(tls_, dir_.file("old"));
  const auto failure = hang_up(R"("event":"not_reloaded")");
  ASSERT_TRUE(failure);
  EXPECT_THAT(*failure, HasSubstr("server.pem"));
  EXPECT_EQ(publish(*before, "u"), "STORED");
  make_certificates();
  EXPECT_NE(publish(*client(gateway), "u"), "STORED") << "the new authority is not known yet";
  ASSERT_TRUE(hang_up(R"("event":"reloaded")"));
  EXPECT_EQ(publish(*client(gateway), "u"), "STORED");
  EXPECT_EQ(publish(*before, "u"), "STORED");
  EXPECT_EQ(gateway.terminate(), 0);
}

TEST_F(TlsTest, ServesTheSampleApplicationToo) {
  const GatewayProcess gateway = start();
  auto environment = gateway.environment();
  environment.emplace_back("SSL_CERT_FILE", tls_ + "/ca.pem");
  ChildProcess sample(
      {.command = {holdfast_binary(), "sample-app", "--listen", "127.0.0.1:0", "--tls-cert",
                   tls_ + "/server.pem", "--tls-key", tls_ + "/server.key"},
       .environment = environment});
  const auto listening = sample.wait_for_output(
      [](const std::string& line) { return line.contains(R"("event":"listening")"); }, kPatience);
  ASSERT_TRUE(listening);
  const std::string address = parse_json(*listening).value().at("address").get<std::string>();
  const auto http = net::make_http_client(net::parse_url("https://" + address).value(),
                                          {.ca_file = tls_ + "/ca.pem"});
  const auto response = http->request({.method = "POST", .target = "/", .body = "{}"});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 401);
  sample.signal(SIGHUP);
  EXPECT_TRUE(sample.wait_for_output(
      [](const std::string& line) { return line.contains(R"("event":"reloaded")"); }, kPatience));
  sample.signal(SIGTERM);
  EXPECT_EQ(sample.wait(kPatience), 0);
}

TEST_F(TlsTest, RefusesAKeyOfAnotherCertificate) {
  ChildProcess process(
      {.command = {holdfast_binary(), "serve", "--data-dir", dir_.file("data"), "--listen",
                   "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--tls-cert",
                   tls_ + "/server.pem", "--tls-key", tls_ + "/ca.key"}});
  EXPECT_EQ(process.wait(kPatience), 1);
  ASSERT_EQ(process.errors().size(), 1U);
  EXPECT_THAT(process.errors().front(),
              AllOf(HasSubstr(tls_ + "/ca.key"), HasSubstr(tls_ + "/server.pem")));
}

}  // namespace
}  // namespace holdfast::test
