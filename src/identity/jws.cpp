// Parses and verifies JSON Web Signatures and keys.

#include "jws.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <holdfast/base/encoding.hpp>

#include "claims.hpp"
#include "json_pieces.hpp"

namespace holdfast::identity {
namespace {

// The largest configurable header section. limits.header_bytes is the effective limit of a token.
constexpr std::size_t kJwsLimitBytes = std::size_t{1024} * 1024;
constexpr JsonLimits kJwsJson{.depth = 16, .bytes = kJwsLimitBytes};
constexpr JsonLimits kJwksJson{.depth = 16, .bytes = std::size_t{256} * 1024};

// `where` names the check for logs; the message says no more than a client may hear.
std::unexpected<Error> refuse_jws(const char* check) {
  return fail(Errc::unauthenticated, "Unauthorized", check);
}

// The maximum of usable keys in another issuer's document, and of oddities.
constexpr std::size_t kKeysMax = 100;
constexpr std::size_t kDocumentOdditiesMax = 100;
constexpr std::size_t kKeyIdBytesMax = 512;

Result<void> read_key(const Json& jwk, VerifyingKeys& keys) {
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
  if (keys.by_id.contains(*kid)) return broken("kid");
  keys.by_id.emplace(*kid, std::move(*key));
  return {};
}

std::optional<Bytes> octets_member(const Json& jwk, const char* name) {
  const std::string* const text = text_member(jwk, name);
  return text == nullptr ? std::nullopt : base64url_decode(*text);
}

template <class Key>
std::optional<VerifyingKey> as_key(std::optional<Key> key) {
  if (!key) return std::nullopt;
  return VerifyingKey(std::move(*key));
}

// Makes a key by its type and curve. The document's own algorithm must agree.
std::optional<VerifyingKey> make_verifying_key(const Json& jwk) {
  const std::string* const kind = text_member(jwk, "kty");
  if (kind == nullptr) return std::nullopt;
  const auto is_curve = [&jwk](std::string_view name) {
    const std::string* const curve = text_member(jwk, "crv");
    return curve != nullptr && *curve == name;
  };
  if (*kind == "RSA") {
    const auto n = octets_member(jwk, "n");
    const auto e = octets_member(jwk, "e");
    if (!n || !e) return std::nullopt;
    return as_key(RsaPublicKey::make({.modulus = *n, .exponent = *e}));
  }
  const auto x = octets_member(jwk, "x");
  if (!x) return std::nullopt;
  if (*kind == "EC" && is_curve("P-256")) {
    const auto y = octets_member(jwk, "y");
    return y ? as_key(P256PublicKey::make(*x, *y)) : std::nullopt;
  }
  if (*kind == "OKP" && is_curve("Ed25519")) return as_key(Ed25519PublicKey::make(*x));
  return std::nullopt;
}

// RFC 8037 names the family, RFC 9864 the member of it.
std::optional<SigningAlgorithm> algorithm_named(const Json& object) {
  const std::string* const name = text_member(object, "alg");
  if (name == nullptr) return std::nullopt;
  if (*name == "RS256") return SigningAlgorithm::rs256;
  if (*name == "ES256") return SigningAlgorithm::es256;
  if (*name == "EdDSA" || *name == "Ed25519") return SigningAlgorithm::eddsa;
  return std::nullopt;
}

bool is_for_verifying(const Json& jwk) {
  const Json* const use = present_member(jwk, "use");
  if (use != nullptr && *use != "sig") return false;
  // Whose private half everybody can read has signed nothing.
  if (present_member(jwk, "d") != nullptr || present_member(jwk, "k") != nullptr) return false;
  const Json* const operations = present_member(jwk, "key_ops");
  if (operations == nullptr) return true;
  return operations->is_array() && std::ranges::find(*operations, "verify") != operations->end();
}

// Returns the key material, by which two entries are the same key whatever else they say.
std::string material_of(const Json& jwk) {
  std::string out;
  for (const char* const name : {"kty", "crv", "n", "e", "x", "y"}) {
    const std::string* const text = text_member(jwk, name);
    out += (text == nullptr ? std::string() : *text) + "\n";
  }
  return out;
}

bool is_known_type(const Json& jwk) {
  const std::string* const kind = text_member(jwk, "kty");
  if (kind == nullptr) return true;
  const std::string* const curve = text_member(jwk, "crv");
  if (*kind == "RSA") return true;
  if (*kind == "EC") return curve == nullptr || *curve == "P-256";
  return *kind == "OKP" && (curve == nullptr || *curve == "Ed25519");
}

// An id as it may be shown: it is the issuer's to choose.
std::string shown_id(const std::string& id) {
  constexpr std::size_t kShown = 64;
  return id.empty() ? std::string("without an id") : "\"" + id.substr(0, kShown) + "\"";
}

/// Reads the keys of one document of another issuer, one by one: one that is odd costs no other.
class ExternalKeys {
 public:
  explicit ExternalKeys(std::vector<SigningAlgorithm> algorithms) {
    keys_.algorithms = std::move(algorithms);
    keys_.ids_may_be_left_out = true;
  }

