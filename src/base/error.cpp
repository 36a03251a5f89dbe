// Texts of errors.

#include <holdfast/base/error.hpp>

namespace holdfast {

const char* to_string(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::unauthenticated:
      return "unauthenticated";
    case Errc::expired:
      return "expired";
    case Errc::forbidden:
      return "forbidden";
    case Errc::not_found:
      return "not_found";
    case Errc::already_exists:
      return "already_exists";
    case Errc::conflict:
      return "conflict";
    case Errc::limit_exceeded:
      return "limit_exceeded";
    case Errc::too_many_requests:
      return "too_many_requests";
    case Errc::unavailable:
      return "unavailable";
    case Errc::io:
      return "io";
    case Errc::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace holdfast
