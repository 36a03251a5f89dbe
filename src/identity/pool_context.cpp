// Shared parts of the user pool's operations.

#include "pool_context.hpp"

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::identity {
namespace {

constexpr std::string_view kSessionContext = "login session";
// Cognito's limits of the text of a session.
constexpr std::size_t kShortestSession = 20;
constexpr std::size_t kLongestSession = 2048;
// More than the longest name and all that is sealed beside it.
constexpr std::size_t kSealedBytes = 1024;

}  // namespace

Result<std::string> PoolContext::seal_for_stranger(std::string json,
                                                   std::string_view context) const {
  // Pads with blanks, which JSON ignores, so that the length reveals nothing.
  json.resize((json.size() / kSealedBytes + 1) * kSealedBytes, ' ');
  return parts.ring->seal_token(json, context);
}

Result<std::string> PoolContext::seal_session(const LoginChallenge& session) const {
  const Json object = {{"sub", session.sub.str()},
                       {"revision", session.revision},
                       {"client", session.client_id},
                       {"challenge", session.challenge},
                       {"expires_us", unix_micros(session.expires_at)}};
  Result<std::string> sealed = seal_for_stranger(object.dump(), kSessionContext);
  if (sealed) *sealed = base64url_encode(*sealed);
  return sealed;
}

PoolResult<LoginChallenge> PoolContext::open_session(const std::string& session) const {
  const auto invalid = refuse(PoolErrc::not_authorized, "Invalid session provided for the user.");
  if (session.empty()) {
    return refuse(PoolErrc::invalid_parameter, "Missing required parameter Session");
  }
  if (session.size() < kShortestSession || session.size() > kLongestSession) return invalid;
  const auto sealed = base64url_decode(session);
  if (!sealed) return invalid;
  const Result<std::string> text = parts.ring->open_token(*sealed, kSessionContext);
  if (!text) return invalid;
  // Only this pool seals under this context, so the members are as seal_session wrote them.
  const Json object = Json::parse(*text);
  LoginChallenge out{.sub = UserId(object.at("sub").get<std::string>()),
                     .revision = object.at("revision").get<std::int64_t>(),
                     .client_id = object.at("client").get<std::string>(),
                     .challenge = object.at("challenge").get<std::string>(),
                     .expires_at = wall_from_micros(object.at("expires_us").get<std::int64_t>())};
  if (parts.clock.wall_now() >= out.expires_at) {
    return refuse(PoolErrc::not_authorized, "Invalid session for the user, session is expired.");
  }
  return out;
}

void find_who_logs_in(const PoolContext& pool, const std::string& username, LoginBy by,
                      Completion<Result<std::optional<User>>> done) {
  if (by == LoginBy::administrator) {
    pool.parts.users.find_by_name_or_sub(fold_username(username), UserId(username),
                                         std::move(done));
  } else {
    pool.parts.users.find_by_username(fold_username(username), std::move(done));
  }
}

}  // namespace holdfast::identity
