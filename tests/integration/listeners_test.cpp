// Tests gateways whose parts are on separate listeners.

#include <chrono>
#include <string>
#include <thread>
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

using ::testing::HasSubstr;

/// A gateway that takes messages inside and serves users outside, over TLS.
class ListenersTest : public ::testing::Test {
 protected:
  ListenersTest() {
    ChildProcess certificates({.command = {holdfast_binary(), "dev-certs", tls_}});
    if (certificates.wait(kPatience) != 0) throw std::runtime_error("no certificates");
    const Json listeners = {{{"address", "127.0.0.1:0"},
                             {"parts", {"websocket", "tokens", "login"}},
                             {"certificate", tls_ + "/server.pem"},
                             {"key", tls_ + "/server.key"}},
                            {{"address", "[::1]:0"}, {"parts", {"control"}}}};
    gateway_.emplace(GatewayProcess::Options{
        .data_dir = dir_.file("data"),
        .environment = {{"HOLDFAST_SERVER__PARTS", R"(["ingest", "management"])"},
                        {"HOLDFAST_SERVER__LISTENERS", listeners.dump()}}});
    outside_ = "https://" + address_of("gateway", 1);
  }

  /// Of the listener that told of itself as the `index`th of a part.
  std::string address_of(const std::string& part, std::size_t index) {
    std::size_t seen = 0;
    const auto line = gateway_->process().wait_for_output(
        [&](const std::string& candidate) {
          const auto event = parse_json(candidate).value();
          return event.value("event", "") == "listening" && event.value("part", "") == part &&
                 seen++ == index;
        },
        kPatience);
    if (!line) throw std::runtime_error("no such listener");
    return parse_json(*line).value().at("address").get<std::string>();
  }
  net::TlsClientOptions trust() const { return {.ca_file = tls_ + "/ca.pem"}; }
  std::string answer(const std::string& url, const net::ClientRequest& request) const {
    const auto response =
        net::make_http_client(net::parse_url(url).value(), trust())->request(request);
    return response ? std::to_string(response->status) + " " + response->body
                    : response.error().message;
  }
  static int upgrade(const std::string& address, const std::string& target) {
    RawClient raw(address);
    const auto response = raw.upgrade(target);
    return response ? response->status : 0;
  }
  static int preflight(const std::string& address, const std::string& target,
                       const std::string& method) {
    RawClient raw(address);
    raw.send("OPTIONS " + target + " HTTP/1.1\r\nHost: " + address + "\r\nOrigin: http://" +
             address + "\r\nAccess-Control-Request-Method: " + method + "\r\n\r\n");
    const auto response = raw.read_response();
    return response ? response->status : 0;
  }
  std::unique_ptr<client::GatewayClient> client(const std::string& url) const {
    const auto& variables = gateway_->credentials();
    client::GatewayOptions options;
    options.url = url;
    options.user_pool_id = variables.at("HOLDFAST_USER_POOL_ID");
    options.client_id = variables.at("HOLDFAST_CLIENT_ID");
    options.credentials = {
        variables.at("AWS_ACCESS_KEY_ID"), variables.at("AWS_SECRET_ACCESS_KEY"), {}};
    options.ca_file = tls_ + "/ca.pem";
    return client::make_gateway_client(options, system_clock()).value();
  }

  TempDir dir_;
  std::string tls_ = dir_.file("tls");
  std::optional<GatewayProcess> gateway_;
  std::string outside_;
};

