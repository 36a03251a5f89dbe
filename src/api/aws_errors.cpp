// Turns errors into the answers of API Gateway and Cognito.

#include "aws_errors.hpp"

#include <algorithm>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>

#include "log_keys.hpp"
#include "text.hpp"

namespace holdfast::api {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kJson11 = "application/x-amz-json-1.1";
constexpr std::string_view kRetryAfterSeconds = "1";
constexpr std::size_t kErrorMessageHeaderBytes = 1024;

// A message may quote the client's input: in a header only visible ASCII is safe.
std::string header_safe(std::string_view text) {
  std::string out;
  append_printable(out, text.substr(0, kErrorMessageHeaderBytes));
  return out;
}

// Cuts a message to the length that the access line shows.
std::string reason_of(std::string_view message) {
  constexpr std::size_t kReasonBytes = 256;
  std::string out;
  append_printable(out, message.substr(0, kReasonBytes));
  return out;
}

struct TransportError {
  int status;
  std::string_view type;
  std::string_view message;
};
constexpr TransportError kTransportErrors[] = {
    {400, "BadRequestException", "Bad Request"},
    {403, "ForbiddenException", "Forbidden"},
    {404, "NotFoundException", "Not Found"},
    {405, "MethodNotAllowedException", "Method Not Allowed"},
    {408, "RequestTimeoutException", "Request Timeout"},
    {411, "LengthRequiredException", "Length Required"},
    {413, "RequestTooLargeException", "Request Too Long"},
    {414, "RequestUriTooLongException", "Request URI Too Long"},
    {415, "BadRequestException", "Unsupported Media Type"},
    {417, "ExpectationFailedException", "Expectation Failed"},
    {426, "UpgradeRequiredException", "Upgrade Required"},
    {429, "TooManyRequestsException", "Too Many Requests"},
    {431, "RequestHeaderFieldsTooLargeException", "Request Header Fields Too Large"},
    {501, "NotImplementedException", "Not Implemented"},
    {503, "ServiceUnavailableException", "Service Unavailable"},
    {505, "HttpVersionNotSupportedException", "HTTP Version Not Supported"},
};

}  // namespace

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += '"';
  out += name;
  out += "\":\"";
  append_json_escaped(out, value);
  out += '"';
}

void add_request_id(net::Response& response, std::string id) {
  response.log_fields.set(kLogRequestId, id);
  response.headers.emplace_back("x-amzn-RequestId", std::move(id));
}

net::Response make_answer(int status, std::string_view content_type, std::string body) {
  net::Response out;
  out.status = status;
  out.headers.reserve(4);
  out.headers.emplace_back("Content-Type", content_type);
  add_request_id(out, generate_uuid());
  out.body = std::move(body);
  return out;
}

net::Response make_error(int status, std::string_view type, std::string_view message, Then then) {
  std::string body = "{";
  append_member(body, "message", message);
  body += '}';
  net::Response out = make_answer(status, kJson, std::move(body));
  out.headers.emplace_back("x-amzn-ErrorType", type);
  out.refused = reason_of(message);
  if (status == 503 || status == 429) out.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  out.close = then == Then::close;
  return out;
}

