#pragma once

#include <expected>
#include <string>
#include <utility>

namespace holdfast {

/// Classifies an error by what the caller can do about it. Only `api` turns these into wire shapes
/// (HTTP status, AWS `__type`).
enum class Errc {
  invalid_argument,  ///< the input breaks its format or limits
  unauthenticated,   ///< the caller is unknown or unproven
  expired,           ///< a credential has expired
  forbidden,         ///< the caller is known, but not allowed
  not_found,
  already_exists,
  conflict,           ///< the key exists with other content
  limit_exceeded,     ///< a limit of this user or key is reached; retry later
  too_many_requests,  ///< a rate limit is exceeded
  unavailable,        ///< full, stopping, or the disk failed; retry later
  io,                 ///< a file, socket or database failed
  internal,           ///< cannot happen
};

/// Stable lower-case name of a code, for logs.
[[nodiscard]] const char* to_string(Errc code) noexcept;

/// An error as a value: a code for programs, a message for people, and the field, key or place
/// where it arose (may be empty). Messages never hold secrets.
struct Error {
  Error(Errc error_code, std::string error_message, std::string error_where = {})
      : code(error_code), message(std::move(error_message)), where(std::move(error_where)) {}

  Errc code;
  std::string message;
  std::string where;
};

template <class T>
using Result = std::expected<T, Error>;

/// Short form of `std::unexpected(Error{...})`.
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message,
                                                 std::string where = {}) {
  return std::unexpected<Error>(std::in_place, code, std::move(message), std::move(where));
}

}  // namespace holdfast