  void read(std::string_view element) {
    const Result<Json> jwk = parse_json(element, kJwksJson);
    if (!jwk) return note("an entry cannot be read: " + jwk.error().message);
    if (!jwk->is_object()) return note("an entry is no key");
    read_key(*jwk);
  }
  [[nodiscard]] VerifyingKeys take() {
    for (auto one = found_.begin(); one != found_.end(); ++one) {
      // A repeated key must not count as a second candidate.
      const auto is_same = [one](const Found& other) { return other.material == one->material; };
      const auto repeats = [&](const Found& other) {
        return is_same(other) && other.id == one->id;
      };
      const auto names_it = [&](const Found& other) { return is_same(other) && !other.id.empty(); };
      if (std::any_of(found_.begin(), one, repeats)) continue;
      if (one->id.empty() && std::ranges::any_of(found_, names_it)) continue;
      keys_.by_id.emplace(one->id, std::move(one->key));
    }
    return std::move(keys_);
  }

 private:
  struct Found {
    std::string id;
    std::string material;
    VerifyingKey key;
  };

  void note(std::string oddity) {
    if (keys_.oddities.size() == kDocumentOdditiesMax) return;
    if (std::ranges::find(keys_.oddities, oddity) == keys_.oddities.end()) {
      keys_.oddities.push_back(std::move(oddity));
    }
  }

  void read_key(const Json& jwk) {
    std::string id;
    if (const Json* const named = present_member(jwk, "kid")) {
      const auto* const kid = named->get_ptr<const Json::string_t*>();
      if (kid == nullptr || kid->size() > kKeyIdBytesMax) {
        return note("a key has an id that is none");
      }
      id = *kid;
    }
    if (!is_for_verifying(jwk)) return;
    std::optional<VerifyingKey> key = make_verifying_key(jwk);
    if (!key) {
      // Keys of other types are for others.
      if (is_known_type(jwk)) note("the key " + shown_id(id) + " is malformed or too weak");
      return;
    }
    const SigningAlgorithm algorithm = algorithm_of(*key);
    const bool says_another =
        present_member(jwk, "alg") != nullptr && algorithm_named(jwk) != algorithm;
    if (says_another) return;
    if (std::ranges::find(keys_.algorithms, algorithm) == keys_.algorithms.end()) return;
    if (found_.size() == kKeysMax) {
      return note("more than 100 keys are usable: those after them are passed over");
    }
    const bool taken = !id.empty() && std::ranges::find(found_, id, &Found::id) != found_.end();
    if (taken) note("several keys have the id " + shown_id(id));
    found_.push_back({.id = std::move(id), .material = material_of(jwk), .key = std::move(*key)});
  }

