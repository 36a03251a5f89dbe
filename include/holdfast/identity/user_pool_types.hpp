#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/identity/attempts.hpp>
#include <holdfast/identity/user.hpp>

namespace holdfast::identity {

// ---- requests

struct CreateUserRequest {
  std::string pool_id;
  std::string username;
  std::optional<std::string> temporary_password;  ///< none: no password lets the user in
  std::map<std::string, std::string> attributes;
  bool permanent = false;  ///< the password is the user's own, not a temporary one
  Source source{};
};

struct InitiateAuthRequest {
  std::optional<std::string> pool_id;  ///< the Admin form has one
  std::string client_id;
  std::string flow;  ///< Cognito's `AuthFlow`
  std::map<std::string, std::string> parameters;
  Source source{};
};

struct RefreshTokensRequest {
  std::string client_id;
  std::string token;
  Source source{};
};

struct RespondToChallengeRequest {
  std::optional<std::string> pool_id;  ///< the Admin form has one
  std::string client_id;
  std::string challenge;
  std::string session;
  std::map<std::string, std::string> responses;
  Source source{};
};

/// A user, as an administrator names one: by the username or the `sub`.
struct UserName {
  std::string pool_id;
  std::string username;
};

struct SetPasswordRequest {
  UserName user;
  std::string password;
  bool permanent = false;
  Source source{};
};

struct UpdateAttributesRequest {
  UserName user;
  std::map<std::string, std::string> attributes;  ///< an empty value removes one
};

struct DeleteAttributesRequest {
  UserName user;
  std::vector<std::string> names;
};

struct ListUsersRequest {
  std::string pool_id;
  std::size_t limit = 60;
  std::string filter;            ///< `attribute = "value"`, `attribute ^= "prefix"`, or empty
  std::string pagination_token;  ///< of an earlier answer, or empty
};

struct ChangePasswordRequest {
  std::string access_token;
  std::string previous;
  std::string proposed;
  Source source{};
};

struct UpdateOwnAttributesRequest {
  std::string access_token;
  std::map<std::string, std::string> attributes;  ///< an empty value removes one
};

struct DeleteOwnAttributesRequest {
  std::string access_token;
  std::vector<std::string> names;
};

struct AttributeCodeRequest {
  std::string access_token;
  std::string attribute;  ///< `email` or `phone_number`
  Source source{};
};

struct VerifyAttributeRequest {
  std::string access_token;
  std::string attribute;
  std::string code;
  Source source{};
};

struct RevokeTokenRequest {
  std::string client_id;
  std::string token;
  Source source{};
};

struct SignUpRequest {
  std::string client_id;
  std::string username;
  std::string password;
  std::map<std::string, std::string> attributes;
  Source source{};
};

/// A user, as a client names one that has no token.
struct ClientUser {
  std::string client_id;
  std::string username;
  Source source{};
};

struct ConfirmRequest {
  ClientUser user;
  std::string code;
  std::string password;  ///< the new one, where it was forgotten
};

// ---- answers

struct AuthenticationResult {
  std::string id_token;
  std::string access_token;
  std::optional<std::string> refresh_token;  ///< none after a refresh, but under rotation
  Seconds expires_in{3600};
};
struct Challenge {
  std::string name;  ///< `NEW_PASSWORD_REQUIRED`, `PASSWORD_VERIFIER`
  /// Sealed; proves the first step; lives `session_lifetime`. Empty under SRP, whose secret block
  /// is one.
  std::string session;
  std::map<std::string, std::string> parameters;
};
struct AuthOutcome {
  std::optional<AuthenticationResult> result;
  std::optional<Challenge> challenge;
};
/// The masked destination of a code: `a***@e***`.
struct CodeDelivery {
  std::string destination;
  std::string medium;     ///< `EMAIL`, `SMS`
  std::string attribute;  ///< `email`, `phone_number`
};

struct UserList {
  std::vector<User> users;
  std::string pagination_token;  ///< empty: there are no more
};

struct SignedUp {
  UserId sub;
  CodeDelivery delivery;
};

}  // namespace holdfast::identity
