// A request to the control socket: method and target in the first line, its body behind it.

#include <algorithm>
#include <array>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/spent_challenges.hpp>
#include <holdfast/identity/user_pool.hpp>

#include "fuzz/oracle.hpp"
#include "support/control/control_socket_parts.hpp"
#include "support/identity/fake_code_sender.hpp"
#include "support/identity/fake_password_hasher.hpp"
#include "support/identity/open.hpp"

namespace {

using namespace holdfast;
using namespace holdfast::fuzz;

constexpr std::size_t kListMax = 1000;

/// What a request may change.
struct Changeable {
  std::map<std::string, iam::AccessKeyPtr> keys;
  std::size_t messages = 0;
  std::size_t dead_letters = 0;
  std::uint32_t data_key = 0;
  std::uint32_t signing_key = 0;
  std::size_t recorded = 0;
  std::map<std::string, std::string> users;

  bool operator==(const Changeable&) const = default;
};

/// The keys of a user pool: made once, as they take long.
struct PoolKeys {
  test::ManualClock clock;
  test::ManualExecutor executor;
  test::FakeIdentityDatabase database;
  test::FakeKeyStore store{database, executor};
  std::shared_ptr<identity::KeyRing> ring = test::open_ring(executor, clock, store).value();
  std::shared_ptr<identity::TokenSigner> signer =
      test::open_signer(executor, clock, store, ring).value();
};

/// Two users with pending messages, one of them in the pool, and an access key.
class World : public test::ControlSocketParts {
 public:
  World() {
    for (const char* user : {"anna", "ben"}) {
      for (Sequence sequence = 1; sequence <= 3; ++sequence) hold(user, sequence, "text");
    }
    keys_->create({.name = "orders", .policy = "", .rate = {}}, [](auto) {});
    identity::User user;
    user.sub = UserId("anna");
    user.username = "Anna";
    user.password_hash = test::FakePasswordHasher::encoded("Correct-horse-1");
    pool_users_.users["anna"] = user;
    service_ = control::make_local_control_service({.clock = clock_,
                                                    .router = router_,
                                                    .messages = {&messages_[0], &messages_[1]},
                                                    .access_keys = keys_,
                                                    .key_ring = ring_,
                                                    .signer = signer_,
                                                    .keys_executor = executors_[2],
                                                    .state = [] { return control::State::ready; },
                                                    .process = [this] { return process_; },
                                                    .user_pools = {pool_.get(), pool_.get()},
                                                    .user_pool_id = kPoolId,
                                                    .audit = audit_});
  }

  [[nodiscard]] Changeable now() const {
    Changeable out{.keys = keys_->keys,
                   .dead_letters = database_->tables.dead_letters.size(),
                   .data_key = ring_->id,
                   .signing_key = signer_->id,
                   .recorded = audit_->events.size(),
                   .users = {}};
    for (const auto& [user, rows] : database_->tables.messages) out.messages += rows.size();
    for (const auto& [id, user] : pool_users_.users) {
      out.users[id] = user.username + (user.enabled ? "+" : "-") + user.password_hash;
    }
    return out;
  }

 private:
  static constexpr const char* kPoolId = "us-east-1_fuzzpool1";

  static PoolKeys& pool_keys() {
    static PoolKeys keys;
    return keys;
  }
  static identity::UserPoolOptions pool_options() {
    identity::UserPoolOptions out;
    out.pool_id = kPoolId;
    out.client_id = "client";
    out.issuer = "https://gw.example";
    return out;
  }

  test::FakeIdentityDatabase pool_users_;
  test::FakeUserStore users_{pool_users_, executors_[1]};
  test::FakeRefreshTokenStore refresh_tokens_{pool_users_, executors_[1]};
  test::FakeCodeStore codes_{pool_users_, executors_[1]};
  test::FakeKnownAddressStore known_addresses_{pool_users_, executors_[1]};
  std::unique_ptr<identity::UserPool> pool_ = std::make_unique<identity::UserPool>(
      pool_options(), identity::UserPoolParts{
                          .clock = clock_,
                          .executor = executors_[1],
                          .users = users_,
                          .refresh_tokens = refresh_tokens_,
                          .codes = codes_,
                          .known_addresses = known_addresses_,
                          .ring = pool_keys().ring,
                          .signer = pool_keys().signer,
                          .hasher = std::make_shared<test::FakePasswordHasher>(),
                          .attempts = std::make_shared<identity::AttemptCounts>(clock_, 1000),
                          .spent_challenges = std::make_shared<identity::SpentChallenges>(clock_),
                          .code_sender = std::make_shared<test::FakeCodeSender>(),
                          .on_logins_ended = [](const identity::EndedLogins&) {}});
};

constexpr std::string_view kSecret = "the-secret";

bool says_secret(std::string_view text) {
  return text.contains(kSecret) || percent_decode(text).value_or("").contains(kSecret);
}

void check_list(const Json& body) {
  for (const auto& [name, value] : body.items()) {
    require(!value.is_array() || value.size() <= kListMax, "a list has a limit");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::string_view line = input.line();
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string method(line.substr(0, space));
  const std::string target(line.substr(std::min(space + 1, line.size())));

  World world;
  const Changeable before = world.now();
  const std::optional<net::Response> answer =
      world.try_ask(method, target, std::string(input.rest()));
  require(answer.has_value(), "an answer");
  require(answer->status >= 200 && answer->status != 500, "a status that says what is wrong");
  const Json body = Json::parse(answer->body, nullptr, false);
  require(body.is_object(), "every answer is an object");
  const bool is_good = answer->status < 300;
  require(body.contains("error") != is_good, "who refuses says so");
  if (!is_good) {
    require(body["error"]["code"].is_string() && body["error"]["message"].is_string(), "why");
    require(!body["error"]["message"].get_ref<const std::string&>().empty(), "a reason");
  }
  check_list(body);
  // An answer may repeat what its request says.
  const bool makes_secret = method == "POST" || says_secret(target) || says_secret(input.rest());
  require(makes_secret || !answer->body.contains(kSecret), "no secret is read back");
  if (method == "GET" || method == "HEAD" || !is_good) {
    Changeable after = world.now();
    if (method != "GET" && method != "HEAD") after.recorded = before.recorded;
    require(after == before, "what only asks, or is refused, changes nothing");
  }
  return 0;
}
