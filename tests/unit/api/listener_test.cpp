// Tests listeners that serve only some parts.

#include <algorithm>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include <holdfast/api/service.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/spent_challenges.hpp>
#include <holdfast/identity/user_pool.hpp>
#include <holdfast/net/client.hpp>
#include <holdfast/net/server.hpp>

#include "support/delivery/fake_message_store.hpp"
#include "support/identity/fake_password_hasher.hpp"
#include "support/net/raw_client.hpp"
#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

// The gateway on real shards, sockets and mailboxes; what a disk and a hasher would do is faked.
class GatewayOnSockets : public ::testing::Test {
 protected:
  static constexpr std::size_t kShards = 2;

  GatewayOnSockets() {
    keys_->add(std::string(kRootKey), "root", iam::kAllowAll);
    std::vector<delivery::Router::Shard> shards;
    for (std::size_t i = 0; i < kShards; ++i) {
      Executor& executor = shards_->at(i);
      stores_.push_back(std::make_unique<Stores>(database_, identity_, executor));
      delivery::MailboxesOptions options;
      const delivery::StartState start = database_->start(clock_.wall_now());
      options.shard = i;
      options.counter_start = start.counter_start;
      options.ceiling = start.ceiling;
      mailboxes_.push_back(delivery::make_mailboxes(options, clock_, executor, stores_[i]->messages,
                                                    stores_[i]->connections));
      shards.push_back({&executor, mailboxes_[i].get()});
      shards_->at(i).every(Milliseconds(10),
                           [mailboxes = mailboxes_[i].get()] { mailboxes->tick(); });
    }
    router_ = std::make_unique<delivery::Router>(std::move(shards));
    listener_ = net::make_listener({.name = "gateway", .address = "127.0.0.1:0", .limits = {}},
                                   *shards_, clock_);
    shards_->start();
    EXPECT_TRUE(listener_->start(make_service()));
  }
  ~GatewayOnSockets() override {
    listener_->close();
    shards_->stop();
  }

  std::shared_ptr<net::HttpService> make_service() {
    const auto id_tokens = std::make_shared<const identity::IdTokenVerifier>(
        identity::PoolAudience{issuer(), std::string(kClientId)}, signer_, clock_);
    api::GatewayParts parts{clock_, *router_, id_tokens, signer_, {}, nullptr};
    identity::UserPoolOptions pool;
    pool.pool_id = kPoolId;
    pool.client_id = kClientId;
    pool.issuer = issuer();
    for (std::size_t i = 0; i < kShards; ++i) {
      Stores& stores = *stores_[i];
      stores.verifier = std::make_unique<iam::SigV4Verifier>(iam::SigV4Options{}, clock_, keys_);
      stores.pool = std::make_unique<identity::UserPool>(
          pool, identity::UserPoolParts{.clock = clock_,
                                        .executor = shards_->at(i),
                                        .users = stores.users,
                                        .refresh_tokens = stores.refresh_tokens,
                                        .codes = stores.codes,
                                        .known_addresses = stores.known_addresses,
                                        .ring = ring_,
                                        .signer = signer_,
                                        .hasher = hasher_,
                                        .attempts = attempts_,
                                        .spent_challenges = spent_challenges_,
                                        .code_sender = std::make_shared<FakeCodeSender>(),
                                        .on_logins_ended = {}});
      stores.generator = std::make_unique<identity::Generator>(
          identity::TemporaryTokenOptions{}, clock_, ring_, stores.users, stores.tokens);
      stores.authorizer = std::make_unique<identity::Authorizer>(
          identity::TemporaryTokenOptions{}, clock_, ring_, stores.users, stores.tokens);
      parts.shards.push_back({stores.verifier.get(), stores.pool.get(), stores.generator.get(),
                              stores.authorizer.get()});
    }
    api::GatewayOptions options;
    options.instance.pool_id = kPoolId;
    return api::GatewayServices(std::move(options), std::move(parts), {{}}).all().front();
  }
  static std::string issuer() { return "http://localhost/" + std::string(kPoolId); }

