#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/error.hpp>

namespace holdfast::iam {

/// A string of a policy to compare with: literal, or with `*` (any run) and `?` (one character);
/// `${aws:username}` stands for the caller's name, taken literally. Immutable.
class Pattern {
 public:
  struct Syntax {
    bool wildcards = true;
    bool ignore_case = false;
  };
  /// Parses a pattern. `invalid_argument` if it is too long or uses another policy variable.
  [[nodiscard]] static Result<Pattern> parse(std::string_view text, Syntax syntax,
                                             const std::string& place);
  /// Matches `text`, in at most pattern length times text length steps.
  [[nodiscard]] bool matches(std::string_view text, std::string_view username) const;

 private:
  // A byte, or one of the values above a byte's.
  using Unit = std::uint16_t;
  static constexpr Unit kAnyRun = 256;
  static constexpr Unit kAnyOne = 257;
  static constexpr Unit kUsername = 258;

  [[nodiscard]] Unit byte(char c) const noexcept;
  [[nodiscard]] bool match(const std::vector<Unit>& units, std::string_view text) const;

  std::vector<Unit> units_;
  bool ignore_case_ = false;
  bool has_username_ = false;
};

}  // namespace holdfast::iam
