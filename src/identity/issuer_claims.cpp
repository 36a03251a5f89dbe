// Checks the claims of other issuers' ID tokens.

#include "issuer_claims.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "claims.hpp"

namespace holdfast::identity {
namespace {

// Clocks of two machines that are both kept right.
constexpr Seconds kClockLeeway{10};
constexpr std::size_t kUserIdBytesMax = 128;

std::unexpected<Error> refuse_claim(const char* check) {
  return fail(Errc::unauthenticated, "Unauthorized", check);
}

bool is_one_of(const std::string* value, const std::vector<std::string>& allowed) {
  return value != nullptr && std::ranges::find(allowed, *value) != allowed.end();
}

// Section 3.1.3.7, rules 3 to 5: a token for several is the one's that asked for it.
const char* refuse_audience(const Json& claims, const std::vector<std::string>& allowed) {
  const auto audience = claims.find("aud");
  if (audience == claims.end()) return "aud";
  bool several = false;
  if (audience->is_array()) {
    const auto is_text = [](const Json& entry) { return entry.is_string(); };
    if (!std::ranges::all_of(*audience, is_text)) return "aud";
    const auto is_allowed = [&](const Json& entry) {
      return is_one_of(entry.get_ptr<const Json::string_t*>(), allowed);
    };
    if (!std::ranges::any_of(*audience, is_allowed)) return "aud";
    several = audience->size() > 1;
  } else if (!is_one_of(audience->get_ptr<const Json::string_t*>(), allowed)) {
    return "aud";
  }
  if (!several && present_member(claims, "azp") == nullptr) return nullptr;
  return is_one_of(text_member(claims, "azp"), allowed) ? nullptr : "azp";
}

Result<UserId> user_id_in(const Json& claims, const IssuerOptions& issuer) {
  const std::string* const value = text_member(claims, issuer.user_id_claim.c_str());
  if (value == nullptr || value->empty()) return refuse_claim("user_id_claim");
  // An unverified address may belong to anybody.
  if (issuer.user_id_claim == "email" && !is_true_member(claims, "email_verified")) {
    return refuse_claim("email_verified");
  }
  std::string id = issuer.user_id_prefix + *value;
  if (id.size() > kUserIdBytesMax) return refuse_claim("user_id_claim");
  return UserId(std::move(id));
}

// Issuers sign more than ID tokens for the same client: Keycloak's access and refresh tokens say so
// in a claim, logout tokens tell of an event (OpenID Connect Back-Channel Logout 1.0 section 2.4).
const char* refuse_other_purposes(const Json& claims) {
  if (present_member(claims, "events") != nullptr) return "events";
  if (present_member(claims, "typ") == nullptr) return nullptr;
  const std::string* const type = text_member(claims, "typ");
  return type != nullptr && *type == "ID" ? nullptr : "typ";
}

}  // namespace

Result<IdTokenClaims> read_external_claims(const Json& claims, const IssuerOptions& issuer,
                                           WallTime now) {
  const std::string* const name = text_member(claims, "iss");
  if (name == nullptr || *name != issuer.issuer) return refuse_claim("iss");
  if (const char* const wrong = refuse_audience(claims, issuer.audiences)) {
    return refuse_claim(wrong);
  }
  if (const char* const wrong = refuse_other_purposes(claims)) return refuse_claim(wrong);
  if (!issuer.token_use.empty()) {
    const std::string* const use = text_member(claims, "token_use");
    if (use == nullptr || *use != issuer.token_use) return refuse_claim("token_use");
  }
  Result<UserId> user = user_id_in(claims, issuer);
  if (!user) return std::unexpected(std::move(user.error()));
  const std::optional<WallTime> issued_at = numeric_date_member(claims, "iat");
  if (!issued_at || *issued_at > now + kClockLeeway) return refuse_claim("iat");
  const std::optional<WallTime> expires_at = numeric_date_member(claims, "exp");
  if (!expires_at) return refuse_claim("exp");
  if (present_member(claims, "nbf") != nullptr) {
    const std::optional<WallTime> not_before = numeric_date_member(claims, "nbf");
    if (!not_before || *not_before > now + kClockLeeway) return refuse_claim("nbf");
  }
  if (now >= *expires_at + kClockLeeway) {
    return fail(Errc::expired, "The incoming token has expired", "exp");
  }
  // The id is the name as well: one of the token's own could be that of a user of the pool.
  std::string username = user->str();
  return IdTokenClaims{.sub = std::move(*user),
                       .username = std::move(username),
                       .issued_at = *issued_at,
                       .expires_at = *expires_at,
                       .in_pool = false};
}

bool is_id_token_type(const Json& header) {
  if (present_member(header, "typ") == nullptr) return true;
  const std::string* const type = text_member(header, "typ");
  return type != nullptr && (*type == "JWT" || *type == "jwt");
}

}  // namespace holdfast::identity
