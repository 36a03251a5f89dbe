#pragma once

#include <expected>
#include <string>
#include <utility>

namespace holdfast {

/// What went wrong, in terms of what the caller can do about it. Wire shapes (HTTP status, AWS
/// `__type`) are made from these in `api` alone.
enum class Errc {
  invalid_argument,  ///< the input breaks its format or limits
  unauthenticated,   ///< nobody, or nobody provable, is asking
  expired,           ///< a credential was good once
  forbidden,         ///< known, and not allowed
  not_found,
  already_exists,
  conflict,           ///< the same key with other content
  limit_exceeded,     ///< a bound of this user or key is reached; later it may not be
  too_many_requests,  ///< a rate is exceeded
  unavailable,        ///< full, draining, or the disk said no; retry later
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
