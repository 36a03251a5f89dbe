// Cuts members and elements out of a JSON text, without building a tree.

#include "json_pieces.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include <holdfast/base/json.hpp>

namespace holdfast::identity {
namespace {

// Walks a text without recursion, because its author chooses the depth.
class Cutter {
 public:
  explicit Cutter(std::string_view text) : text_(text) {
    // RFC 8259 section 8.1: may be ignored, and some editors write it.
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
  }

  /// Skips `wanted` if it is next. Returns whether it was.
  bool take(char wanted) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  /// Takes the next value, valid or not, up to its end; nullopt if it has no end.
  std::optional<std::string_view> take_value() {
    skip_space();
    const std::size_t start = at_;
    std::string closers;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (closers.empty() && (c == ',' || c == ']' || c == '}' || c == ':')) break;
      if (c == '"' && !skip_string()) return std::nullopt;
      if (c == '[') closers.push_back(']');
      if (c == '{') closers.push_back('}');
      if (c != ']' && c != '}') continue;
      if (closers.back() != c) return std::nullopt;
      closers.pop_back();
    }
    if (!closers.empty() || at_ == start) return std::nullopt;
    return text_.substr(start, at_ - start);
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  // To the quotation mark that ends it.
  bool skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    return at_ < text_.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_named(std::string_view quoted, std::string_view name) {
  const Result<Json> read = parse_json(quoted);
  return read && *read == name;
}

}  // namespace

std::optional<std::string_view> cut_member(std::string_view object, std::string_view name) {
  Cutter cutter(object);
  std::optional<std::string_view> found;
  if (!cutter.take('{')) return std::nullopt;
  if (cutter.take('}')) return std::nullopt;
  do {
    const auto quoted = cutter.take_value();
    if (!quoted || !cutter.take(':')) return std::nullopt;
    const auto value = cutter.take_value();
    if (!value) return std::nullopt;
    if (!is_named(*quoted, name)) continue;
    if (found) return std::nullopt;
    found = value;
  } while (cutter.take(','));
  return cutter.take('}') && cutter.at_end() ? found : std::nullopt;
}

std::optional<std::vector<std::string_view>> cut_elements(std::string_view array) {
  Cutter cutter(array);
  std::vector<std::string_view> out;
  if (!cutter.take('[')) return std::nullopt;
  if (!cutter.take(']')) {
    do {
      const auto element = cutter.take_value();
      if (!element) return std::nullopt;
      out.push_back(*element);
    } while (cutter.take(','));
    if (!cutter.take(']')) return std::nullopt;
  }
  if (!cutter.at_end()) return std::nullopt;
  return out;
}

}  // namespace holdfast::identity
