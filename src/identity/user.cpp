// Names of a user's states, and folding of usernames.

#include <holdfast/identity/user.hpp>

#include "unicode.hpp"

namespace holdfast::identity {

const char* to_string(UserStatus status) noexcept {
  switch (status) {
    case UserStatus::unconfirmed:
      return "UNCONFIRMED";
    case UserStatus::confirmed:
      return "CONFIRMED";
    case UserStatus::force_change_password:
      return "FORCE_CHANGE_PASSWORD";
    case UserStatus::reset_required:
      return "RESET_REQUIRED";
  }
  return "UNKNOWN";
}

std::string fold_username(std::string_view username) {
  std::string out;
  out.reserve(username.size());
  for (std::size_t position = 0; position < username.size();) {
    const std::size_t start = position;
    if (const auto code_point = next_code_point(username, position)) {
      append_utf8(out, fold(*code_point));
    } else {
      out.push_back(username[start]);
    }
  }
  return out;
}

}  // namespace holdfast::identity
