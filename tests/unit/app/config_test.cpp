// Tests the reading and checking of a configuration.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/app/config.hpp>

#include "support/base/temp_dir.hpp"

namespace holdfast::app {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  std::string write(const std::string& text) {
    const std::string path = dir_.file("holdfast.json");
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  Result<Config> load(const std::string& text) { return load_config({.file = write(text)}); }
  std::string refusal(const std::string& text) {
    const auto loaded = load(text);
    return loaded ? "accepted" : loaded.error().message;
  }
  static std::string environment_refusal(const std::string& line) {
    const auto loaded = load_config({.environment = {line}});
    return loaded ? "accepted" : loaded.error().message;
  }

  test::TempDir dir_;
};

TEST_F(ConfigTest, TakesFurtherListeners) {
  const auto config = load(R"({"server": {
    "parts": ["ingest", "management"],
    "listeners": [
      {"address": "0.0.0.0:8443", "parts": ["websocket", "tokens", "login"],
       "certificate": "a.pem", "key": "a.key", "client_ca": "ca.pem",
       "client_certificate_required": true},
      {"address": "unix:/run/holdfast/control", "parts": ["control"]}
    ]}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->server.parts.ingest && config->server.parts.management);
  EXPECT_FALSE(config->server.parts.websocket || config->server.parts.login);
  ASSERT_EQ(config->server.listeners.size(), 2u);
  const Config::Listener& open = config->server.listeners[0];
  EXPECT_EQ(open.address, "0.0.0.0:8443");
  EXPECT_TRUE(open.parts.websocket && open.parts.tokens && open.parts.login && !open.control);
  EXPECT_FALSE(open.parts.ingest || open.parts.management);
  EXPECT_EQ(open.tls.key_file, "a.key");
  EXPECT_TRUE(open.tls.client_certificate_required);
  EXPECT_TRUE(config->server.listeners[1].control);
  EXPECT_TRUE(config->server.listeners[1].tls.certificate_file.empty());
}

TEST_F(ConfigTest, TakesAUnixSocketWithItsUrlAndMode) {
  EXPECT_THAT(refusal(R"({"server": {"listen": "unix:/run/gateway"}})"),
              HasSubstr("needs server.public_url"));
  const auto config = load(R"({"server": {"listen": "unix:/run/gateway", "unix_socket_mode": "0660",
                               "public_url": "https://push.example.com"}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server.unix_socket_mode, "0660");
  for (const std::string mode : {"660", "0777", "0066", "06660", "0640x", "0664 "}) {
    EXPECT_THAT(refusal(R"({"server": {"unix_socket_mode": ")" + mode + "\"}}"),
                HasSubstr("must be a mode"));
  }
}

// Without a proxy that is trusted, nobody could connect.
TEST_F(ConfigTest, TakesTheProxyProtocolOfTrustedProxiesAlone) {
  EXPECT_THAT(refusal(R"({"server": {"proxy_protocol": true}})"),
              HasSubstr("the PROXY protocol needs server.trusted_proxies"));
  EXPECT_THAT(refusal(R"({"server": {"listeners": [
                  {"address": "127.0.0.1:0", "parts": ["control"], "proxy_protocol": true}]}})"),
              HasSubstr("the PROXY protocol needs server.trusted_proxies"));
  const auto config = load(R"({"server": {"proxy_protocol": true, "trusted_proxies": ["10.0.0.0/8"],
      "listeners": [{"address": "127.0.0.1:0", "parts": ["ingest"], "proxy_protocol": true},
                    {"address": "127.0.0.1:0", "parts": ["tokens"]}]}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->server.proxy_protocol);
  EXPECT_TRUE(config->server.listeners.at(0).proxy_protocol);
  EXPECT_FALSE(config->server.listeners.at(1).proxy_protocol);
}