  net::Url url(const std::string& target = "/") {
    return net::parse_url("http://" + listener_->address() + target).value();
  }
  net::Response send(net::HttpClient& client, const std::string& user, const std::string& text) {
    net::ClientRequest request{.method = "POST", .target = "/message", .headers = {}, .body = {}};
    request.body = Json{{"userId", user}, {"message", text}}.dump();
    const std::string id(kRootKey);
    const std::string host = url().authority();
    const std::vector<iam::Header> headers = {{"Host", host}, {"Content-Type", "application/json"}};
    request.headers = iam::sign({"POST", request.target, headers, request.body},
                                {id, StaticAccessKeys::secret_of(id), {}}, "us-east-1",
                                "execute-api", clock_.wall_now());
    request.headers.emplace_back("Content-Type", "application/json");
    return client.request(request).value();
  }
  UserId add_user(const std::string& name) {
    identity::User user;
    user.sub = UserId(generate_uuid());
    user.username = name;
    user.password_hash = FakePasswordHasher::encoded("Passw0rd!");
    const std::lock_guard lock(identity_.mutex);
    identity_.users[user.sub.str()] = user;
    return user.sub;
  }
  std::string temporary_token(const std::string& name) {
    const auto client = net::make_http_client(url());
    net::ClientRequest login{.method = "POST", .target = "/", .headers = {}, .body = {}};
    login.headers = {{"X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth"},
                     {"Content-Type", "application/x-amz-json-1.1"}};
    login.body = Json{{"ClientId", kClientId},
                      {"AuthFlow", "USER_PASSWORD_AUTH"},
                      {"AuthParameters", {{"USERNAME", name}, {"PASSWORD", "Passw0rd!"}}}}
                     .dump();
    const net::Response answer = client->request(login).value();
    EXPECT_EQ(answer.status, 200) << answer.body;
    const Json result = parse_json(answer.body).value();
    net::ClientRequest tokens{.method = "GET", .target = "/tokens", .headers = {}, .body = {}};
    tokens.headers = {
        {"Authorization", result["AuthenticationResult"]["IdToken"].get<std::string>()}};
    const net::Response token = client->request(tokens).value();
    EXPECT_EQ(token.status, 200) << token.body;
    return parse_json(token.body).value()["token"].get<std::string>();
  }

  struct Stores {
    Stores(std::shared_ptr<FakeDatabase> database, FakeIdentityDatabase& identity,
           Executor& executor)
        : messages(std::move(database), executor),
          users(identity, executor),
          tokens(identity, executor),
          refresh_tokens(identity, executor),
          codes(identity, executor),
          known_addresses(identity, executor) {}
    FakeMessageStore messages;
    FakeConnectionStore connections;
    FakeUserStore users;
    FakeTokenStore tokens;
    FakeRefreshTokenStore refresh_tokens;
    FakeCodeStore codes;
    FakeKnownAddressStore known_addresses;
    std::unique_ptr<iam::SigV4Verifier> verifier;
    std::unique_ptr<identity::UserPool> pool;
    std::unique_ptr<identity::Generator> generator;
    std::unique_ptr<identity::Authorizer> authorizer;
  };

  const Clock& clock_ = system_clock();
  std::shared_ptr<FakeDatabase> database_ = std::make_shared<FakeDatabase>();
  FakeIdentityDatabase identity_;
  std::shared_ptr<identity::KeyRing> ring_ = SharedKeys::instance().ring;
  std::shared_ptr<identity::TokenSigner> signer_ = SharedKeys::instance().signer;
  std::shared_ptr<FakePasswordHasher> hasher_ = std::make_shared<FakePasswordHasher>();
  std::shared_ptr<identity::AttemptCounts> attempts_ =
      std::make_shared<identity::AttemptCounts>(clock_, 1000);
  std::shared_ptr<identity::SpentChallenges> spent_challenges_ =
      std::make_shared<identity::SpentChallenges>(clock_);
  std::shared_ptr<StaticAccessKeys> keys_ = std::make_shared<StaticAccessKeys>();
  std::unique_ptr<net::Shards> shards_ = net::make_shards(kShards);
  std::vector<std::unique_ptr<Stores>> stores_;
  // Outlives the mailboxes, which may hold connections of it to the end.
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<delivery::Mailboxes>> mailboxes_;
  std::unique_ptr<delivery::Router> router_;
};

