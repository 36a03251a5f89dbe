#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/id_token.hpp>

#include "identity/claims.hpp"
#include "identity/rsa.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kIdTokenLimitBytes = std::size_t{16} * 1024;
constexpr JsonLimits kTokenJson{.depth = 16, .bytes = kIdTokenLimitBytes};
constexpr JsonLimits kJwksJson{.depth = 16, .bytes = std::size_t{256} * 1024};

using Keys = std::map<std::string, RsaPublicKey, std::less<>>;

// `where` names the check for logs; the message says no more than a client may hear.
std::unexpected<Error> refuse_token(const char* check) {
  return fail(Errc::unauthenticated, "Unauthorized", check);
}

Result<void> read_key(const Json& jwk, Keys& keys) {
  const auto broken = [](const char* member) {
    return fail(Errc::invalid_argument, "not an RSA key of a JWKS", member);
  };
  if (!jwk.is_object()) return broken("keys");
  const std::string* const kind = text_member(jwk, "kty");
  if (kind == nullptr) return broken("kty");
  // RFC 7517 section 5: keys that are not understood are passed over.
  if (*kind != "RSA" || (jwk.contains("alg") && jwk["alg"] != "RS256") ||
      (jwk.contains("use") && jwk["use"] != "sig")) {
    return {};
  }
  const std::string* const kid = text_member(jwk, "kid");
  const std::string* const modulus = text_member(jwk, "n");
  const std::string* const exponent = text_member(jwk, "e");
  if (kid == nullptr) return broken("kid");
  if (modulus == nullptr) return broken("n");
  if (exponent == nullptr) return broken("e");
  const auto n = base64url_decode(*modulus);
  const auto e = base64url_decode(*exponent);
  if (!n) return broken("n");
  if (!e) return broken("e");
  std::optional<RsaPublicKey> key = RsaPublicKey::make({.modulus = *n, .exponent = *e});
  if (!key) return broken("n");
  if (!keys.emplace(*kid, std::move(*key)).second) return broken("kid");
  return {};
}

Result<Keys> read_jwks(std::string_view text) {
  const Result<Json> parsed = parse_json(text, kJwksJson);
  if (!parsed) return std::unexpected(parsed.error());
  const Json& document = *parsed;
  if (!document.is_object() || !document.contains("keys") || !document["keys"].is_array()) {
    return fail(Errc::invalid_argument, "not a JWKS", "keys");
  }
  Keys keys;
  for (const Json& jwk : document["keys"]) {
    if (Result<void> read = read_key(jwk, keys); !read) return std::unexpected(read.error());
  }
  if (keys.empty()) return fail(Errc::invalid_argument, "a JWKS without an RS256 key", "keys");
  return keys;
}

struct TokenParts {
  std::string_view signed_text;
  Bytes header;
  Bytes claims;
  Bytes signature;
};

std::optional<TokenParts> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  // A third dot is outside base64url's alphabet, so the signature refuses it.
  auto header = base64url_decode(token.substr(0, first));
  auto claims = base64url_decode(token.substr(first + 1, second - first - 1));
  auto signature = base64url_decode(token.substr(second + 1));
  if (!header || !claims || !signature) return std::nullopt;
  return TokenParts{.signed_text = token.substr(0, second),
                    .header = std::move(*header),
                    .claims = std::move(*claims),
                    .signature = std::move(*signature)};
}

class IdTokenVerifierImpl final : public IdTokenVerifier {
 public:
  IdTokenVerifierImpl(IdTokenVerifierOptions options, Keys keys, const Clock& clock)
      : options_(std::move(options)), keys_(std::move(keys)), clock_(clock) {}

  Result<IdTokenClaims> verify(std::string_view token) const override {
    if (token.size() > kIdTokenLimitBytes) return refuse_token("length");
    const std::optional<TokenParts> parts = split(token);
    if (!parts) return refuse_token("format");
    if (Result<void> good = check_signature(*parts); !good) return std::unexpected(good.error());
    const Result<Json> claims = parse_json(parts->claims, kTokenJson);
    if (!claims || !claims->is_object()) return refuse_token("claims");
    return check_claims(*claims);
  }

 private:
  Result<void> check_signature(const TokenParts& parts) const {
    const Result<Json> header = parse_json(parts.header, kTokenJson);
    if (!header || !header->is_object()) return refuse_token("header");
    const std::string* const algorithm = text_member(*header, "alg");
    if (algorithm == nullptr || *algorithm != "RS256") return refuse_token("alg");
    // RFC 7515 section 4.1.11: no extension is understood here. Keys and key addresses that a
    // header brings along (jwk, jku, x5c, x5u) are never looked at.
    if (header->contains("crit")) return refuse_token("crit");
    const std::string* const kid = text_member(*header, "kid");
    if (kid == nullptr) return refuse_token("kid");
    const auto key = keys_.find(*kid);
    if (key == keys_.end()) return refuse_token("kid");
    if (!key->second.verify(parts.signed_text, parts.signature)) return refuse_token("signature");
    return {};
  }

  Result<IdTokenClaims> check_claims(const Json& claims) const {
    const auto is = [&](const char* name, std::string_view expected) {
      const std::string* const value = text_member(claims, name);
      return value != nullptr && *value == expected;
    };
    if (!is("iss", options_.issuer)) return refuse_token("iss");
    if (!is("aud", options_.audience)) return refuse_token("aud");
    if (!is("token_use", "id")) return refuse_token("token_use");
    const std::string* const sub = text_member(claims, "sub");
    if (sub == nullptr || sub->empty() || sub->size() > 128) return refuse_token("sub");
    const std::string* const username = text_member(claims, "cognito:username");
    if (username == nullptr || username->empty()) return refuse_token("cognito:username");
    const std::optional<WallTime> issued_at = time_member(claims, "iat");
    if (!issued_at) return refuse_token("iat");
    const std::optional<WallTime> expires_at = time_member(claims, "exp");
    if (!expires_at) return refuse_token("exp");
    const WallTime now = clock_.wall_now();
    if (claims.contains("nbf")) {
      const std::optional<WallTime> not_before = time_member(claims, "nbf");
      if (!not_before || now < *not_before) return refuse_token("nbf");
    }
    if (now >= *expires_at) {
      return fail(Errc::expired, "The incoming token has expired", "exp");
    }
    return IdTokenClaims{.sub = UserId(*sub),
                         .username = *username,
                         .issued_at = *issued_at,
                         .expires_at = *expires_at};
  }

  IdTokenVerifierOptions options_;
  Keys keys_;
  const Clock& clock_;
};

}  // namespace

Result<std::unique_ptr<IdTokenVerifier>> make_id_token_verifier(IdTokenVerifierOptions options,
                                                                const Clock& clock) {
  Result<Keys> keys = read_jwks(options.jwks);
  if (!keys) return std::unexpected(std::move(keys.error()));
  return std::make_unique<IdTokenVerifierImpl>(std::move(options), std::move(*keys), clock);
}

}  // namespace holdfast::identity