TEST_F(ConfigTest, TakesAUnixSocketBelowALongPath) {
  const auto listening = [this](std::size_t bytes) {
    return load(R"({"server": {"control_listen": "unix:/)" + std::string(bytes, 'x') + "\"}}");
  };
  EXPECT_TRUE(listening(1'000));
  EXPECT_FALSE(listening(5'000));
}

TEST_F(ConfigTest, RefusesListenersThatCannotBe) {
  const auto refused = [this](const std::string& listener) {
    return refusal(
        "{\"server\": {\n\"listeners\": [{\"address\": \"127.0.0.1:0\", \"parts\": "
        "[\"ingest\"]}, " +
        listener + "]}}");
  };
  EXPECT_THAT(refused("7"),
              AllOf(HasSubstr(":2: server.listeners element 2"), HasSubstr("must be an object")));
  EXPECT_THAT(refused(R"({"parts": ["ingest"]})"), HasSubstr("needs address"));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0"})"), HasSubstr("needs parts"));
  EXPECT_THAT(refused(R"({"address": "here", "parts": ["ingest"]})"),
              HasSubstr("address must be HOST:PORT"));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0", "parts": []})"), HasSubstr("needs a part"));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0", "parts": ["messages"]})"),
              HasSubstr("parts must hold only \"ingest\""));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0", "parts": ["ingest"], "port": 1})"),
              HasSubstr("has no member port"));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0", "parts": ["control", "ingest"]})"),
              HasSubstr("nothing else beside \"control\""));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0", "parts": ["ingest"], "key": "k"})"),
              HasSubstr("needs certificate and key, or neither"));
  EXPECT_THAT(refused(R"({"address": "unix:/s", "parts": ["ingest"], "certificate": "c",
                          "key": "k"})"),
              HasSubstr("cannot speak TLS on a Unix socket"));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0", "parts": ["ingest"], "client_ca": "c"})"),
              HasSubstr("client_ca needs certificate"));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0", "parts": ["ingest"],
                          "client_certificate_required": true})"),
              HasSubstr("needs client_ca"));
  EXPECT_THAT(refused(R"({"address": "127.0.0.1:0", "parts": ["ingest"],
                          "client_certificate_required": 1})"),
              HasSubstr("must be true or false"));
}

TEST_F(ConfigTest, TakesIssuersElsewhere) {
  const auto config = load(R"({"identity": {
    "issuers": [
      {"issuer": "https://login.example.com/realms/main", "audience": ["chat", "mobile"],
       "user_id_prefix": "kc:", "algorithms": ["EdDSA", "ES256"], "user_id_claim": "employee",
       "ca_file": "ca.pem"},
      {"issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Abc", "audience": ["c"],
       "user_id_prefix": "aws|", "token_use": "id", "jwks_file": "keys.json"}
    ]}})");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->identity.issuers.size(), 2u);
  const identity::IssuerOptions& first = config->identity.issuers[0];
  EXPECT_EQ(first.issuer, "https://login.example.com/realms/main");
  EXPECT_THAT(first.audiences, ElementsAre("chat", "mobile"));
  EXPECT_THAT(first.algorithms,
              ElementsAre(identity::SigningAlgorithm::es256, identity::SigningAlgorithm::eddsa));
  EXPECT_EQ(first.user_id_claim, "employee");
  EXPECT_EQ(first.user_id_prefix, "kc:");
  EXPECT_EQ(first.ca_file, "ca.pem");
  const identity::IssuerOptions& second = config->identity.issuers[1];
  EXPECT_THAT(second.algorithms, ElementsAre(identity::SigningAlgorithm::rs256));
  EXPECT_EQ(second.user_id_claim, "sub");
  EXPECT_EQ(second.token_use, "id");
  EXPECT_EQ(second.jwks_file, "keys.json");
}

