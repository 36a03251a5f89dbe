// The claims of the user pool's tokens.

#include "token_claims.hpp"

#include <algorithm>

#include <holdfast/base/ids.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::identity {
namespace {

// Writes claims as text. Replaces invalid UTF-8 of imported users in place of throwing.
std::string text_of(const Json& claims) {
  return claims.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void add_times(Json& claims, const Login& login) {
  const std::int64_t now =
      std::max(unix_seconds(login.at), unix_seconds(login.user.signed_out_at) + 1);
  claims["auth_time"] = unix_seconds(login.authenticated_at);
  claims["exp"] = now + login.options.id_token_lifetime.count();
  claims["iat"] = now;
  claims["jti"] = generate_uuid();
}

Json attribute_value(const std::string& name, const std::string& value) {
  if (name == "email_verified" || name == "phone_number_verified") return value == "true";
  return value;
}

}  // namespace

bool is_signed_out(const User& user, WallTime issued_at) {
  return user.signed_out_at != WallTime() &&
         unix_seconds(issued_at) <= unix_seconds(user.signed_out_at);
}

std::string id_token_claims(const Login& login) {
  Json claims;
  for (const auto& [name, value] : login.user.attributes) {
    claims[name] = attribute_value(name, value);
  }
  // After the attributes, so that none of them can stand in for a claim.
  claims["sub"] = login.user.sub.str();
  claims["iss"] = login.options.issuer;
  claims["cognito:username"] = login.user.username;
  claims["origin_jti"] = login.id;
  claims["aud"] = login.options.client_id;
  claims["event_id"] = login.event_id;
  claims["token_use"] = "id";
  add_times(claims, login);
  return text_of(claims);
}

std::string access_token_claims(const Login& login) {
  Json claims;
  claims["sub"] = login.user.sub.str();
  claims["iss"] = login.options.issuer;
  claims["client_id"] = login.options.client_id;
  claims["origin_jti"] = login.id;
  claims["event_id"] = login.event_id;
  claims["token_use"] = "access";
  claims["scope"] = "aws.cognito.signin.user.admin";
  claims["username"] = login.user.username;
  add_times(claims, login);
  return text_of(claims);
}

}  // namespace holdfast::identity
