#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/api/service.hpp>
#include <holdfast/base/audit.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/spent_challenges.hpp>
#include <holdfast/identity/user_pool.hpp>
#include <holdfast/net/live_connection.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/delivery/fake_connection.hpp"
#include "support/delivery/fake_mailboxes.hpp"
#include "support/identity/fake_code_sender.hpp"
#include "support/identity/fake_password_hasher.hpp"
#include "support/identity/open.hpp"

namespace holdfast::test {

/// Access keys in a map, with real policies.
class StaticAccessKeys final : public iam::AccessKeys {
 public:
  void add(std::string id, std::string name, std::string_view policy, bool enabled = true,
           iam::KeyRate rate = std::nullopt, std::optional<WallTime> expires_at = {}) {
    auto key = std::make_shared<iam::AccessKey>();
    key->id = id;
    key->name = name;
    key->arn = "arn:aws:iam::000000000000:" + (name == "root" ? name : "user/" + name);
    key->secret = secret_of(id);
    key->enabled = enabled;
    key->rate = rate;
    key->expires_at = expires_at;
    key->policy = iam::parse_policy(policy).value();
    key->quota = std::make_shared<SenderQuota>(id);
    keys_[std::move(id)] = std::move(key);
  }
  static std::string secret_of(const std::string& id) { return "secret-of-" + id; }

  iam::AccessKeyPtr find(std::string_view id) const override {
    const auto found = keys_.find(std::string(id));
    return found == keys_.end() ? nullptr : found->second;
  }
  std::vector<iam::AccessKeyPtr> list() const override { return {}; }
  void create(NewKey, Completion<Result<Created>> done) override {
    done(fail(Errc::unavailable, "not in this test"));
  }
  void change(const std::string&, iam::AccessKeyChange, Completion<Result<void>> done) override {
    done(fail(Errc::unavailable, "not in this test"));
  }
  void remove(const std::string&, Completion<Result<void>> done) override {
    done(fail(Errc::unavailable, "not in this test"));
  }
  /// The token of a session is its id.
  iam::Credentials add_session(std::string_view parent, WallTime expires_at,
                               std::string_view policy = {}) {
    auto session = std::make_shared<iam::TemporaryCredentials>();
    session->id = "ASIA" + std::to_string(sessions_.size());
    session->secret = secret_of(session->id);
    session->parent_id = parent;
    session->expires_at = expires_at;
    if (!policy.empty()) session->policy = iam::parse_policy(policy).value();
    sessions_[session->id] = session;
    return {session->id, session->secret, session->id};
  }
  Result<NewTemporaryCredentials> make_temporary_credentials(
      std::string_view, Seconds, const std::optional<std::string>&) override {
    return fail(Errc::unavailable, "not in this test");
  }
  Result<iam::TemporaryCredentialsPtr> open_temporary_credentials(
      std::string_view token) const override {
    const auto found = sessions_.find(std::string(token));
    if (found == sessions_.end()) return fail(Errc::unauthenticated, "no such session");
    return found->second;
  }

 private:
  std::map<std::string, iam::TemporaryCredentialsPtr> sessions_;
  std::map<std::string, iam::AccessKeyPtr> keys_;
};

inline constexpr std::string_view kRootKey = "AKIAROOTROOTROOTROOT";
inline constexpr std::string_view kPoorKey = "AKIAPOORPOORPOORPOOR";
inline constexpr std::string_view kDeniedKey = "AKIADENYDENYDENYDENY";
inline constexpr std::string_view kDisabledKey = "AKIADISABLEDDISABLED";
inline constexpr std::string_view kPoolId = "us-east-1_Abc123456";
inline constexpr std::string_view kClientId = "1example23456789";
inline constexpr std::string_view kJsonMessage = R"({"userId":"u1","message":"hello"})";

/// Keys that take a while to make: once for all tests.
struct SharedKeys {
  ManualClock clock;
  ManualExecutor executor;
  FakeIdentityDatabase database;
  FakeKeyStore store{database, executor};
  std::shared_ptr<identity::KeyRing> ring = open_ring(executor, clock, store).value();
  std::shared_ptr<identity::TokenSigner> signer = open_signer(executor, clock, store, ring).value();

