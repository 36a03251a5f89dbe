#include "identity/jws.hpp"

#include <optional>
#include <utility>

#include <holdfast/base/encoding.hpp>

#include "identity/claims.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kJwsLimitBytes = std::size_t{16} * 1024;
constexpr JsonLimits kJwsJson{.depth = 16, .bytes = kJwsLimitBytes};
constexpr JsonLimits kJwksJson{.depth = 16, .bytes = std::size_t{256} * 1024};

// `where` names the check for logs; the message says no more than a client may hear.
std::unexpected<Error> refuse_jws(const char* check) {
  return fail(Errc::unauthenticated, "Unauthorized", check);
}

Result<void> read_key(const Json& jwk, JwsKeys& keys) {
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

struct JwsParts {
  std::string_view signed_text;
  Bytes header;
  Bytes claims;
  Bytes signature;
};

std::optional<JwsParts> split_jws(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  // A third dot is outside base64url's alphabet, so the signature refuses it.
  auto header = base64url_decode(token.substr(0, first));
  auto claims = base64url_decode(token.substr(first + 1, second - first - 1));
  auto signature = base64url_decode(token.substr(second + 1));
  if (!header || !claims || !signature) return std::nullopt;
  return JwsParts{.signed_text = token.substr(0, second),
                  .header = std::move(*header),
                  .claims = std::move(*claims),
                  .signature = std::move(*signature)};
}

Result<void> check_signature(const JwsParts& parts, const JwsKeys& keys) {
  const Result<Json> header = parse_json(parts.header, kJwsJson);
  if (!header || !header->is_object()) return refuse_jws("header");
  const std::string* const algorithm = text_member(*header, "alg");
  if (algorithm == nullptr || *algorithm != "RS256") return refuse_jws("alg");
  // RFC 7515 section 4.1.11: no extension is understood here. Keys and key addresses that a
  // header brings along (jwk, jku, x5c, x5u) are never looked at.
  if (header->contains("crit")) return refuse_jws("crit");
  const std::string* const kid = text_member(*header, "kid");
  if (kid == nullptr) return refuse_jws("kid");
  const auto key = keys.find(*kid);
  if (key == keys.end()) return refuse_jws("kid");
  if (!key->second.verify(parts.signed_text, parts.signature)) return refuse_jws("signature");
  return {};
}

}  // namespace

Result<JwsKeys> read_jwks(std::string_view text) {
  const Result<Json> parsed = parse_json(text, kJwksJson);
  if (!parsed) return std::unexpected(parsed.error());
  const Json& document = *parsed;
  if (!document.is_object() || !document.contains("keys") || !document["keys"].is_array()) {
    return fail(Errc::invalid_argument, "not a JWKS", "keys");
  }
  JwsKeys keys;
  for (const Json& jwk : document["keys"]) {
    if (Result<void> read = read_key(jwk, keys); !read) return std::unexpected(read.error());
  }
  if (keys.empty()) return fail(Errc::invalid_argument, "a JWKS without an RS256 key", "keys");
  return keys;
}

Result<Json> verify_jws(std::string_view token, const JwsKeys& keys) {
  if (token.size() > kJwsLimitBytes) return refuse_jws("length");
  const std::optional<JwsParts> parts = split_jws(token);
  if (!parts) return refuse_jws("format");
  if (Result<void> good = check_signature(*parts, keys); !good) {
    return std::unexpected(std::move(good.error()));
  }
  Result<Json> claims = parse_json(parts->claims, kJwsJson);
  if (!claims || !claims->is_object()) return refuse_jws("claims");
  return claims;
}

}  // namespace holdfast::identity
