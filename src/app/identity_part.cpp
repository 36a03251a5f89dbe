// Makes the parts that identify callers.
#include "identity_part.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <holdfast/identity/spent_challenges.hpp>

#include "await.hpp"
#include "code_command.hpp"

namespace holdfast::app {
namespace {

// One client gets an eighth, so that it cannot use up all sign-ups of a minute.
std::uint32_t sign_up_share(std::uint32_t per_minute) {
  return std::max<std::uint32_t>(per_minute / 8, 1);
}

Result<void> make_issuers(const IdentityContext& context, IdentityPart& part) {
  const auto& configured = context.config.identity;
  if (configured.issuers.empty()) return {};
  std::vector<identity::IssuerParts> parts;
  for (const identity::IssuerOptions& options : configured.issuers) {
    if (options.issuer == context.issuer) {
      return fail(Errc::invalid_argument,
                  "identity.issuers: " + options.issuer + " is the issuer of the own user pool",
                  "identity.issuers");
    }
    IssuerDocumentsOptions reading{.ca_file = options.ca_file, .timeout = configured.jwks_timeout};
    if (!options.ca_file.empty()) {
      // Each fetch reads it again. A missing file is reported at once.
      auto authorities = read_document_file(options.ca_file, kAuthoritiesBytesMax);
      if (!authorities) return std::unexpected(std::move(authorities.error()));
    }
    std::string jwks;
    if (!options.jwks_file.empty()) {
      auto text = read_document_file(options.jwks_file, reading.bytes_max);
      if (!text) return std::unexpected(std::move(text.error()));
      jwks = std::move(*text);
    }
    part.readers.push_back(make_issuer_reader(std::move(reading)));
    parts.push_back(
        {.options = options, .documents = part.readers.back(), .jwks = std::move(jwks)});
  }
  identity::IssuerKeysOptions keys = configured.keys;
  keys.wait_max = configured.jwks_timeout + kIssuerTick;
  auto issuers = identity::Issuers::make(std::move(parts), keys, context.clock);
  if (!issuers) return std::unexpected(std::move(issuers.error()));
  part.issuers = std::make_shared<identity::Issuers>(std::move(*issuers));
  return {};
}

Result<void> load_attempts(const IdentityContext& context,
                           const std::shared_ptr<IdentityPart>& part) {
  part->attempts = std::make_shared<identity::AttemptCounts>(
      context.clock, context.config.auth.lockout_names, context.facts.decoy_secret);
  part->attempt_keeper = std::make_unique<identity::AttemptKeeper>(
      part->attempts, *context.store.handles.front()->attempts, context.clock);
  return await<void>(
      context.shards.at(0), [part](auto done) { part->attempt_keeper->load(std::move(done)); },
      part);
}

void make_rates(const IdentityContext& context, IdentityPart& part) {
  const std::uint32_t sign_ups = context.config.sign_ups.per_minute;
  part.sign_up_rate = std::make_shared<RateShares>(
      RateShares::Options{
          .bound = Bound::sign_ups, .capacity = sign_ups, .share = sign_up_share(sign_ups)},
      context.refusals);
  const auto per_address = [&context](Bound bound) {
    return std::make_shared<RateShares>(
        RateShares::Options{.bound = bound,
                            .share = context.config.limits.failed_logins_per_address_per_minute},
        context.refusals);
  };
  part.failed_logins = per_address(Bound::failed_logins);
  part.failed_refreshes = per_address(Bound::failed_refreshes);
}

void make_shard_parts(const IdentityContext& context, IdentityPart& part) {
  const Config& config = context.config;
  const KeysPart& keys = context.keys;
  const auto spent_challenges = std::make_shared<identity::SpentChallenges>(context.clock);
  identity::UserPoolOptions options = config.user_pool;
  options.pool_id = context.facts.user_pool_id;
  options.client_id = context.facts.client_id;
  options.issuer = context.issuer;
  options.decoy_secret = context.facts.decoy_secret;
  for (std::size_t i = 0; i < context.shards.count(); ++i) {
    IdentityPart::Shard& shard = part.shards.emplace_back();
    storage::StoreHandles& handles = *context.store.handles[i];
    shard.verifier = std::make_unique<iam::SigV4Verifier>(
        iam::SigV4Options{.region = config.aws.region, .times = config.limits.signature_times},
        context.clock, keys.access_keys);
    shard.pool = std::make_unique<identity::UserPool>(
        options, identity::UserPoolParts{.clock = context.clock,
                                         .executor = context.shards.at(i),
                                         .users = *handles.users,
                                         .refresh_tokens = *handles.refresh_tokens,
                                         .codes = *handles.codes,
                                         .known_addresses = *handles.known_addresses,
                                         .ring = keys.ring,
                                         .signer = keys.signer,
                                         .hasher = keys.hasher,
                                         .attempts = part.attempts,
                                         .spent_challenges = spent_challenges,
                                         .sign_up_rate = part.sign_up_rate,
                                         .failed_logins = part.failed_logins,
                                         .failed_refreshes = part.failed_refreshes,
                                         .code_sender = part.code_sender,
                                         .on_logins_ended = context.on_logins_ended});
    shard.generator = std::make_unique<identity::Generator>(config.tokens, context.clock, keys.ring,
                                                            *handles.users, *handles.tokens);
    shard.authorizer = std::make_unique<identity::Authorizer>(
        config.tokens, context.clock, keys.ring, *handles.users, *handles.tokens);
  }
}

}  // namespace

void IdentityPart::change(const Config& config) {
  sign_up_rate->change(config.sign_ups.per_minute, sign_up_share(config.sign_ups.per_minute));
  failed_logins->change(0, config.limits.failed_logins_per_address_per_minute);
  failed_refreshes->change(0, config.limits.failed_logins_per_address_per_minute);
}

Result<IdentityPart> open_identity(const IdentityContext& context) {
  const auto part = std::make_shared<IdentityPart>();
  if (auto done = load_attempts(context, part); !done) return std::unexpected(done.error());
  if (auto done = make_issuers(context, *part); !done) return std::unexpected(done.error());
  part->code_sender = make_code_sender(context.config.codes, context.refusals, context.audit);
  make_rates(context, *part);
  make_shard_parts(context, *part);
  return std::move(*part);
}

}  // namespace holdfast::app