  static SharedKeys& instance() {
    static SharedKeys keys;
    return keys;
  }
};

/// Keeps what it is told.
class FakeAudit final : public Audit {
 public:
  void record(AuditEvent event) override { events.push_back(std::move(event)); }
  std::vector<AuditEvent> events;
};

/// The whole gateway over two shards, with real signatures, policies and identity; stores, hashing
/// and mailboxes are fakes. Requests go to shard 0.
class GatewayFixture : public ::testing::Test {
 protected:
  GatewayFixture() {
    api::GatewayOptions options;
    options.limits.token_requests_per_second = 0;
    start(std::move(options));
  }

  void start(api::GatewayOptions options) {
    options.instance.pool_id = kPoolId;
    options.instance.issuer = issuer();
    keys_->add(std::string(kRootKey), "root", iam::kAllowAll);
    keys_->add(
        std::string(kPoorKey), "poor",
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
        R"("Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/*/POST/messages"}]})");
    keys_->add(std::string(kDeniedKey), "denied",
               R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",)"
               R"("Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*"}]})");
    keys_->add(std::string(kDisabledKey), "disabled", iam::kAllowAll, false);
    std::vector<api::GatewayShard> shards;
    for (std::size_t i = 0; i < executors_.size(); ++i) {
      verifiers_[i] = std::make_unique<iam::SigV4Verifier>(iam::SigV4Options{}, clock_, keys_);
      pools_[i] = std::make_unique<identity::UserPool>(
          pool_options_,
          identity::UserPoolParts{.clock = clock_,
                                  .executor = executors_[i],
                                  .users = users_[i],
                                  .refresh_tokens = refresh_tokens_[i],
                                  .codes = codes_[i],
                                  .known_addresses = known_addresses_[i],
                                  .ring = ring_,
                                  .signer = signer_,
                                  .hasher = hasher_,
                                  .attempts = attempts_,
                                  .spent_challenges = spent_challenges_,
                                  .code_sender = code_sender_,
                                  .on_logins_ended = [this](const identity::EndedLogins& ended) {
                                    ended_.push_back(ended.sub.str());
                                  }});
      generators_[i] = std::make_unique<identity::Generator>(identity::TemporaryTokenOptions{},
                                                             clock_, ring_, users_[i], tokens_[i]);
      authorizers_[i] = std::make_unique<identity::Authorizer>(
          identity::TemporaryTokenOptions{}, clock_, ring_, users_[i], tokens_[i]);
      shards.push_back(
          {verifiers_[i].get(), pools_[i].get(), generators_[i].get(), authorizers_[i].get()});
    }
    api::GatewayParts parts{clock_, router_, id_tokens_, signer_, shards, &draining_};
    parts.audit = audit_;
    service_ = api::GatewayServices(std::move(options), std::move(parts), {served_}).all().front();
  }

  static identity::UserPoolOptions pool_options() {
    identity::UserPoolOptions out;
    out.pool_id = kPoolId;
    out.client_id = kClientId;
    out.issuer = issuer();
    // Simple ones are easy to read in a test.
    out.password_refuse_common = false;
    return out;
  }
  static std::string issuer() { return "http://127.0.0.1:8080/" + std::string(kPoolId); }

  static net::Request make_request(std::string method, std::string target, std::string body = {}) {
    net::Request out;
    out.head.method = std::move(method);
    out.head.target = std::move(target);
    out.head.headers = {{"Host", "127.0.0.1:8080"}};
    out.head.remote_address = "127.0.0.1";
    out.body = std::move(body);
    return out;
  }

  void sign(net::Request& request, std::string_view key = kRootKey,
            std::string_view service = "execute-api", std::string_view region = "us-east-1") {
    const std::string id(key);
    sign(request, iam::Credentials{id, StaticAccessKeys::secret_of(id), {}}, service, region);
  }
  void sign(net::Request& request, const iam::Credentials& credentials,
            std::string_view service = "execute-api", std::string_view region = "us-east-1") {
    // Makes each call's bytes differ, as AWS's SDKs do.
    request.head.headers.emplace_back("amz-sdk-invocation-id", std::to_string(++signed_calls_));
    const iam::SignedRequest unsigned_request{.method = request.head.method,
                                              .target = request.head.target,
                                              .headers = request.head.headers,
                                              .body = request.body};
    auto added = iam::sign(unsigned_request, credentials, region, service, clock_.wall_now());
    for (auto& header : added) request.head.headers.push_back(std::move(header));
  }

  net::Request message_request(std::string body = std::string(kJsonMessage),
                               std::string target = "/message") {
    net::Request out = make_request("POST", std::move(target), std::move(body));
    out.head.headers.emplace_back("Content-Type", "application/json");
    return out;
  }
  net::Request signed_message(std::string body = std::string(kJsonMessage),
                              std::string target = "/message") {
    net::Request out = message_request(std::move(body), std::move(target));
    sign(out);
    return out;
  }
  net::Request pool_request(const std::string& operation, const Json& input) {
    net::Request out = make_request("POST", "/", input.dump());
    out.head.headers.emplace_back("Content-Type", "application/x-amz-json-1.1");
    out.head.headers.emplace_back("X-Amz-Target", "AWSCognitoIdentityProviderService." + operation);
    return out;
  }

  /// Acts as a listener: screens, checks the body against the limit, handles, runs both shards.
  net::Response call(net::Request request) {
    auto screened = service_->screen(request.head);
    if (auto* refused = std::get_if<net::Response>(&screened)) return std::move(*refused);
    const auto& limit = std::get<net::BodyLimit>(screened);
    if (request.body.size() > limit.bytes) return service_->error(413, "body too large");
    request.head.route = limit.route;
    std::optional<net::Response> out;
    service_->handle(std::move(request),
                     [&](net::Response response) { out = std::move(response); });
    run();
    EXPECT_TRUE(out.has_value()) << "no answer came";
    return std::move(out).value_or(net::Response());
  }

  using UpgradeResult = std::variant<net::Response, net::LiveAccepted>;
  UpgradeResult upgrade(std::string target,
                        std::vector<std::pair<std::string, std::string>> headers = {}) {
    net::RequestHead head = make_request("GET", std::move(target)).head;
    head.headers.emplace_back("Upgrade", "websocket");
    head.headers.insert(head.headers.end(), headers.begin(), headers.end());
    const auto route = service_->live()->opens(head);
    EXPECT_TRUE(route);
    head.route = route.value_or(0);
    std::optional<UpgradeResult> out;
    service_->live()->open(std::move(head), [&](UpgradeResult result) { out = std::move(result); });
    run();
    return std::move(out.value());
  }

  void run() {
    while (std::ranges::any_of(executors_, [](auto& executor) { return !executor.idle(); })) {
      for (ManualExecutor& executor : executors_) executor.run();
    }
  }

  /// A confirmed user of the pool.
  identity::User add_user(const std::string& name, const std::string& password = "Passw0rd!") {
    identity::User user;
    user.sub = UserId(generate_uuid());
    user.username = name;
    user.password_hash = FakePasswordHasher::encoded(password);
    user.created_at = user.modified_at = user.password_set_at = clock_.wall_now();
    database_.users[user.sub.str()] = user;
    return user;
  }
  /// The ID token of a login.
  std::string log_in(const std::string& name, const std::string& password = "Passw0rd!") {
    const net::Response response = call(pool_request(
        "InitiateAuth", {{"ClientId", kClientId},
                         {"AuthFlow", "USER_PASSWORD_AUTH"},
                         {"AuthParameters", {{"USERNAME", name}, {"PASSWORD", password}}}}));
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body)["AuthenticationResult"]["IdToken"].get<std::string>();
  }
  std::string temporary_token(const std::string& name) {
    net::Request request = make_request("GET", "/tokens");
    request.head.headers.emplace_back("Authorization", log_in(name));
    const net::Response response = call(std::move(request));
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body)["token"].get<std::string>();
  }

  static std::string header(const net::Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }
  static std::string message_of(const net::Response& response) {
    const auto body = parse_json(response.body);
    if (!body || !body->is_object()) return "no JSON: " + response.body;
    return body->value("message", body->value("Message", std::string()));
  }
  static void expect_error(const net::Response& response, int status, std::string_view type,
                           std::string_view words) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(header(response, "x-amzn-ErrorType"), type) << response.body;
    EXPECT_FALSE(header(response, "x-amzn-RequestId").empty());
    EXPECT_NE(message_of(response).find(words), std::string::npos) << response.body;
  }

  std::shared_ptr<FakeAudit> audit_ = std::make_shared<FakeAudit>();
  api::ServedParts served_;  ///< a change needs `start`
  std::size_t signed_calls_ = 0;
  ManualClock clock_;
  std::array<ManualExecutor, 2> executors_;
  std::array<FakeMailboxes, 2> mailboxes_;
  delivery::Router router_{{{&executors_[0], &mailboxes_[0]}, {&executors_[1], &mailboxes_[1]}}};
  FakeIdentityDatabase database_;
  std::array<FakeUserStore, 2> users_{FakeUserStore(database_, executors_[0]),
                                      FakeUserStore(database_, executors_[1])};
  std::array<FakeTokenStore, 2> tokens_{FakeTokenStore(database_, executors_[0]),
                                        FakeTokenStore(database_, executors_[1])};
  std::array<FakeRefreshTokenStore, 2> refresh_tokens_{
      FakeRefreshTokenStore(database_, executors_[0]),
      FakeRefreshTokenStore(database_, executors_[1])};
  std::array<FakeCodeStore, 2> codes_{FakeCodeStore(database_, executors_[0]),
                                      FakeCodeStore(database_, executors_[1])};
  std::array<FakeKnownAddressStore, 2> known_addresses_{
      FakeKnownAddressStore(database_, executors_[0]),
      FakeKnownAddressStore(database_, executors_[1])};
  std::shared_ptr<FakeCodeSender> code_sender_ = std::make_shared<FakeCodeSender>();
  std::vector<std::string> ended_;                           ///< users whose access has ended
  identity::UserPoolOptions pool_options_ = pool_options();  ///< a change needs `start`
  std::shared_ptr<identity::KeyRing> ring_ = SharedKeys::instance().ring;
  std::shared_ptr<identity::TokenSigner> signer_ = SharedKeys::instance().signer;
  std::shared_ptr<const identity::IdTokenVerifier> id_tokens_ =
      std::make_shared<identity::IdTokenVerifier>(
          identity::PoolAudience{issuer(), std::string(kClientId)}, signer_, clock_);
  std::shared_ptr<FakePasswordHasher> hasher_ = std::make_shared<FakePasswordHasher>();
  std::shared_ptr<identity::AttemptCounts> attempts_ =
      std::make_shared<identity::AttemptCounts>(clock_, 1000);
  std::shared_ptr<identity::SpentChallenges> spent_challenges_ =
      std::make_shared<identity::SpentChallenges>(clock_);
  std::shared_ptr<StaticAccessKeys> keys_ = std::make_shared<StaticAccessKeys>();
  std::array<std::unique_ptr<iam::SigV4Verifier>, 2> verifiers_;
  std::array<std::unique_ptr<identity::UserPool>, 2> pools_;
  std::array<std::unique_ptr<identity::Generator>, 2> generators_;
  std::array<std::unique_ptr<identity::Authorizer>, 2> authorizers_;
  std::atomic<bool> draining_ = false;
  std::shared_ptr<net::HttpService> service_;
};

}  // namespace holdfast::test
