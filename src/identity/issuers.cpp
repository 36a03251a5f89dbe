// Checks the configuration of other issuers, and verifies their ID tokens.

#include <algorithm>
#include <utility>

#include <holdfast/base/ascii.hpp>
#include <holdfast/identity/issuers.hpp>

#include "issuer_claims.hpp"
#include "issuer_keys.hpp"
#include "jws.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kPrefixBytesMax = 64;

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_http(std::string_view url) {
  const std::size_t host = url.find("//") + 2;
  return (url.starts_with("https://") || url.starts_with("http://")) && url.size() > host &&
         is_printable(url) && url.find_first_of("#@\\") == std::string_view::npos;
}

// Ids of the own pool are UUIDs in lower case.
bool may_begin_a_pool_id(std::string_view prefix) {
  return std::ranges::all_of(
      prefix, [](char c) { return ascii::is_digit(c) || (c >= 'a' && c <= 'f') || c == '-'; });
}

std::optional<std::string> refuse_prefix(std::string_view prefix) {
  if (prefix.empty()) return std::nullopt;
  if (prefix.size() > kPrefixBytesMax || !is_printable(prefix)) {
    return "user_id_prefix must be at most 64 printable ASCII characters without spaces";
  }
  if (may_begin_a_pool_id(prefix)) {
    return "user_id_prefix needs a character other than 0-9, a-f and -, of which the ids of the "
           "own user pool are made";
  }
  return std::nullopt;
}

std::optional<std::string> refuse_sources(const IssuerOptions& issuer) {
  if (!issuer.jwks_url.empty() && !issuer.jwks_file.empty()) {
    return "jwks_url and jwks_file exclude each other";
  }
  const bool has_own = !issuer.jwks_url.empty() || !issuer.jwks_file.empty();
  if (!issuer.jwks_url.empty() && !is_http(issuer.jwks_url)) {
    return "jwks_url must be an http:// or https:// URL";
  }
  if (!has_own && (!is_http(issuer.issuer) || issuer.issuer.contains('?'))) {
    return "issuer must be an http:// or https:// URL without query, or needs jwks_url or "
           "jwks_file";
  }
  const std::string_view fetched = issuer.jwks_url.empty() ? issuer.issuer : issuer.jwks_url;
  if (!issuer.ca_file.empty() && (!issuer.jwks_file.empty() || !fetched.starts_with("https://"))) {
    return "ca_file is for keys that come over https";
  }
  return std::nullopt;
}

std::optional<std::string> refuse_issuer(const IssuerOptions& issuer) {
  if (issuer.issuer.empty()) return "issuer is missing";
  if (issuer.audiences.empty()) return "audience is missing";
  const auto is_empty = [](const std::string& audience) { return audience.empty(); };
  if (std::ranges::any_of(issuer.audiences, is_empty)) return "audience must not be empty";
  if (issuer.algorithms.empty()) return "algorithms must not be empty";
  if (issuer.user_id_claim.empty()) return "user_id_claim must not be empty";
  if (auto wrong = refuse_prefix(issuer.user_id_prefix)) return wrong;
  return refuse_sources(issuer);
}

std::optional<std::string> refuse_pair(const IssuerOptions& one, const IssuerOptions& other) {
  if (one.issuer == other.issuer) return "two entries are of the issuer " + one.issuer;
  if (one.user_id_prefix.starts_with(other.user_id_prefix) ||
      other.user_id_prefix.starts_with(one.user_id_prefix)) {
    return "user_id_prefix: \"" + one.user_id_prefix + "\" and \"" + other.user_id_prefix +
           "\" do not keep the users of " + one.issuer + " and " + other.issuer +
           " apart: neither may begin the other";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> refuse_issuers(const std::vector<IssuerOptions>& issuers) {
  for (const IssuerOptions& issuer : issuers) {
    if (auto wrong = refuse_issuer(issuer)) return wrong;
  }
  for (auto one = issuers.begin(); one != issuers.end(); ++one) {
    for (auto other = one + 1; other != issuers.end(); ++other) {
      if (auto wrong = refuse_pair(*one, *other)) return wrong;
    }
  }
  return std::nullopt;
}

struct Issuers::Issuer {
  IssuerOptions options;
  std::shared_ptr<IssuerKeys> keys;
};

Result<Issuers> Issuers::make(std::vector<IssuerParts> issuers, const IssuerKeysOptions& options,
                              const Clock& clock) {
  std::vector<IssuerOptions> all;
  all.reserve(issuers.size());
  for (const IssuerParts& parts : issuers) all.push_back(parts.options);
  if (auto wrong = refuse_issuers(all)) {
    return fail(Errc::invalid_argument, std::move(*wrong), "identity.issuers");
  }
  Issuers out(clock);
  for (IssuerParts& parts : issuers) {
    VerifyingKeysPtr keys;
    if (!parts.jwks.empty()) {
      Result<VerifyingKeys> read = read_external_jwks(parts.jwks, parts.options.algorithms);
      if (read && read->by_id.empty()) {
        read = fail(Errc::invalid_argument, "none of them is usable");
      }
      if (!read) {
        return fail(Errc::invalid_argument,
                    "the keys of " + parts.options.issuer + ": " + read.error().message, "keys");
      }
      keys = std::make_shared<const VerifyingKeys>(std::move(*read));
    }
    auto cache = std::make_shared<IssuerKeys>(parts.options, std::move(parts.documents),
                                              std::move(keys), options, clock);
    out.issuers_.push_back(std::make_shared<Issuer>(
        Issuer{.options = std::move(parts.options), .keys = std::move(cache)}));
  }
  return out;
}

std::optional<std::size_t> Issuers::find(std::string_view token) const {
  const std::optional<JwsHint> hint = hint_of(token);
  if (!hint) return std::nullopt;
  const auto found =
      std::ranges::find(issuers_, hint->issuer, [](const std::shared_ptr<const Issuer>& issuer) {
        return std::string_view(issuer->options.issuer);
      });
  if (found == issuers_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - issuers_.begin());
}

void Issuers::verify(std::size_t index, std::string token, Executor& executor,
                     Completion<Result<IdTokenClaims>> done) {
  const std::shared_ptr<const Issuer>& issuer = issuers_.at(index);
  const std::optional<JwsHint> hint = hint_of(token);
  if (!hint) return done(fail(Errc::unauthenticated, "Unauthorized", "format"));
  if (!is_id_token_type(hint->header)) {
    return done(fail(Errc::unauthenticated, "Unauthorized", "typ"));
  }
  // Refuses tokens that no key could verify, before keys are fetched for them.
  const Result<KeyName> name = key_name_of(hint->header, issuer->options.algorithms);
  if (!name) return done(std::unexpected(name.error()));
  issuer->keys->find(*name, executor,
                     [issuer, &clock = *clock_, token = std::move(token),
                      done = std::move(done)](Result<VerifyingKeysPtr> keys) mutable {
                       if (!keys) return done(std::unexpected(std::move(keys.error())));
                       const Result<Json> claims = verify_jws(token, **keys);
                       if (!claims) return done(std::unexpected(claims.error()));
                       done(read_external_claims(*claims, issuer->options, clock.wall_now()));
                     });
}

void Issuers::tick() {
  for (const std::shared_ptr<const Issuer>& issuer : issuers_) issuer->keys->tick();
}
void Issuers::stop() {
  for (const std::shared_ptr<const Issuer>& issuer : issuers_) issuer->keys->stop();
}

}  // namespace holdfast::identity