TEST_F(GatewayOnSockets, HoldsMessagesAndDeliversThemOnConnecting) {
  const UserId user = add_user("alice");
  const auto producer = net::make_http_client(url());
  for (const char* text : {"one", "two"}) {
    const net::Response held = send(*producer, user.str(), text);
    ASSERT_EQ(held.status, 200) << held.body;
    EXPECT_EQ(parse_json(held.body).value()["status"], "STORED");
  }
  net::Url target = url("/ws?token=" + temporary_token("alice"));
  target.scheme = "ws";
  auto client = net::connect_websocket(target, {}, {}, Milliseconds(10'000));
  ASSERT_TRUE(client) << client.error().message;
  for (const char* text : {"one", "two"}) {
    const auto frame = (*client)->read(Milliseconds(10'000));
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ(**frame, std::string(R"({"Payload":")") + text + "\"}");
  }
  // One that reads acknowledges by its Pongs.
  auto answer = std::async(std::launch::async, [&] { return send(*producer, user.str(), "live"); });
  const auto frame = (*client)->read(Milliseconds(10'000));
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ(**frame, R"({"Payload":"live"})");
  (void)(*client)->read(Milliseconds(50));
  const net::Response live = answer.get();
  EXPECT_EQ(live.status, 200) << live.body;
  (*client)->close();
}

TEST_F(GatewayOnSockets, AdmitsOneOfManyThatRaceWithOneToken) {
  const UserId user = add_user("bob");
  const std::string token = temporary_token("bob");
  std::atomic<int> admitted = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      RawClient client(listener_->address());
      const auto answer = client.upgrade("/ws?token=" + token);
      if (answer && answer->status == 101) ++admitted;
      if (answer && answer->status == 401) ++refused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, 1);
  EXPECT_EQ(refused, 15);
}

TEST_F(GatewayOnSockets, AnswersBadRequestsInTheDocumentedShape) {
  const auto ask = [&](const std::string& head, const std::string& body = {}) {
    RawClient client(listener_->address());
    EXPECT_TRUE(client.send(head + "Host: x\r\n\r\n" + body));
    return client.read_response().value_or(RawResponse());
  };
  struct Row {
    std::string head;
    int status;
    std::string type;
  };
  const std::vector<Row> rows = {
      {"GET /nothing HTTP/1.1\r\n", 403, "MissingAuthenticationTokenException"},
      {"GET /message HTTP/1.1\r\n", 405, "MethodNotAllowedException"},
      {"GET /tokens HTTP/1.1\r\n", 401, "UnauthorizedException"},
      {"GET /ws HTTP/1.1\r\n", 426, "UpgradeRequiredException"},
      {"POST /message HTTP/1.1\r\nContent-Length: 0\r\n", 403,
       "MissingAuthenticationTokenException"},
      {"POST /message HTTP/1.1\r\nContent-Length: 1048577\r\n", 413, "RequestTooLargeException"},
      {"POST /message HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400,
       "BadRequestException"},
      {"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Version: 12\r\n",
       426, "UpgradeRequiredException"},
      {"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
       "Origin: http://evil.example\r\n",
       403, "ForbiddenException"},
      {"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
       401, "UnauthorizedException"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.head);
    const RawResponse response = ask(row.head);
    EXPECT_EQ(response.status, row.status) << response.body;
    EXPECT_EQ(response.header("x-amzn-ErrorType"), row.type);
    EXPECT_FALSE(response.header("x-amzn-RequestId").empty());
    EXPECT_FALSE(response.header("Date").empty());
    if (row.status == 426) {
      EXPECT_EQ(response.header("Sec-WebSocket-Version"), "13");
      EXPECT_EQ(response.header("Upgrade"), "websocket");
      EXPECT_EQ(std::ranges::count(response.headers, "Upgrade",
                                   &std::pair<std::string, std::string>::first),
                1);
    }
  }
}

}  // namespace
}  // namespace holdfast::test
