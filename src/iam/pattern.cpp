// Matches the wildcards of policies.

#include "pattern.hpp"

#include <holdfast/base/ascii.hpp>

namespace holdfast::iam {
namespace {

constexpr std::size_t kPatternBytesMax = 2048;

bool continues_character(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

Result<Pattern> Pattern::parse(std::string_view text, Syntax syntax, const std::string& place) {
  if (text.size() > kPatternBytesMax) return fail(Errc::invalid_argument, "too long", place);
  Pattern out;
  out.ignore_case_ = syntax.ignore_case;
  while (!text.empty()) {
    if (text.starts_with("${")) {
      const std::size_t end = text.find('}');
      const std::string_view name = text.substr(2, end == text.npos ? text.npos : end - 2);
      if (end == text.npos ||
          (name != "aws:username" && name != "*" && name != "?" && name != "$")) {
        return fail(Errc::invalid_argument, "unknown policy variable", place);
      }
      const bool username = name == "aws:username";
      out.has_username_ = out.has_username_ || username;
      out.units_.push_back(username ? kUsername : out.byte(name.front()));
      text.remove_prefix(end + 1);
      continue;
    }
    const char c = text.front();
    text.remove_prefix(1);
    if (syntax.wildcards && c == '*') {
      out.units_.push_back(kAnyRun);
    } else if (syntax.wildcards && c == '?') {
      out.units_.push_back(kAnyOne);
    } else {
      out.units_.push_back(out.byte(c));
    }
  }
  return out;
}

bool Pattern::matches(std::string_view text, std::string_view username) const {
  if (!has_username_) return match(units_, text);
  std::vector<Unit> units;
  for (const Unit unit : units_) {
    if (unit != kUsername) {
      units.push_back(unit);
    } else {
      for (const char c : username) units.push_back(byte(c));
    }
  }
  return match(units, text);
}

Pattern::Unit Pattern::byte(char c) const noexcept {
  return static_cast<unsigned char>(ignore_case_ ? ascii::to_lower(c) : c);
}

// Goes back to the last `*` only: what an earlier one could still give, the last one gives too.
bool Pattern::match(const std::vector<Unit>& units, std::string_view text) const {
  constexpr std::size_t none = -1;
  std::size_t unit = 0;
  std::size_t at = 0;
  std::size_t run = none;
  std::size_t run_end = 0;
  while (at < text.size()) {
    if (unit < units.size() && units[unit] == kAnyRun) {
      run = unit++;
      run_end = at;
    } else if (unit < units.size() && units[unit] == kAnyOne && !continues_character(text[at])) {
      ++unit;
      for (++at; at < text.size() && continues_character(text[at]);) ++at;
    } else if (unit < units.size() && units[unit] == byte(text[at])) {
      ++unit;
      ++at;
    } else if (run != none) {
      unit = run + 1;
      at = ++run_end;
    } else {
      return false;
    }
  }
  while (unit < units.size() && units[unit] == kAnyRun) ++unit;
  return unit == units.size();
}

}  // namespace holdfast::iam