  VerifyingKeys keys_;
  std::vector<Found> found_;
};

// The array of keys in a JWKS document of our own.
Result<Json> read_key_array(std::string_view text) {
  Result<Json> document = parse_json(text, kJwksJson);
  if (!document) return document;
  if (!document->is_object() || !document->contains("keys") || !(*document)["keys"].is_array()) {
    return fail(Errc::invalid_argument, "not a JWKS", "keys");
  }
  return std::move((*document)["keys"]);
}

// Of another issuer's, whose entries are read one by one: what no parser takes costs itself alone.
Result<std::vector<std::string_view>> cut_keys(std::string_view text) {
  if (text.size() > kJwksJson.bytes) {
    return fail(Errc::limit_exceeded, "a JWKS of more than 256 KiB", "keys");
  }
  const std::optional<std::string_view> array = cut_member(text, "keys");
  auto elements = array ? cut_elements(*array) : std::nullopt;
  if (!elements) return fail(Errc::invalid_argument, "not a JWKS", "keys");
  return std::move(*elements);
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

/// The keys that a name may mean, or the check that fails.
struct KeyMatch {
  std::vector<const VerifyingKey*> keys{};
  const char* refused = nullptr;
  bool known = true;  ///< other keys could not change it
};

// A document of a hundred keys of one id would be a hundred signatures to check.
constexpr std::size_t kKeysOfOneId = 8;

KeyMatch match_keys(const VerifyingKeys& keys, const KeyName& name) {
  KeyMatch out;
  const auto add = [&](const auto& entry) {
    // The key decides; that the token says the same is all that its own word is good for.
    if (algorithm_of(entry.second) == name.algorithm) out.keys.push_back(&entry.second);
  };
  if (name.id) {
    const auto [first, last] = keys.by_id.equal_range(*name.id);
    std::for_each(first, last, add);
    if (first != last) {
      if (out.keys.empty()) out.refused = "alg";
      if (out.keys.size() > kKeysOfOneId) out.keys.resize(kKeysOfOneId);
      return out;
    }
  }
  if (keys.ids_may_be_left_out) {
    // A key without an id can be meant by any, and a token without one can mean any.
    const auto [first, last] = name.id ? keys.by_id.equal_range(std::string_view())
                                       : std::pair(keys.by_id.begin(), keys.by_id.end());
    std::for_each(first, last, add);
    if (out.keys.size() == 1) return out;
  }
  out.known = !out.keys.empty();
  out.keys.clear();
  out.refused = "kid";
  return out;
}

Result<void> check_signature(const JwsParts& parts, const Json& header, const VerifyingKeys& keys) {
  const Result<KeyName> name = key_name_of(header, keys.algorithms);
  if (!name) return std::unexpected(name.error());
  const KeyMatch match = match_keys(keys, *name);
  if (match.refused != nullptr) return refuse_jws(match.refused);
  const bool good = std::ranges::any_of(match.keys, [&](const VerifyingKey* key) {
    return std::visit([&](const auto& k) { return k.verify(parts.signed_text, parts.signature); },
                      *key);
  });
  if (!good) return refuse_jws("signature");
  return {};
}

}  // namespace

SigningAlgorithm algorithm_of(const VerifyingKey& key) {
  if (std::holds_alternative<RsaPublicKey>(key)) return SigningAlgorithm::rs256;
  if (std::holds_alternative<P256PublicKey>(key)) return SigningAlgorithm::es256;
  return SigningAlgorithm::eddsa;
}

Result<VerifyingKeys> read_jwks(std::string_view text) {
  const Result<Json> jwks = read_key_array(text);
  if (!jwks) return std::unexpected(jwks.error());
  VerifyingKeys keys;
  keys.algorithms = {SigningAlgorithm::rs256};
  for (const Json& jwk : *jwks) {
    if (Result<void> read = read_key(jwk, keys); !read) return std::unexpected(read.error());
  }
  if (keys.by_id.empty()) {
    return fail(Errc::invalid_argument, "a JWKS without an RS256 key", "keys");
  }
  return keys;
}

Result<VerifyingKeys> read_external_jwks(std::string_view text,
                                         std::vector<SigningAlgorithm> algorithms) {
  const auto elements = cut_keys(text);
  if (!elements) return std::unexpected(elements.error());
  ExternalKeys keys(std::move(algorithms));
  for (const std::string_view element : *elements) keys.read(element);
  return keys.take();
}

std::optional<JwsHint> hint_of(std::string_view token) {
  if (token.size() > kJwsLimitBytes) return std::nullopt;
  const std::optional<JwsParts> parts = split_jws(token);
  if (!parts) return std::nullopt;
  const Result<Json> claims = parse_json(parts->claims, kJwsJson);
  if (!claims || !claims->is_object()) return std::nullopt;
  const std::string* const issuer = text_member(*claims, "iss");
  if (issuer == nullptr) return std::nullopt;
  Result<Json> header = parse_json(parts->header, kJwsJson);
  if (!header || !header->is_object()) return std::nullopt;
  return JwsHint{.issuer = *issuer, .header = std::move(*header)};
}

Result<KeyName> key_name_of(const Json& header, const std::vector<SigningAlgorithm>& algorithms) {
  const std::optional<SigningAlgorithm> algorithm = algorithm_named(header);
  if (!algorithm || std::ranges::find(algorithms, *algorithm) == algorithms.end()) {
    return refuse_jws("alg");
  }
  // RFC 7515 section 4.1.11: no extension is understood here. Keys and key addresses that a
  // header brings along (jwk, jku, x5c, x5u) are never looked at.
  if (header.contains("crit")) return refuse_jws("crit");
  KeyName out{.algorithm = *algorithm, .id = std::nullopt};
  if (present_member(header, "kid") == nullptr) return out;
  const std::string* const kid = text_member(header, "kid");
  if (kid == nullptr || kid->empty() || kid->size() > kKeyIdBytesMax) return refuse_jws("kid");
  out.id = *kid;
  return out;
}

bool knows(const VerifyingKeys& keys, const KeyName& name) { return match_keys(keys, name).known; }

Result<Json> verify_jws(std::string_view token, const VerifyingKeys& keys) {
  if (token.size() > kJwsLimitBytes) return refuse_jws("length");
  const std::optional<JwsParts> parts = split_jws(token);
  if (!parts) return refuse_jws("format");
  const Result<Json> header = parse_json(parts->header, kJwsJson);
  if (!header || !header->is_object()) return refuse_jws("header");
  // Claims that cannot be read tell of no issuer, whose key it could be.
  Result<Json> claims = parse_json(parts->claims, kJwsJson);
  if (!claims) {
    return fail(Errc::unauthenticated, "Unauthorized", "claims: " + claims.error().message);
  }
  if (Result<void> good = check_signature(*parts, *header, keys); !good) {
    return std::unexpected(std::move(good.error()));
  }
  if (!claims->is_object()) return refuse_jws("claims");
  return claims;
}

}  // namespace holdfast::identity