TEST_F(ConfigTest, RefusesIssuersThatCannotBeToldApart) {
  const auto refused = [this](const std::string& issuer) {
    return refusal(
        "{\"identity\": {\n\"issuers\": [{\"issuer\": \"https://a.example.com\", \"audience\": "
        "[\"a\"], \"user_id_prefix\": \"kc:\"}, " +
        issuer + "]}}");
  };
  EXPECT_THAT(
      refused(R"({"issuer": "https://b.example.com", "audience": ["b"]})"),
      AllOf(HasSubstr(":2: identity.issuers element 2"), HasSubstr("needs user_id_prefix")));
  EXPECT_THAT(refused(R"({"audience": ["b"], "user_id_prefix": "b:"})"), HasSubstr("needs issuer"));
  EXPECT_THAT(
      refused(R"({"issuer": "https://b.example.com", "audience": "b", "user_id_prefix": "b:"})"),
      HasSubstr("audience must be an array of strings"));
  EXPECT_THAT(refused(R"({"issuer": "https://b.example.com", "audience": ["b"],
                          "user_id_prefix": "b:", "algorithms": ["none"]})"),
              HasSubstr("algorithms must hold only"));
  EXPECT_THAT(refused(R"({"issuer": "https://b.example.com", "audience": ["b"],
                          "user_id_prefix": "b:", "jwks": "x"})"),
              HasSubstr("has no member jwks"));
  EXPECT_THAT(refused(R"({"issuer": "https://b.example.com", "audience": ["b"],
                          "user_id_prefix": "b"})"),
              HasSubstr("user_id_prefix needs a character other than"));
  EXPECT_THAT(refused(R"({"issuer": "https://b.example.com", "audience": ["b"],
                          "user_id_prefix": "kc:2"})"),
              AllOf(HasSubstr(":2: identity.issuers:"), HasSubstr("neither may begin the other")));
  EXPECT_THAT(refused(R"({"issuer": "https://b.example.com", "audience": ["b"],
                          "user_id_prefix": ""})"),
              HasSubstr("neither may begin the other"));
  EXPECT_THAT(refused(R"({"issuer": "https://a.example.com", "audience": ["b"],
                          "user_id_prefix": "b:"})"),
              HasSubstr("two entries are of the issuer"));
}

