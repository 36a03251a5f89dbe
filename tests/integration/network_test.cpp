// Tests the daemon in its network: open ports, warnings, reserved descriptors, proxies in front.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/json.hpp>

#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/test_gateway.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Returns a port that is free, and below those that the system gives to others meanwhile.
std::string free_port() {
  constexpr std::uint64_t kFirst = 10'000;
  constexpr std::uint64_t kCount = 20'000;
  for (;;) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    own.sin_port = htons(static_cast<std::uint16_t>(kFirst + random_u64() % kCount));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof(own)) == 0;
    ::close(fd);
    if (is_free) return std::to_string(ntohs(own.sin_port));
  }
}

bool connects(const std::string& address) {
  try {
    const RawClient client(address);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

std::vector<std::string> addresses_of(ChildProcess& process, const std::string& event) {
  std::vector<std::string> out;
  for (const std::string& line : process.output()) {
    const auto parsed = parse_json(line);
    if (parsed && parsed->value("event", "") == event) {
      const auto address = parsed->value("address", "");
      out.push_back(address.substr(0, address.rfind(':')));
    }
  }
  return out;
}

int status_of(RawClient& client, const std::string& head) {
  client.send(head + "\r\n");
  const auto response = client.read_response(RawClient::kPatience, head.starts_with("HEAD"));
  return response ? response->status : 0;
}

// Scripts wait for the port and then read the file.
TEST(NetworkTest, AnswersNoSoonerThanItsCredentialsAreWritten) {
  for (int round = 0; round < 6; ++round) {
    const TempDir dir;
    const std::string port = free_port();
    ChildProcess process(
        {.command = {holdfast_binary(), "serve", "--data-dir", dir.file("data"), "--listen",
                     "127.0.0.1:" + port, "--control-listen", "127.0.0.1:0"}});
    ASSERT_TRUE(eventually([&] { return connects("127.0.0.1:" + port); }, kPatience));
    const auto credentials = read_credentials(dir.file("data") + "/credentials");
    EXPECT_TRUE(credentials.contains("HOLDFAST_URL")) << "round " << round;
    EXPECT_TRUE(connects("unix:" + dir.file("data") + "/control.sock"));
  }
}

TEST(NetworkTest, WarnsOfWhatOthersCanReadOnTheWay) {
  const TempDir dir;
  ChildProcess certificates({.command = {holdfast_binary(), "dev-certs", dir.file("tls")}});
  ASSERT_EQ(certificates.wait(kPatience), 0);
  const Json secure = {{"certificate", dir.file("tls") + "/server.pem"},
                       {"key", dir.file("tls") + "/server.key"}};
  Json listeners = Json::array();
  for (const char* address : {"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"}) {
    for (const char* part : {"tokens", "control"}) {
      Json plain = {{"address", address}, {"parts", {part}}};
      Json encrypted = plain;
      encrypted.update(secure);
      listeners.push_back(std::move(plain));
      listeners.push_back(std::move(encrypted));
    }
  }
  listeners.push_back({{"address", "unix:" + dir.file("socket")}, {"parts", {"tokens"}}});
  const auto warned = [&](std::vector<std::pair<std::string, std::string>> environment) {
    environment.emplace_back("HOLDFAST_SERVER__LISTENERS", listeners.dump());
    GatewayProcess gateway({.data_dir = dir.file("data"), .environment = std::move(environment)});
    return std::pair(addresses_of(gateway.process(), "listening_unencrypted"),
                     addresses_of(gateway.process(), "control_listening_unencrypted"));
  };
  const auto [gateways, controls] = warned({});
  EXPECT_THAT(gateways, UnorderedElementsAre("0.0.0.0", "[::]"));
  EXPECT_THAT(controls, UnorderedElementsAre("0.0.0.0", "[::]"));
  for (const auto& [name, value] :
       {std::pair("HOLDFAST_SERVER__PLAIN_HTTP_INTENDED", "true"),
        std::pair("HOLDFAST_SERVER__TRUSTED_PROXIES", R"(["10.0.0.1"])")}) {
    const auto quiet = warned({{name, value}});
    EXPECT_THAT(quiet.first, IsEmpty()) << name;
    EXPECT_THAT(quiet.second, IsEmpty()) << name;
  }
}

// Monitoring must reach it, whatever clients have used up.
TEST(NetworkTest, TellsItsHealthWhenClientsHaveUsedUpItsFiles) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer looks at objects through a pipe, for which no descriptor is left";
#endif
  for (const int files : {40, 64, 128, 256}) {
    const TempDir dir;
    const std::string port = free_port();
    const std::string control = free_port();
    ChildProcess process(
        {.command = {"sh", "-c", "ulimit -n " + std::to_string(files) + " && exec \"$0\" \"$@\"",
                     holdfast_binary(), "serve", "--data-dir", dir.file("data"), "--listen",
                     "127.0.0.1:" + port, "--control-listen", "127.0.0.1:" + control},
         .environment = {{"HOLDFAST_SERVER__WORKERS", "2"}}});
    ASSERT_TRUE(eventually([&] { return connects("127.0.0.1:" + port); }, kPatience)) << files;
    const auto health = [&] {
      RawClient client("127.0.0.1:" + control);
      return status_of(client, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n");
    };
    ASSERT_EQ(health(), 200) << files;
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 400; ++i) {
      // From several addresses, some in the middle of a request.
      clients.push_back(std::make_unique<RawClient>("127.0.0.1:" + port,
                                                    "127.0.0." + std::to_string(2 + i % 20)));
      if (i % 2 == 0) clients.back()->send("GET / HTTP/1.1\r\nHost: ");
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(health(), 200) << files << " files, " << i;
    clients.clear();
    EXPECT_TRUE(eventually(
        [&] {
          RawClient client("127.0.0.1:" + port);
          return status_of(client, "GET /tokens HTTP/1.1\r\nHost: localhost\r\n") == 401;
        },
        kPatience))
        << files;
  }
}

TEST(NetworkTest, WorksInAFolderWithALongPath) {
  const TempDir dir;
  std::string folder = dir.file("");
  for (int i = 0; i < 4; ++i) folder += std::string(90, static_cast<char>('a' + i)) + "/";
  std::filesystem::create_directories(folder);
  const Json listeners = {
      {{"address", "unix:" + folder + "control-listener"}, {"parts", Json::array({"control"})}}};
  GatewayProcess gateway({.data_dir = folder + "data",
                          .environment = {{"HOLDFAST_SERVER__LISTENERS", listeners.dump()}}});
  EXPECT_TRUE(std::filesystem::is_socket(folder + "control-listener"));
  const std::vector<std::vector<std::string>> commands = {
      {"status"},
      {"status", "--ready"},
      {"user", "create", "ann", "--generate", "--permanent"},
      {"user", "list"},
      {"connections", "list"},
      {"pending", "list"},
      {"dead-letters", "list"},
      {"access-key", "list"},
      {"backup", folder + "copy"}};
  for (std::vector<std::string> command : commands) {
    const std::string name = command[0];
    command.insert(command.begin(), holdfast_binary());
    command.insert(command.end(), {"--data-dir", folder + "data"});
    ChildProcess process({.command = std::move(command)});
    EXPECT_EQ(process.wait(kPatience), 0)
        << name << ": " << testing::PrintToString(process.errors());
  }
  EXPECT_EQ(gateway.terminate(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder + "data/control.sock"));
}

TEST(NetworkTest, AnswersHeadAsGetOnTheControlListener) {
  TestGateway gateway;
  const std::string host = "Host: " + gateway.info().control_address + "\r\n";
  for (const char* path : {"/livez", "/readyz", "/metrics", "/console", "/console/",
                           "/console/app.js", "/nothing", "/console/nothing"}) {
    RawClient client(gateway.info().control_address);
    const std::string line = std::string(path) + " HTTP/1.1\r\n" + host;
    client.send("GET " + line + "\r\n");
    const auto get = client.read_response();
    client.send("HEAD " + line + "\r\n");
    const auto head = client.read_response(RawClient::kPatience, true);
    ASSERT_TRUE(get && head) << path;
    EXPECT_EQ(head->status, get->status) << path;
    EXPECT_EQ(head->header("content-type"), get->header("content-type")) << path;
    if (std::string_view(path) != "/metrics") {
      EXPECT_EQ(head->header("content-length"), get->header("content-length")) << path;
    }
    client.send("GET /livez HTTP/1.1\r\n" + host + "\r\n");
    EXPECT_EQ(client.read_response()->body, "ok\n") << "no body came between, after " << path;
  }
}

TEST(NetworkTest, AnswersHealthChecksOfHttp10WithoutAHost) {
  TestGateway gateway;
  const auto status = [](const std::string& address, const std::string& request) {
    RawClient client(address);
    return status_of(client, request);
  };
  const std::string& control = gateway.info().control_address;
  EXPECT_EQ(status(control, "GET /readyz HTTP/1.0\r\n"), 200);
  EXPECT_EQ(status(control, "GET /livez HTTP/1.0\r\n"), 200);
  EXPECT_EQ(status(control, "OPTIONS /readyz HTTP/1.0\r\n"), 405);
  for (const char* other :
       {"GET /metrics HTTP/1.0\r\n", "GET /console/ HTTP/1.0\r\n", "GET /readyz HTTP/1.1\r\n"}) {
    EXPECT_EQ(status(control, other), 400) << other;
  }
  EXPECT_EQ(status(gateway.address(), "GET /readyz HTTP/1.0\r\n"), 400);
}

// Prometheus asks by address or by a name that it is known by; a page of another site cannot.
TEST(NetworkTest, TellsMetricsToWhoNamesIt) {
  TestGateway gateway({.settings = {R"(console.allowed_hosts=["holdfast.internal"])",
                                    "server.control_public_url=https://ops.example.com:8443"}});
  const auto status = [&](const std::string& host) {
    RawClient client(gateway.info().control_address);
    return status_of(client, "GET /metrics HTTP/1.1\r\nHost: " + host + "\r\n");
  };
  for (const char* host : {"localhost:8081", "127.0.0.1", "10.1.2.3:8081", "[fd00::1]",
                           "holdfast.internal:8081", "ops.example.com"}) {
    EXPECT_EQ(status(host), 200) << host;
  }
  EXPECT_EQ(status("evil.example.com"), 403);
}

// Console sessions and control listeners see whom a trusted proxy names, too.
TEST(NetworkTest, BelievesTrustedProxiesOnTheControlListener) {
  const TempDir dir;
  GatewayProcess gateway(
      {.data_dir = dir.file("data"),
       .environment = {{"HOLDFAST_SERVER__TRUSTED_PROXIES", R"(["127.0.0.1"])"}}});
  RawClient client(gateway.control_address());
  const std::string body = R"({"link":"x"})";
  client.send(
      "POST /console/api/session HTTP/1.1\r\nHost: localhost\r\nX-Holdfast-Console: person\r\n"
      "Origin: https://localhost\r\nX-Forwarded-For: 203.0.113.9\r\n"
      "X-Forwarded-Proto: https\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(client.read_response()->status, 403);
  const auto line = gateway.process().wait_for_output(
      [](const std::string& text) { return text.contains("console.sign_in"); }, kPatience);
  EXPECT_THAT(line.value_or(""), HasSubstr(R"("remote_address":"203.0.113.9")"));
}

TEST(NetworkTest, ShowsIpv4AddressesAsSuch) {
  std::optional<TestGateway> gateway;
  try {
    gateway.emplace(TestGateway::Options{.settings = {"server.listen=[::]:0"}});
  } catch (const std::runtime_error&) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  const TestUser alice = gateway->make_user();
  const std::string port = gateway->address().substr(gateway->address().rfind(':'));
  RawClient client("127.0.0.1" + port);
  ASSERT_EQ(client.upgrade("/ws?token=" + gateway->token(alice))->status, 101);
  const Json connections = gateway->control("GET", "/v1/connections");
  EXPECT_THAT(connections.dump(), HasSubstr(R"("remoteAddress":"127.0.0.1")"));
}

// A load balancer that nobody here wrote, in front of TLS that it does not decipher.
class BehindHaproxyTest : public ::testing::TestWithParam<const char*> {};

TEST_P(BehindHaproxyTest, SeesItsClients) {
  if (ChildProcess which({.command = {"sh", "-c", "command -v haproxy"}});
      which.wait(kPatience) != 0) {
    GTEST_SKIP() << "haproxy is not installed";
  }
  const TempDir dir;
  ChildProcess certificates({.command = {holdfast_binary(), "dev-certs", dir.file("tls")}});
  ASSERT_EQ(certificates.wait(kPatience), 0);
  const std::string front = free_port();
  GatewayProcess gateway(
      {.data_dir = dir.file("data"),
       .arguments = {"--tls-cert", dir.file("tls") + "/server.pem", "--tls-key",
                     dir.file("tls") + "/server.key"},
       .environment = {{"HOLDFAST_SERVER__PROXY_PROTOCOL", "true"},
                       {"HOLDFAST_SERVER__TRUSTED_PROXIES", R"(["127.0.0.1"])"}}});
  std::ofstream(dir.file("haproxy.cfg"))
      << "defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n"
      << "frontend push\n bind 127.0.0.1:" << front << "\n default_backend holdfast\n"
      << "backend holdfast\n option httpchk GET /readyz\n server one " << gateway.address()
      << " source 127.0.0.1 " << GetParam() << " check inter 100 port "
      << gateway.control_address().substr(gateway.control_address().rfind(':') + 1)
      << " no-check-send-proxy\n";
  ChildProcess haproxy({.command = {"haproxy", "-db", "-f", dir.file("haproxy.cfg")}});
  ASSERT_TRUE(eventually([&] { return connects("127.0.0.1:" + front); }, kPatience));
  // Its own address is not the balancer's.
  ChildProcess curl({.command = {"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n",
                                 "--cacert", dir.file("tls") + "/ca.pem", "--interface",
                                 "127.0.0.7", "--retry", "20", "--retry-connrefused",
                                 "--retry-all-errors", "https://127.0.0.1:" + front + "/tokens"}});
  ASSERT_EQ(curl.wait(kPatience), 0);
  EXPECT_THAT(curl.output(), ElementsAre("401"));
  const auto line = gateway.process().wait_for_output(
      [](const std::string& text) { return text.contains(R"("path":"/tokens")"); }, kPatience);
  EXPECT_THAT(line.value_or(""), HasSubstr(R"("remote_address":"127.0.0.7")"));
  // Past the balancer there is no way in.
  RawClient direct(gateway.address(), "127.0.0.9");
  EXPECT_TRUE(direct.ends());
  haproxy.signal(SIGTERM);
  EXPECT_TRUE(haproxy.wait(kPatience));
}

INSTANTIATE_TEST_SUITE_P(Versions, BehindHaproxyTest,
                         testing::Values("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace holdfast::test
