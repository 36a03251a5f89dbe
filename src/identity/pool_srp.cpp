// USER_SRP_AUTH: the password is proven without being sent (RFC 5054).
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "pool_context.hpp"
#include "srp.hpp"

namespace holdfast::identity {
namespace {

constexpr std::string_view kSrpContext = "srp challenge";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretBlockLimitBytes = 4096;
constexpr std::size_t kTimestampLimitBytes = 64;

/// The contents of the secret block, so that the server remembers nothing between the two steps.
struct SrpState {
  UserId sub;                 ///< empty: an unknown name
  bool has_verifier = false;  ///< without one nothing is the right answer
  WallTime password_set_at;
  WallTime signed_out_at;
  std::string folded;
  std::string client_id;
  std::string key;
  WallTime expires_at;
};

Result<std::string> seal_block(const PoolContext& pool, const SrpState& state) {
  const Json object = {{"sub", state.sub.str()},
                       {"verifier", state.has_verifier},
                       {"password_us", unix_micros(state.password_set_at)},
                       {"signed_out_us", unix_micros(state.signed_out_at)},
                       {"name", state.folded},
                       {"client", state.client_id},
                       {"key", base64url_encode(state.key)},
                       {"expires_us", unix_micros(state.expires_at)}};
  Result<std::string> sealed = pool.seal_for_stranger(object.dump(), kSrpContext);
  if (sealed) *sealed = base64_encode(*sealed);
  return sealed;
}

std::optional<SrpState> open_block(const PoolContext& pool, const std::string& block) {
  if (block.size() > kSecretBlockLimitBytes) return std::nullopt;
  const auto sealed = base64_decode(block);
  if (!sealed) return std::nullopt;
  const Result<std::string> text = pool.parts.ring->open_token(*sealed, kSrpContext);
  if (!text) return std::nullopt;
  // Only this pool seals under this context, so the members are as seal_block wrote them.
  const Json object = Json::parse(*text);
  return SrpState{
      .sub = UserId(object.at("sub").get<std::string>()),
      .has_verifier = object.at("verifier").get<bool>(),
      .password_set_at = wall_from_micros(object.at("password_us").get<std::int64_t>()),
      .signed_out_at = wall_from_micros(object.at("signed_out_us").get<std::int64_t>()),
      .folded = object.at("name").get<std::string>(),
      .client_id = object.at("client").get<std::string>(),
      .key = base64url_decode(object.at("key").get_ref<const std::string&>()).value_or(""),
      .expires_at = wall_from_micros(object.at("expires_us").get<std::int64_t>())};
}

/// The first step: looks up, computes, answers. Unknown names, and users without a verifier, get an
/// answer of the same form.
class SrpBegin : public std::enable_shared_from_this<SrpBegin> {
 public:
  SrpBegin(PoolContextPtr pool, std::string username, LoginBy by, std::string client_public,
           Source source, Completion<PoolResult<AuthOutcome>> done)
      : pool_(std::move(pool)),
        username_(std::move(username)),
        by_(by),
        client_public_(std::move(client_public)),
        source_(std::move(source)),
        done_(std::move(done)) {}

  void start() {
    find_who_logs_in(*pool_, username_, by_,
                     [self = shared_from_this()](Result<std::optional<User>> user) {
                       self->looked_up(std::move(user));
                     });
  }

 private:
  void looked_up(Result<std::optional<User>> found) {
    if (!found) {
      done_(refuse(found.error()));
      return;
    }
    if (!*found && !pool_->options.prevent_user_existence_errors) {
      done_(wrong_password(*pool_, Name::unknown));
      return;
    }
    std::string verifier = make_srp_decoy(pool_->options.decoy_secret, username_);
    if (*found) {
      state_.sub = (*found)->sub;
      // An administrator may have named the user by their `sub`.
      username_ = (*found)->username;
      state_.password_set_at = (*found)->password_set_at;
      state_.signed_out_at = (*found)->signed_out_at;
    }
    if (*found && !(*found)->srp_verifier.empty()) {
      Result<std::string> opened =
          pool_->parts.ring->open((*found)->srp_verifier, srp_sealing_context((*found)->sub));
      if (!opened) {
        done_(refuse(opened.error()));
        return;
      }
      verifier = std::move(*opened);
      state_.has_verifier = true;
    }
    compute(std::move(verifier));
  }

  void compute(std::string verifier) {
    auto challenge = std::make_shared<std::optional<SrpChallenge>>();
    pool_->parts.hasher->compute(
        [challenge, verifier = Secret::take(verifier), client_public = client_public_] {
          const Secret secret{random_string(kSecretBytes)};
          *challenge = make_srp_challenge(verifier.view(), client_public, secret.view());
          return std::string();
        },
        // One at a time for each client: it is no attempt yet that others could be kept from.
        {.source = source_,
         .name = "srp " + client_share_key(source_.id) + "\n" + fold_username(username_)},
        pool_->parts.executor,
        [self = shared_from_this(), challenge](const Result<std::string>& computed) {
          if (computed) {
            self->computed(*challenge);
          } else {
            self->done_(refuse(computed.error()));
          }
        });
  }

  void computed(const std::optional<SrpChallenge>& challenge) {
    if (!challenge) {
      done_(refuse(PoolErrc::invalid_parameter, "Invalid SRP_A value."));
      return;
    }
    state_.folded = fold_username(username_);
    state_.client_id = pool_->options.client_id;
    state_.key = challenge->key;
    state_.expires_at = pool_->now() + pool_->options.session_lifetime;
    const Result<std::string> block = seal_block(*pool_, state_);
    if (!block) {
      done_(refuse(block.error()));
      return;
    }
    Challenge out{.name = std::string(kPasswordVerifier),
                  .session = {},
                  .parameters = {{"SALT", challenge->salt_hex},
                                 {"SECRET_BLOCK", *block},
                                 {"SRP_B", challenge->public_hex},
                                 {"USERNAME", state_.folded},
                                 {"USER_ID_FOR_SRP", state_.folded}}};
    done_(AuthOutcome{.result = {}, .challenge = std::move(out)});
  }

