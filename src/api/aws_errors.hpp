#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <holdfast/base/error.hpp>
#include <holdfast/iam/policy.hpp>
#include <holdfast/iam/sigv4.hpp>
#include <holdfast/identity/pool_error.hpp>
#include <holdfast/net/http.hpp>

/// The errors of API Gateway's data plane and of Cognito, in the shapes that AWS clients read.
namespace holdfast::api {

/// Appends `"name":"value"`, the value escaped.
void append_member(std::string& out, std::string_view name, std::string_view value);

/// Gives an answer its request id.
void add_request_id(net::Response& response, std::string id);
/// A 200 or another good answer, with its request id.
[[nodiscard]] net::Response make_answer(int status, std::string_view content_type,
                                        std::string body);

/// The fate of a connection behind an answer.
enum class Then : std::uint8_t { keep_open, close };

/// `x-amzn-ErrorType: {type}` and `{"message": …}`; the access line gets the message as its reason,
/// as it does of all errors here. 503 and 429 carry `Retry-After`.
[[nodiscard]] net::Response make_error(int status, std::string_view type, std::string_view message,
                                       Then then = Then::keep_open);

/// Adds a `Link` to the entry of a refusal in `errors.md` under this URL; nothing where it is
/// empty.
void add_help(net::Response& response, std::string_view documentation_url);

/// 403: an unsigned call, or an unknown path.
[[nodiscard]] net::Response missing_authentication_token();
[[nodiscard]] net::Response method_not_allowed(std::string_view allow);
/// 401, the same for every reason.
[[nodiscard]] net::Response unauthorized();
/// 426 for a plain request to a WebSocket.
[[nodiscard]] net::Response upgrade_required();
[[nodiscard]] net::Response request_too_long();
[[nodiscard]] net::Response too_many_requests();
[[nodiscard]] net::Response unavailable(Then then = Then::keep_open);
/// Makes the answer to a refusal of delivery.
[[nodiscard]] net::Response delivery_error(const Error& error);
/// Returns the name and message of a refusal of delivery, for a batch's `Failed`.
struct AwsError {
  int status;
  std::string_view type;
  std::string message;
};
[[nodiscard]] AwsError aws_error_of(const Error& error);

/// The `x-amzn-ErrorType` of a refused signature.
[[nodiscard]] std::string_view type_of(iam::SignatureErrc code) noexcept;
/// 403 in execute-api's shape.
[[nodiscard]] net::Response signature_error(const iam::SignatureError& error);
/// Sets the reason that the access line shows.
void note_refusal(net::Response& response, const iam::SignatureError& error);
/// Sets the same reason to the subject that is refused, and which check of it failed.
void note_refusal(net::Response& response, std::string_view subject, const Error& error);
/// The reason why a policy does not allow a call.
enum class Denial : std::uint8_t { no_allow, explicit_deny };
[[nodiscard]] constexpr Denial denial_of(iam::Decision decision) noexcept {
  return decision == iam::Decision::explicit_deny ? Denial::explicit_deny : Denial::no_allow;
}
/// 403 in execute-api's shape: `{"Message": …}` with a capital M and the account masked.
[[nodiscard]] net::Response access_denied(std::string_view principal, std::string_view action,
                                          std::string_view resource, Denial denial);
/// The text of it, for other shapes; the resource as given.
[[nodiscard]] std::string access_denied_words(std::string_view principal, std::string_view action,
                                              std::string_view resource, Denial denial);
/// Why the access line says that a policy refused.
[[nodiscard]] std::string denied_reason(std::string_view type, std::string_view action,
                                        std::string_view resource);
/// `arn:aws:execute-api:us-east-1:********0000:…`.
[[nodiscard]] std::string mask_account(std::string_view arn);

/// An error that net found by itself.
[[nodiscard]] net::Response transport_error(int status, std::string_view message);

/// JSON 1.1: 400 (503 for ServiceUnavailableException), `__type` in the body and
/// `x-amzn-ErrorType: {type}:`.
[[nodiscard]] net::Response pool_error(std::string_view type, std::string_view message);
/// The end of the reason if a wrong password locked its name.
inline constexpr std::string_view kLocksTheName = "; the name is locked";
[[nodiscard]] net::Response pool_error(const identity::PoolError& error);

}  // namespace holdfast::api