TEST_F(ConfigTest, NeedsNothing) {
  const auto config = load_config({});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->server.listen, "127.0.0.1:8080");
  EXPECT_EQ(config->server.control_listen, "127.0.0.1:8081");
  EXPECT_EQ(config->limits.api.message.message_bytes, 131'072u);
  EXPECT_EQ(config->delivery.ack_wait, Milliseconds(100));
  EXPECT_EQ(config->delivery.ack_timeout, Milliseconds(10'000));
  EXPECT_EQ(config->delivery.pending_messages, 10'000);
  EXPECT_EQ(config->delivery.pending_bytes, 64 << 20);
  EXPECT_EQ(config->delivery.message_ttl, Seconds(14 * 24 * 3600));
  EXPECT_EQ(config->shutdown.drain, Seconds(5));
  EXPECT_EQ(config->aws.region, "us-east-1");
  EXPECT_EQ(config->aws.account, "000000000000");
  EXPECT_EQ(config->aws.api_id, "holdfast");
  EXPECT_EQ(config->aws.stage, "prod");
  EXPECT_EQ(config->aws.stack_name, "ServerlessAsyncMessagingGatewayStack");
  EXPECT_EQ(config->aws.sample_app_url, "http://127.0.0.1:8090");
  EXPECT_TRUE(config->user_pool.prevent_user_existence_errors);
}

TEST_F(ConfigTest, TakesTheValuesOfAFileWithComments) {
  const auto config = load(R"(// where
{
  /* the front
     door */
  "server": {"listen": "[::1]:0", "workers": 3},  // "quoted"
  "websocket": {"frame": "raw", "allowed_origins": ["https://a.example", "http://b.example:8000"]},
  "delivery": {"policy": "latest", "acknowledge": "client", "ack_wait_ms": 7},
  "keys": {"rotation_enabled": false},
  "log": {"format": "text", "level": "warn"}
})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server.listen, "[::1]:0");
  EXPECT_EQ(config->server.workers, 3u);
  EXPECT_EQ(config->websocket.frame, delivery::FrameFormat::raw);
  EXPECT_THAT(config->websocket.allowed_origins,
              ElementsAre("https://a.example", "http://b.example:8000"));
  EXPECT_EQ(config->delivery.policy, delivery::Policy::latest);
  EXPECT_EQ(config->delivery.acknowledge, delivery::Acknowledge::client);
  EXPECT_EQ(config->delivery.ack_wait, Milliseconds(7));
  EXPECT_FALSE(config->keys.rotation_enabled);
  EXPECT_FALSE(config->log.json);
  EXPECT_EQ(config->log.level, log::Level::warn);
}

TEST_F(ConfigTest, RefusesHalfAConfigurationOfTls) {
  EXPECT_THAT(refusal("{\n\"tls\": {\"certificate\": \"a.pem\"}}"),
              AllOf(HasSubstr("holdfast.json:2: "), HasSubstr("tls.certificate needs tls.key")));
  EXPECT_THAT(refusal(R"({"tls": {"key": "a.key"}})"), HasSubstr("tls.key needs tls.certificate"));
  EXPECT_THAT(refusal(R"({"tls": {"control": true}})"), HasSubstr("needs tls.certificate"));
  const auto config = load(R"({"tls": {"certificate": "a.pem", "key": "a.key", "control": true}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->tls.files.certificate_file, "a.pem");
  EXPECT_TRUE(config->tls.control);
}

TEST_F(ConfigTest, RefusesAProxyThatIsNoNetwork) {
  EXPECT_THAT(refusal(R"({"server": {"trusted_proxies": ["10.0.0.0/8", "nginx"]}})"),
              HasSubstr("server.trusted_proxies must hold addresses"));
  EXPECT_TRUE(load(R"({"server": {"trusted_proxies": ["10.0.0.0/8", "::1", "unix"]}})"));
}

TEST_F(ConfigTest, LeavesSlashesInsideStringsAlone) {
  const auto config = load(R"({"server": {"public_url": "https://chat.example.com"}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server.public_url, "https://chat.example.com");
}

TEST_F(ConfigTest, NamesAnUnknownKeyItsFileAndItsLine) {
  const std::string message = refusal("{\n  \"server\": {\n    \"lisen\": \"x\"\n  }\n}");
  EXPECT_EQ(message,
            dir_.file("holdfast.json") + ":3: server.lisen is not a key of the configuration");
}

TEST_F(ConfigTest, NamesAnUnknownSection) {
  EXPECT_THAT(refusal("{\n\"sever\": {}}"),
              AllOf(HasSubstr("holdfast.json:2: "), HasSubstr("sever is not a section")));
}

TEST_F(ConfigTest, NamesAWrongTypeAndWhatItShouldBe) {
  EXPECT_THAT(refusal("{\"delivery\": {\"ack_wait_ms\": \"100\"}}"),
              HasSubstr(":1: delivery.ack_wait_ms must be an integer"));
  EXPECT_THAT(refusal("{\"delivery\": {\"ack_wait_ms\": 1.5}}"), HasSubstr("must be an integer"));
  EXPECT_THAT(refusal("{\"keys\": {\"rotation_enabled\": 1}}"),
              HasSubstr("keys.rotation_enabled must be true or false"));
  EXPECT_THAT(refusal("{\"server\": {\"listen\": 8080}}"),
              HasSubstr("server.listen must be a string"));
  EXPECT_THAT(refusal("{\"websocket\": {\"allowed_origins\": \"https://a.example\"}}"),
              HasSubstr("must be an array of strings"));
  EXPECT_THAT(refusal("{\"websocket\": {\"allowed_origins\": [1]}}"),
              HasSubstr("must be an array of strings"));
  EXPECT_THAT(refusal("{\"server\": []}"), HasSubstr("server must be an object"));
  EXPECT_THAT(refusal("[]"), HasSubstr("not an object"));
}

TEST_F(ConfigTest, NamesAValueOutOfRangeAndTheRange) {
  EXPECT_THAT(refusal("{\"delivery\": {\n\"connections_per_user\": 0}}"),
              HasSubstr(":2: delivery.connections_per_user must be between 1 and 1000"));
  EXPECT_THAT(refusal("{\"server\": {\"workers\": -1}}"), HasSubstr("must be between 0 and 256"));
  EXPECT_THAT(refusal("{\"server\": {\"workers\": 18446744073709551615}}"),
              HasSubstr("must be between 0 and 256"));
  EXPECT_THAT(refusal("{\"delivery\": {\"policy\": \"first\"}}"),
              HasSubstr("delivery.policy must be one of \"all\", \"latest\""));
}

TEST_F(ConfigTest, RefusesAddressesThatAreNone) {
  for (const char* address : {"8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                              "127.0.0.1:http", "::1:80", "unix:relative", "http://127.0.0.1:80"}) {
    EXPECT_THAT(refusal("{\"server\": {\"listen\": \"" + std::string(address) + "\"}}"),
                HasSubstr("server.listen must be HOST:PORT"))
        << address;
  }
}

TEST_F(ConfigTest, RefusesStringsThatWouldNotMakeAnArn) {
  EXPECT_THAT(refusal("{\"aws\": {\"account\": \"12\"}}"), HasSubstr("12 digits"));
  EXPECT_THAT(refusal("{\"aws\": {\"stage\": \"a/b\"}}"), HasSubstr("aws.stage must be"));
  EXPECT_THAT(refusal("{\"aws\": {\"stack_name\": \"1a\"}}"), HasSubstr("aws.stack_name must be"));
  EXPECT_THAT(refusal("{\"server\": {\"public_url\": \"chat.example.com\"}}"),
              HasSubstr("server.public_url must be an http://"));
  EXPECT_THAT(refusal("{\"websocket\": {\"allowed_origins\": [\"https://a.example/path\"]}}"),
              HasSubstr("must be an origin"));
}

TEST_F(ConfigTest, TakesOriginsOfEverySchemeAndNoneThatCannotMatch) {
  const auto entry = [](const std::string& origin) {
    return R"({"websocket": {"allowed_origins": [")" + origin + R"("]}})";
  };
  for (const char* origin :
       {"*", "https://a.example", "http://localhost:3000", "capacitor://localhost",
        "ionic://localhost", "chrome-extension://abcdefghijklmnop", "HTTPS://A.example:443",
        "http://[::1]:8080", "http://10.0.0.1", "wss://push.example.com",
        "https://xn--bcher-kva.example", "file://", "https://a.example.", "https://0xa.example",
        "https://a.0xg"}) {
    const auto config = load(entry(origin));
    ASSERT_TRUE(config) << origin;
    EXPECT_THAT(config->websocket.allowed_origins, ElementsAre(origin));
  }
  for (const char* origin : {"https://*.example.com",
                             "https://*",
                             "*.example.com",
                             "null",
                             "a.example",
                             "//a.example",
                             "https://",
                             "https:/a.example",
                             "https://a.example/",
                             "https://a.example/path",
                             "https://user@a.example",
                             "https://a.example:",
                             "https://a.example:0",
                             "https://a.example:65536",
                             "https://a.example:80a",
                             "https://a b.example",
                             "https://b\u00fccher.example",
                             "http://10.1",
                             "http://256.1.1.1",
                             "http://1.2.3.4.",
                             "http://1.2.3.4.:80",
                             "http://0x7f000001",
                             "http://0X7F000001:8080",
                             "http://127.0.0.0x1",
                             "http://127.0.0.0x1.",
                             "http://a.0x",
                             "http://.",
                             "http://.:80",
                             "file:///",
                             "file:",
                             "FILE://",
                             "http://[::1",
                             "http://[x]",
                             "https://a.example?x",
                             "https://a.example#x",
                             "1a://host",
                             ""}) {
    EXPECT_THAT(refusal(entry(origin)), HasSubstr("websocket.allowed_origins")) << origin;
  }
  EXPECT_THAT(refusal(entry("https://*.example.com")), HasSubstr("must name each host"));
}

TEST_F(ConfigTest, TakesTheDefaultStage) {
  EXPECT_EQ(load(R"({"aws": {"stage": "$default"}})")->aws.stage, "$default");
  for (const char* stage : {"$other", "$", "default$", "$default/", ""}) {
    EXPECT_THAT(refusal(R"({"aws": {"stage": ")" + std::string(stage) + "\"}}"),
                HasSubstr("aws.stage must be"));
  }
}

TEST_F(ConfigTest, RefusesAConsoleThatNobodyCouldEnter) {
  const auto hash = [this](const std::string& text) {
    return refusal(R"({"console": {"password_hash": ")" + text + "\"}}");
  };
  const std::string salt_and_hash = "$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";
  const auto loaded = load_config(
      {.environment = {"HOLDFAST_CONSOLE__PASSWORD_HASH=$argon2id$v=19$m=19456,t=2,p=1" +
                       salt_and_hash}});
  EXPECT_TRUE(loaded);
  for (const std::string& wrong :
       {std::string("correct horse"), "$argon2i$v=19$m=19456,t=2,p=1" + salt_and_hash,
        "$argon2id$v=19$m=4194304,t=2,p=1" + salt_and_hash,
        "$argon2id$v=19$m=19456,t=0,p=1" + salt_and_hash,
        "$argon2id$v=19$m=19456,t=2" + salt_and_hash,
        std::string("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0"),
        "$argon2id$v=19$m=19456,t=2,p=1" + salt_and_hash + "$"}) {
    EXPECT_THAT(hash(wrong), HasSubstr("console.password_hash must be an Argon2id hash")) << wrong;
  }
  for (const char* const host :
       {"ops.example.com:8081", "https://ops", "a b", "", "fd00::1", "[]", "a[b"}) {
    EXPECT_THAT(refusal(std::string(R"({"console": {"allowed_hosts": [")") + host + "\"]}}"),
                HasSubstr("console.allowed_hosts must hold names or addresses"))
        << host;
  }
  EXPECT_THAT(refusal(R"({"server": {"control_public_url": "https://ops.example.com/console"}})"),
              HasSubstr("server.control_public_url must be an origin"));
  EXPECT_THAT(refusal(R"({"server": {"control_public_url": "*"}})"),
              HasSubstr("server.control_public_url must be an origin"));
}

TEST_F(ConfigTest, NamesTheLineOfBrokenJson) {
  EXPECT_THAT(refusal("{\n\n  \"server\": {\"listen\": }\n}"),
              HasSubstr("holdfast.json:3: not JSON"));
  EXPECT_THAT(refusal(""), HasSubstr("not JSON"));
}

TEST_F(ConfigTest, RefusesAKeyThatComesTwice) {
  EXPECT_THAT(refusal("{\"server\": {\n\"workers\": 1,\n\"workers\": 2}}"),
              HasSubstr("holdfast.json:3: server.workers is refused: duplicate name"));
}

TEST_F(ConfigTest, NamesAFileThatCannotBeRead) {
  const auto loaded = load_config({.file = dir_.file("missing.json")});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::io);
  EXPECT_THAT(loaded.error().message, HasSubstr(dir_.file("missing.json")));
  EXPECT_FALSE(load_config({.file = dir_.path().string()}));
}

TEST_F(ConfigTest, RefusesLimitsThatContradictEachOtherAndNamesWhoSetThem) {
  const std::string file = dir_.file("holdfast.json");
  EXPECT_EQ(refusal("{\"limits\": {\n\"message_bytes\": 200000,\n\"body_bytes\": 1204095}}"),
            file + ":3: limits.body_bytes (1204095, " + file +
                ":3) must be at least 1204096: 6 times limits.message_bytes (200000, " + file +
                ":2) and 4096");
  EXPECT_EQ(refusal("{\"limits\": {\n\"message_bytes\": 200000,\n\"body_bytes\": 1204096}}"),
            "accepted");
  // Where the key at fault is a default, the place is that of the key which asks for more.
  EXPECT_THAT(refusal("{\"limits\": {\n\"message_bytes\": 1000000}}"),
              StartsWith(file + ":2: limits.body_bytes (1048576, default) must be at least"));
  EXPECT_EQ(environment_refusal("HOLDFAST_LIMITS__BODY_BYTES=1024"),
            "HOLDFAST_LIMITS__BODY_BYTES: limits.body_bytes (1024, HOLDFAST_LIMITS__BODY_BYTES) "
            "must be at least 790528: 6 times limits.message_bytes (131072, default) and 4096");
  const auto flag = load_config({.environment = {"HOLDFAST_LIMITS__MESSAGE_BYTES=1000"},
                                 .overrides = {{"limits.body_bytes", "2048", "--body"}}});
  ASSERT_FALSE(flag);
  EXPECT_EQ(flag.error().message,
            "--body: limits.body_bytes (2048, --body) must be at least 10096: 6 times "
            "limits.message_bytes (1000, HOLDFAST_LIMITS__MESSAGE_BYTES) and 4096");
  EXPECT_EQ(flag.error().where, "limits.body_bytes");
}

TEST_F(ConfigTest, LeavesRoomForTheLongestFrameBehindAllThatACreditAllows) {
  // 1 MiB of credit, 6 times 128 KiB, 128 KiB of a management call, 4 KiB.
  EXPECT_EQ(environment_refusal("HOLDFAST_LIMITS__OUTBOUND_BYTES=1970176"), "accepted");
  EXPECT_THAT(environment_refusal("HOLDFAST_LIMITS__OUTBOUND_BYTES=1970175"),
              StartsWith("HOLDFAST_LIMITS__OUTBOUND_BYTES: limits.outbound_bytes (1970175, "));
  EXPECT_THAT(environment_refusal("HOLDFAST_DELIVERY__CREDIT_BYTES=4194304"),
              StartsWith("HOLDFAST_DELIVERY__CREDIT_BYTES: limits.outbound_bytes (4194304, "
                         "default) must be at least 5115904: delivery.credit_bytes (4194304, "));
}

TEST_F(ConfigTest, LeavesRoomForOneOfEverything) {
  EXPECT_THAT(environment_refusal("HOLDFAST_LIMITS__BODY_BYTES_IN_FLIGHT=1048576"), "accepted");
  const auto bodies = load_config({.environment = {"HOLDFAST_LIMITS__BODY_BYTES_IN_FLIGHT=1048576"},
                                   .overrides = {{"limits.body_bytes", "1048577", "--body"}}});
  ASSERT_FALSE(bodies);
  EXPECT_THAT(bodies.error().message,
              StartsWith("HOLDFAST_LIMITS__BODY_BYTES_IN_FLIGHT: limits.body_bytes_in_flight ("));
  EXPECT_THAT(environment_refusal("HOLDFAST_DELIVERY__PENDING_BYTES=131071"),
              StartsWith("HOLDFAST_DELIVERY__PENDING_BYTES: delivery.pending_bytes (131071, "));
  EXPECT_THAT(environment_refusal("HOLDFAST_DELIVERY__ACK_WAIT_MS=10001"),
              StartsWith("HOLDFAST_DELIVERY__ACK_WAIT_MS: delivery.ack_timeout_ms (10000, default) "
                         "must be at least 10001: delivery.ack_wait_ms (10001, "));
}

TEST_F(ConfigTest, LetsTheEnvironmentOverrideTheFile) {
  const auto config =
      load_config({.file = write("{\"server\": {\"listen\": \"127.0.0.1:1\", \"workers\": 4}}"),
                   .environment = {"HOLDFAST_SERVER__LISTEN=127.0.0.1:2", "PATH=/bin",
                                   "HOLDFAST_WEBSOCKET__ALLOWED_ORIGINS=[\"https://a.example\"]",
                                   "HOLDFAST_KEYS__ROTATION_ENABLED=false"}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server.listen, "127.0.0.1:2");
  EXPECT_EQ(config->server.workers, 4u);
  EXPECT_THAT(config->websocket.allowed_origins, ElementsAre("https://a.example"));
  EXPECT_FALSE(config->keys.rotation_enabled);
}

TEST_F(ConfigTest, LeavesOtherVariablesAlone) {
  EXPECT_TRUE(load_config(
      {.environment = {"HOLDFAST_URL=http://127.0.0.1:1", "HOLDFAST_SAMPLE_APP_URL=x",
                       "HOLDFAST_MASTER_KEY=y", "HOLDFAST_USER_POOL_ID=z", "holdfast_a__b=1"}}));
}

TEST_F(ConfigTest, NamesTheVariableAtFault) {
  EXPECT_EQ(environment_refusal("HOLDFAST_SERVER__LISEN=x"),
            "HOLDFAST_SERVER__LISEN: server.lisen is not a key of the configuration");
  EXPECT_THAT(environment_refusal("HOLDFAST_SERVER__WORKERS=many"),
              StartsWith("HOLDFAST_SERVER__WORKERS: server.workers must be an integer"));
  EXPECT_THAT(environment_refusal("HOLDFAST_SERVER__WORKERS=257"),
              StartsWith("HOLDFAST_SERVER__WORKERS: server.workers must be between"));
  EXPECT_THAT(environment_refusal("HOLDFAST_WEBSOCKET__ALLOWED_ORIGINS=https://a.example"),
              HasSubstr("must be an array of strings"));
}

TEST_F(ConfigTest, FlagsOverrideTheEnvironment) {
  const auto config = load_config({.environment = {"HOLDFAST_SERVER__LISTEN=127.0.0.1:2"},
                                   .overrides = {{"server.listen", "127.0.0.1:3", "--listen"}}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server.listen, "127.0.0.1:3");
  const auto refused = load_config({.overrides = {{"server.listen", "here", "--listen"}}});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, StartsWith("--listen: server.listen must be HOST:PORT"));
}

TEST_F(ConfigTest, HasAnExplanationAndAnAllowedDefaultForEveryKey) {
  std::set<std::string> keys;
  for (const SettingInfo& setting : settings()) {
    EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
    EXPECT_THAT(setting.doc, ::testing::EndsWith(".")) << setting.key;
    EXPECT_THAT(setting.key, ::testing::MatchesRegex("[a-z_]+\\.[a-z_]+"));
  }
  const auto loaded = load(default_config_text());
  EXPECT_TRUE(loaded) << loaded.error().message;
}

TEST_F(ConfigTest, ReadsBackEveryKey) {
  for (const SettingInfo& setting : settings()) {
    std::string variable = "HOLDFAST_";
    for (const char c : setting.key) {
      if (c == '.') {
        variable += "__";
      } else {
        variable += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      }
    }
    std::string text = setting.default_json;
    if (setting.type == "string") text = text.substr(1, text.size() - 2);
    const auto loaded = load_config({.environment = {variable + "=" + text}});
    EXPECT_TRUE(loaded) << setting.key << ": " << loaded.error().message;
  }
}

TEST_F(ConfigTest, ShipsAFileThatMatchesTheTable) {
  std::ifstream in(std::filesystem::path(HOLDFAST_SOURCE_DIR) / "config" / "holdfast.json");
  const std::string shipped(std::istreambuf_iterator<char>(in), {});
  EXPECT_EQ(shipped, default_config_text());
}

}  // namespace
}  // namespace holdfast::app