  PoolContextPtr pool_;
  std::string username_;
  LoginBy by_;
  std::string client_public_;
  Source source_;
  Completion<PoolResult<AuthOutcome>> done_;
  SrpState state_;
};

struct SrpProof {
  std::string username;
  std::string block;
  std::string signature;
  std::string timestamp;
};

PoolResult<SrpProof> read_proof(const std::map<std::string, std::string>& responses) {
  SrpProof out;
  const std::pair<const char*, std::string*> members[] = {
      {"USERNAME", &out.username},
      {"PASSWORD_CLAIM_SECRET_BLOCK", &out.block},
      {"PASSWORD_CLAIM_SIGNATURE", &out.signature},
      {"TIMESTAMP", &out.timestamp}};
  for (const auto& [name, member] : members) {
    PoolResult<std::string> value = required(responses, name);
    if (!value) return std::unexpected(std::move(value.error()));
    *member = std::move(*value);
  }
  return out;
}

// An administrator may name the user by their `sub`.
bool is_named(const SrpState& state, const SrpProof& proof, LoginBy by) {
  return state.folded == fold_username(proof.username) ||
         (by == LoginBy::administrator && state.sub == UserId(proof.username));
}

bool is_proven(const PoolContext& pool, const SrpState& state, const SrpProof& proof) {
  const auto given = base64_decode(proof.signature);
  const auto block = base64_decode(proof.block);
  if (!given || !block || proof.timestamp.size() > kTimestampLimitBytes) return false;
  const std::string expected =
      srp_proof(state.key, pool.options.pool_id, state.folded, *block, proof.timestamp);
  return constant_time_equal(*given, expected) && state.has_verifier;
}

void try_proof(const PoolContextPtr& pool, const SrpProof& proof, const SrpState& state,
               std::shared_ptr<LoginAttempt> attempt, Completion<PoolResult<AuthOutcome>> done) {
  // Fails like an existing user's attempt, even for an unknown user.
  const auto wrong = attempt->failed(Name::known);
  if (!is_proven(*pool, state, proof)) return done(wrong);
  switch (
      pool->parts.spent_challenges->spend(sha256(*base64_decode(proof.block)), state.expires_at)) {
    case SpentChallenges::Outcome::spent:
      break;
    case SpentChallenges::Outcome::spent_before:
      return done(wrong);
    case SpentChallenges::Outcome::full:
      attempt->withdrawn();
      return done(refuse(PoolErrc::too_many_requests, "Rate exceeded"));
  }
  find_user(pool, state.sub,
            [pool, state, attempt = std::move(attempt),
             done = std::move(done)](PoolResult<User> user) mutable {
              if (!user && user.error().code != PoolErrc::user_not_found) {
                attempt->withdrawn();
                done(std::unexpected(std::move(user.error())));
              } else if (!user || user->password_set_at != state.password_set_at ||
                         user->signed_out_at != state.signed_out_at) {
                done(attempt->failed(Name::known));
              } else {
                attempt->succeeded();
                check_may_log_in(pool, std::move(*user), attempt->work().source, std::move(done));
              }
            });
}

}  // namespace

void begin_srp(const PoolContextPtr& pool, const InitiateAuthRequest& input,
               Completion<PoolResult<AuthOutcome>> done) {
  PoolResult<std::string> username = required(input.parameters, "USERNAME");
  PoolResult<std::string> client_public = required(input.parameters, "SRP_A");
  PoolResult<AuthOutcome> refused;
  if (!username) refused = std::unexpected(username.error());
  if (username && !client_public) refused = std::unexpected(client_public.error());
  if (username && client_public && !is_username(*username))
    refused = wrong_password(*pool, Name::unknown);
  if (!refused) {
    pool->answer<AuthOutcome>(std::move(done), std::move(refused));
    return;
  }
  std::make_shared<SrpBegin>(pool, std::move(*username), login_by(input.pool_id),
                             std::move(*client_public), input.source, std::move(done))
      ->start();
}

void verify_srp(const PoolContextPtr& pool, const RespondToChallengeRequest& input,
                Completion<PoolResult<AuthOutcome>> done) {
  const auto answer = [&](PoolError error) {
    pool->answer<AuthOutcome>(std::move(done), std::unexpected(std::move(error)));
  };
  PoolResult<SrpProof> proof = read_proof(input.responses);
  if (!proof) return answer(std::move(proof.error()));
  const std::optional<SrpState> state = open_block(*pool, proof->block);
  if (!pool->options.srp_enabled || !state || state->client_id != input.client_id ||
      !is_named(*state, *proof, login_by(input.pool_id))) {
    return answer({PoolErrc::not_authorized, "Incorrect username or password."});
  }
  if (pool->now() >= state->expires_at) {
    return answer({PoolErrc::not_authorized, "Invalid session for the user, session is expired."});
  }
  AttemptTarget target{.source = input.source,
                       .username = state->folded,
                       .sub = state->sub,
                       .password_set_at = state->password_set_at};
  begin_login_attempt(pool, std::move(target), {PoolErrc::locked, "Password attempts exceeded"},
                      [pool, proof = std::move(*proof), state = *state, done = std::move(done)](
                          PoolResult<std::shared_ptr<LoginAttempt>> begun) mutable {
                        if (!begun) return done(std::unexpected(std::move(begun.error())));
                        try_proof(pool, proof, state, std::move(*begun), std::move(done));
                      });
}

}  // namespace holdfast::identity