net::Response missing_authentication_token() {
  return make_error(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
}

net::Response method_not_allowed(std::string_view allow) {
  net::Response out = transport_error(405, {});
  out.refused = "the method is not one of " + std::string(allow);
  out.headers.emplace_back("Allow", allow);
  return out;
}

net::Response unauthorized() { return make_error(401, "UnauthorizedException", "Unauthorized"); }

void add_help(net::Response& response, std::string_view documentation_url) {
  if (response.status < 400 || documentation_url.empty()) return;
  const auto type = std::ranges::find(response.headers, "x-amzn-ErrorType",
                                      &std::pair<std::string, std::string>::first);
  std::string link = "<";
  link += documentation_url;
  link += "/errors.md";
  if (type != response.headers.end()) {
    link += '#';
    for (const char c : type->second) {
      if (c != ':') link += ascii::to_lower(c);
    }
  }
  link += R"(>; rel="help")";
  response.headers.emplace_back("Link", std::move(link));
}

net::Response upgrade_required() {
  net::Response out = transport_error(426, {});
  out.headers.emplace_back("Sec-WebSocket-Version", "13");
  out.refused = "a plain request for a WebSocket";
  return out;
}

net::Response request_too_long() { return transport_error(413, {}); }

net::Response too_many_requests() { return transport_error(429, {}); }

net::Response unavailable(Then then) {
  net::Response out = transport_error(503, {});
  out.close = then == Then::close;
  return out;
}

AwsError aws_error_of(const Error& error) {
  switch (error.code) {
    case Errc::invalid_argument:
      return {400, "BadRequestException", "Invalid request body: " + error.message};
    case Errc::conflict:
      return {409, "ConflictException", error.message};
    case Errc::limit_exceeded:
      return {429, "LimitExceededException", "Limit Exceeded: " + error.message};
    case Errc::too_many_requests:
      return {429, "TooManyRequestsException", "Too Many Requests"};
    case Errc::unauthenticated:
    case Errc::expired:
    case Errc::forbidden:
    case Errc::not_found:
    case Errc::already_exists:
    case Errc::unavailable:
    case Errc::io:
    case Errc::internal:
      break;
  }
  return {503, "ServiceUnavailableException", "Service Unavailable"};
}

net::Response delivery_error(const Error& error) {
  const AwsError aws = aws_error_of(error);
  net::Response out = make_error(aws.status, aws.type, aws.message);
  out.refused = reason_of(error.message);
  return out;
}

std::string_view type_of(iam::SignatureErrc code) noexcept {
  switch (code) {
    case iam::SignatureErrc::missing_authentication_token:
      return "MissingAuthenticationTokenException";
    case iam::SignatureErrc::incomplete_signature:
      return "IncompleteSignatureException";
    case iam::SignatureErrc::unrecognized_client:
      return "UnrecognizedClientException";
    case iam::SignatureErrc::expired_token:
      return "ExpiredTokenException";
    case iam::SignatureErrc::invalid_signature:
      break;
  }
  return "InvalidSignatureException";
}

net::Response signature_error(const iam::SignatureError& error) {
  net::Response out = make_error(403, type_of(error.code), error.message);
  note_refusal(out, error);
  return out;
}

void note_refusal(net::Response& response, const iam::SignatureError& error) {
  // Drops the rest: advice, or a hash of the header, from which a reader of the log could guess a
  // short secret.
  std::string_view message = error.reason.empty() ? error.message : error.reason;
  message = message.substr(0, std::min(message.find(". "), message.find(" (hashed")));
  response.refused = type_of(error.code);
  response.refused += ": ";
  response.refused += reason_of(message);
  response.log_fields.set(kLogAccessKeyId, error.key_id);
}

void note_refusal(net::Response& response, std::string_view subject, const Error& error) {
  response.refused = subject;
  response.refused += ": ";
  response.refused += error.where.empty() ? to_string(error.code) : error.where;
}

std::string access_denied_words(std::string_view principal, std::string_view action,
                                std::string_view resource, Denial denial) {
  std::string out = "User: ";
  out += principal;
  out += " is not authorized to perform: ";
  out += action;
  out += " on resource: ";
  out += resource;
  if (denial == Denial::explicit_deny) out += " with an explicit deny";
  return out;
}

std::string mask_account(std::string_view arn) {
  constexpr std::size_t kept = 4;
  std::string out(arn);
  std::size_t begin = 0;  // of the fifth part, the account
  for (int colons = 0; colons < 4; ++colons) {
    begin = arn.find(':', begin);
    if (begin == std::string_view::npos) return out;
    ++begin;
  }
  const std::size_t end = std::min(arn.find(':', begin), arn.size());
  for (std::size_t i = begin; i + kept < end; ++i) out[i] = '*';
  return out;
}

net::Response access_denied(std::string_view principal, std::string_view action,
                            std::string_view resource, Denial denial) {
  std::string body = "{";
  append_member(body, "Message",
                access_denied_words(principal, action, mask_account(resource), denial));
  body += '}';
  net::Response out = make_answer(403, kJson, std::move(body));
  out.headers.emplace_back("x-amzn-ErrorType", "AccessDeniedException");
  out.refused = denied_reason("AccessDeniedException", action, resource);
  return out;
}

std::string denied_reason(std::string_view type, std::string_view action,
                          std::string_view resource) {
  std::string out(type);
  out += ": the policy does not allow ";
  out += action;
  out += " on ";
  out += resource;
  return reason_of(out);
}

net::Response transport_error(int status, std::string_view message) {
  const TransportError* found = &kTransportErrors[0];
  for (const TransportError& error : kTransportErrors) {
    if (error.status == status) found = &error;
  }
  // The documented words stand for a body that is too long, wherever that is found.
  const std::string_view reason = message.empty() ? found->message : message;
  if (message.empty() || status == 413) message = found->message;
  net::Response out = make_error(status, found->type, message);
  out.refused = reason_of(reason);
  if (status == 426) out.headers.emplace_back("Upgrade", "websocket");
  return out;
}

net::Response pool_error(std::string_view type, std::string_view message) {
  std::string body = "{";
  append_member(body, "__type", type);
  body += ',';
  append_member(body, "message", message);
  body += '}';
  const bool retry = type == "ServiceUnavailableException";
  net::Response out = make_answer(retry ? 503 : 400, kJson11, std::move(body));
  out.refused = type;
  out.refused += ": ";
  out.refused += reason_of(message);
  out.headers.emplace_back("x-amzn-ErrorType", std::string(type) + ":");
  out.headers.emplace_back("x-amzn-ErrorMessage", header_safe(message));
  if (retry) out.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  return out;
}

namespace {

net::Response error_of(const identity::PoolError& error) {
  using identity::PoolErrc;
  switch (error.code) {
    case PoolErrc::not_authorized: {
      net::Response out = pool_error("NotAuthorizedException", error.message);
      if (error.locks) out.refused += kLocksTheName;
      return out;
    }
    case PoolErrc::locked: {
      net::Response out = pool_error("NotAuthorizedException", error.message);
      out.refused.insert(0, "locked: ");
      return out;
    }
    case PoolErrc::user_not_found: {
      net::Response out = pool_error("UserNotFoundException", error.message);
      if (error.locks) out.refused += kLocksTheName;
      return out;
    }
    case PoolErrc::username_exists:
      return pool_error("UsernameExistsException", error.message);
    case PoolErrc::invalid_parameter:
      return pool_error("InvalidParameterException", error.message);
    case PoolErrc::invalid_password:
      return pool_error("InvalidPasswordException", error.message);
    case PoolErrc::resource_not_found:
      return pool_error("ResourceNotFoundException", error.message);
    case PoolErrc::user_not_confirmed:
      return pool_error("UserNotConfirmedException", error.message);
    case PoolErrc::password_reset_required:
      return pool_error("PasswordResetRequiredException", error.message);
    case PoolErrc::code_mismatch:
      return pool_error("CodeMismatchException", error.message);
    case PoolErrc::expired_code:
      return pool_error("ExpiredCodeException", error.message);
    case PoolErrc::code_delivery_failure:
      return pool_error("CodeDeliveryFailureException", error.message);
    case PoolErrc::refresh_token_reuse:
      return pool_error("RefreshTokenReuseException", error.message);
    case PoolErrc::limit_exceeded:
      return pool_error("LimitExceededException", error.message);
    case PoolErrc::unauthorized:
      return pool_error("UnauthorizedException", error.message);
    case PoolErrc::unsupported_token_type:
      return pool_error("UnsupportedTokenTypeException", error.message);
    case PoolErrc::too_many_requests:
      return pool_error("TooManyRequestsException", error.message);
    case PoolErrc::unavailable:
      break;
  }
  return pool_error("ServiceUnavailableException", "Service Unavailable");
}

}  // namespace

net::Response pool_error(const identity::PoolError& error) {
  net::Response out = error_of(error);
  out.log_fields.set(kLogUserId, error.sub.str());
  out.by_user = error.by_them;
  return out;
}

}  // namespace holdfast::api