TEST_F(ListenersTest, ServesPartsOnSeparateListeners) {
  const auto users = client(outside_);
  const auto producers = client(gateway_->url());
  const std::string id = users->admin_create_user("alice", "temporary password").value();
  const auto challenge = users->admin_initiate_auth("alice", "temporary password").value();
  const auto tokens = users->admin_respond_new_password(
      "alice", "correct horse battery", std::get<client::Challenge>(challenge).session);
  const std::string token =
      users->temporary_token(std::get<client::Tokens>(tokens.value()).id_token).value();
  const auto url =
      net::parse_url("wss" + outside_.substr(5) + "/ws?token=" + percent_encode(token)).value();
  auto socket = net::connect_websocket(url, {}, "", Milliseconds(10'000), trust());
  ASSERT_TRUE(socket) << socket.error().message;
  const auto receipt = producers->publish(
      {.user_id = id, .text = "m", .deduplication_id = std::nullopt, .ttl = std::nullopt});
  ASSERT_TRUE(receipt) << receipt.error().message;
  const auto text = (*socket)->read(Milliseconds(10'000));
  ASSERT_TRUE(text && *text);
  EXPECT_EQ(**text, R"({"Payload":"m"})");
  // As a client does that goes on reading: it answers the fence and the Close.
  std::thread reading([&socket] {
    while ((*socket)->read(Milliseconds(10'000)).value_or(std::nullopt)) {
    }
  });
  EXPECT_EQ(gateway_->terminate(), 0);
  reading.join();
  const auto served = gateway_->process().wait_for_output(
      [](const std::string& line) { return line.contains(R"("event":"stopped_serving")"); },
      kPatience);
  EXPECT_THAT(served.value_or(""), HasSubstr(R"("emptied":true)"));
}

TEST_F(ListenersTest, NamesTheListenerForMessagesInTheCredentials) {
  EXPECT_EQ(gateway_->credentials().at("HOLDFAST_INGEST_URL"), gateway_->url());
  // A public URL that does not take messages, as behind a proxy.
  GatewayProcess::Options options{
      .data_dir = dir_.file("other"),
      .environment = {{"HOLDFAST_SERVER__PUBLIC_URL", "http://127.0.0.1:1"},
                      {"HOLDFAST_SERVER__PARTS", R"(["ingest", "management"])"},
                      {"HOLDFAST_SERVER__LISTENERS",
                       R"([{"address":"127.0.0.1:0","parts":["websocket","tokens","login"]}])"}}};
  const GatewayProcess behind(options);
  const auto& variables = behind.credentials();
  EXPECT_EQ(variables.at("HOLDFAST_URL"), "http://127.0.0.1:1");
  std::vector<std::pair<std::string, std::string>> environment(variables.begin(), variables.end());
  ChildProcess publish(
      {.command = {holdfast_binary(), "publish", "somebody", "hi"}, .environment = environment});
  EXPECT_EQ(publish.wait(kPatience), 0);
}

TEST_F(ListenersTest, LetsPublishFindASocketThatTakesMessages) {
  const std::string socket = "unix:" + dir_.file("ingest.sock");
  const GatewayProcess split(GatewayProcess::Options{
      .data_dir = dir_.file("split"),
      .environment = {
          {"HOLDFAST_SERVER__PARTS", R"(["websocket", "tokens", "login"])"},
          {"HOLDFAST_SERVER__LISTENERS",
           Json({{{"address", socket}, {"parts", {"ingest", "management"}}}}).dump()}}});
  EXPECT_EQ(split.credentials().at("HOLDFAST_URL"), split.url());
  EXPECT_EQ(split.credentials().at("HOLDFAST_INGEST_URL"), socket);
  ChildProcess publish({.command = {holdfast_binary(), "publish", "somebody", "hi"},
                        .environment = split.environment()});
  EXPECT_EQ(publish.wait(kPatience), 0) << publish.errors().size();
  EXPECT_THAT(publish.output(), ::testing::Contains(HasSubstr("STORED")));
}

TEST_F(ListenersTest, Answers404OutsideOfTheirPart) {
  const std::string unknown = R"(403 {"message":"Missing Authentication Token"})";
  const net::ClientRequest login{
      .method = "POST",
      .target = "/",
      .headers = {{"X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth"}},
      .body = "{}"};
  const std::string keys =
      "/" + gateway_->credentials().at("HOLDFAST_USER_POOL_ID") + "/.well-known/jwks.json";
  EXPECT_EQ(answer(gateway_->url(), login), unknown);
  EXPECT_EQ(answer(gateway_->url(), {.target = keys}), unknown);
  EXPECT_EQ(answer(gateway_->url(), {.target = "/tokens"}), unknown);
  EXPECT_EQ(answer(gateway_->url(), {.target = "/ws"}), unknown);
  EXPECT_EQ(answer(outside_, {.method = "GET", .target = "/message"}), unknown);
  EXPECT_EQ(answer(outside_, {.target = "/@connections/abc"}), unknown);
  EXPECT_EQ(answer(outside_, {.target = "/livez"}), unknown);
  const std::pair<std::string, std::string> form{"Content-Type",
                                                 "application/x-www-form-urlencoded"};
  EXPECT_EQ(
      answer(outside_,
             {.method = "POST", .target = "/", .headers = {form}, .body = "Action=DescribeStacks"}),
      unknown);
  EXPECT_EQ(upgrade(gateway_->address(), "/ws?token=x"), 403);
  EXPECT_EQ(preflight(gateway_->address(), "/", "POST"), 403);
  EXPECT_EQ(preflight(gateway_->address(), "/tokens", "GET"), 403);
  EXPECT_THAT(answer(outside_, login), HasSubstr("400 "));
  EXPECT_THAT(answer(outside_, {.target = keys}), HasSubstr("200 "));
  EXPECT_THAT(answer(outside_, {.target = "/tokens"}), HasSubstr("401 "));
  EXPECT_THAT(answer(outside_, {.target = "/ws"}), HasSubstr("426 "));
  EXPECT_THAT(answer(gateway_->url(), {.method = "GET", .target = "/message"}), HasSubstr("405 "));
  const std::string control = "http://" + address_of("control", 1);
  EXPECT_EQ(answer(control, {.target = "/livez"}), "200 ok\n");
  EXPECT_THAT(answer(control, {.target = "/tokens"}), HasSubstr("404 "));
}

}  // namespace
}  // namespace holdfast::test
