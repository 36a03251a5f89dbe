#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

/// Some of a user's logins, by their ids (the `origin_jti` of a login's tokens).
class Logins {
 public:
  /// Names every login of the user, and access that came without a login.
  [[nodiscard]] static Logins all() { return Logins(true, {}); }
  [[nodiscard]] static Logins all_but(std::string id) { return Logins(true, {std::move(id)}); }
  [[nodiscard]] static Logins only(std::vector<std::string> ids) {
    return Logins(false, std::move(ids));
  }

  [[nodiscard]] bool contains(std::string_view id) const {
    return (std::ranges::find(ids_, id) != ids_.end()) != others_;
  }

 private:
  Logins(bool others, std::vector<std::string> ids) : others_(others), ids_(std::move(ids)) {}

  bool others_;  ///< all but those listed
  std::vector<std::string> ids_;
};

}  // namespace holdfast
