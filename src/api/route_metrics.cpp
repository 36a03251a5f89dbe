// Names of the reasons that the routes count.

#include <holdfast/api/route_metrics.hpp>

namespace holdfast::api {

const char* to_string(UpgradeRefusal reason) noexcept {
  switch (reason) {
    case UpgradeRefusal::origin:
      return "origin";
    case UpgradeRefusal::subprotocol:
      return "subprotocol";
    case UpgradeRefusal::token_missing:
      return "token_missing";
    case UpgradeRefusal::token_invalid:
      return "token_invalid";
    case UpgradeRefusal::token_expired:
      return "token_expired";
    case UpgradeRefusal::token_used:
      return "token_used";
    case UpgradeRefusal::unavailable:
      return "unavailable";
    case UpgradeRefusal::draining:
      break;
  }
  return "draining";
}

const char* to_string(TokenCaller caller) noexcept {
  return caller == TokenCaller::user ? "user" : "key";
}

const char* to_string(TokenRefusal reason) noexcept {
  switch (reason) {
    case TokenRefusal::missing:
      return "missing";
    case TokenRefusal::invalid:
      return "invalid";
    case TokenRefusal::expired:
      return "expired";
    case TokenRefusal::user:
      return "user";
    case TokenRefusal::body:
      return "body";
    case TokenRefusal::rate:
      return "rate";
    case TokenRefusal::unavailable:
      break;
  }
  return "unavailable";
}

const char* to_string(LoginFailure reason) noexcept {
  switch (reason) {
    case LoginFailure::not_authorized:
      return "not_authorized";
    case LoginFailure::locked:
      return "locked";
    case LoginFailure::user_not_found:
      return "user_not_found";
    case LoginFailure::user_not_confirmed:
      return "user_not_confirmed";
    case LoginFailure::password_reset_required:
      return "password_reset_required";
    case LoginFailure::invalid_input:
      return "invalid_input";
    case LoginFailure::too_many_requests:
      return "too_many_requests";
    case LoginFailure::unavailable:
      break;
  }
  return "unavailable";
}

const char* to_string(CallRefusal reason) noexcept {
  return reason == CallRefusal::policy ? "policy" : "rate";
}

const char* to_string(IngestRefusal reason) noexcept {
  switch (reason) {
    case IngestRefusal::unauthorized:
      return "unauthorized";
    case IngestRefusal::body:
      return "body";
    case IngestRefusal::content_type:
      return "content_type";
    case IngestRefusal::too_long:
      return "too_long";
    case IngestRefusal::limit_exceeded:
      return "limit_exceeded";
    case IngestRefusal::conflict:
      return "conflict";
    case IngestRefusal::unavailable:
      break;
  }
  return "unavailable";
}

const char* to_string(iam::SignatureErrc reason) noexcept {
  switch (reason) {
    case iam::SignatureErrc::missing_authentication_token:
      return "missing_authentication_token";
    case iam::SignatureErrc::incomplete_signature:
      return "incomplete_signature";
    case iam::SignatureErrc::invalid_signature:
      return "invalid_signature";
    case iam::SignatureErrc::unrecognized_client:
      return "unrecognized_client";
    case iam::SignatureErrc::expired_token:
      break;
  }
  return "expired_token";
}

std::shared_ptr<ShardRouteMetrics> make_route_metrics(std::size_t shards) {
  auto out = std::make_shared<ShardRouteMetrics>();
  for (std::size_t i = 0; i < shards; ++i) out->push_back(std::make_unique<RouteMetrics>());
  return out;
}

}  // namespace holdfast::api
