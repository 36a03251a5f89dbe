// A strict JSON parser with limits.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast {
namespace {

// The names of one object, of which most have a handful: a scan of those is quickest. A hostile one
// must not make it quadratic, nor choose names that collide.
class NameSet {
 public:
  /// `earlier` are the names so far.
  bool insert(std::span<const std::string> earlier, const std::string& name) {
    if (earlier.size() < kFew) return std::ranges::find(earlier, name) == earlier.end();
    if (!many_) many_ = std::make_unique<std::set<std::string>>(earlier.begin(), earlier.end());
    return many_->insert(name).second;
  }

 private:
  static constexpr std::size_t kFew = 16;
  std::unique_ptr<std::set<std::string>> many_;
};

/// Reads a text of RFC 8259 from its begin to its end, and refuses what that leaves open.
class StrictReader {
 public:
  StrictReader(std::string_view text, JsonHandler& handler, std::size_t depth)
      : text_(text), handler_(handler), depth_(depth) {}

  /// One value and nothing behind it. Where this is false, `message` and `place` say why.
  bool read() {
    while (true) {
      skip_space();
      if (!begin_value()) return false;
      // The value is complete, or an object or array was opened.
      bool value_due = false;
      while (!value_due) {
        skip_space();
        if (levels_.empty()) return at_ == text_.size() || refuse_here();
        if (!go_on(value_due)) return false;
      }
    }
  }

  const std::string& message() const { return message_; }
  std::string place() const {
    std::string out;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      const Level& level = levels_[i];
      const std::size_t names_end =
          i + 1 < levels_.size() ? levels_[i + 1].first_name : names_.size();
      if (level.array) {
        out += "[" + std::to_string(level.index) + "]";
      } else if (names_end > level.first_name && !names_[names_end - 1].empty()) {
        if (!out.empty()) out += '.';
        out += shortened(names_[names_end - 1]);
      }
    }
    return out;
  }

 private:
  struct Level {
    bool array;
    bool fresh;  ///< nothing of it was read
    std::size_t index;
    std::size_t first_name;  ///< in `names_`
    NameSet names;
  };

  // The place goes into error messages, which a peer must not make long.
  static std::string_view shortened(std::string_view name) {
    constexpr std::size_t bytes_max = 64;
    if (name.size() <= bytes_max) return name;
    std::size_t end = bytes_max;
    while ((static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
    return name.substr(0, end);
  }

  bool refuse(std::string message) {
    message_ = std::move(message);
    return false;
  }
  bool refuse_here() { return refuse("not JSON at byte " + std::to_string(at_ + 1)); }
  // 0 at the end, which no token begins with.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  // Behind a complete value, or at the begin of an object or array.
  bool go_on(bool& value_due) {
    Level& level = levels_.back();
    const bool fresh = std::exchange(level.fresh, false);
    const char c = peek();
    if (c == (level.array ? ']' : '}')) {
      ++at_;
      close();
      return true;
    }
    if (!fresh) {
      if (c != ',') return refuse_here();
      ++at_;
      skip_space();
    }
    value_due = true;
    return level.array || name();
  }

  bool begin_value() {
    switch (peek()) {
      case '{':
        return open(false);
      case '[':
        return open(true);
      case '"':
        if (!string(value_)) return false;
        if (value_.contains('\0')) return refuse("NUL in a string");
        handler_.on_string(value_);
        return complete();
      case 't':
        if (!word("true")) return false;
        handler_.on_boolean(true);
        return complete();
      case 'f':
        if (!word("false")) return false;
        handler_.on_boolean(false);
        return complete();
      case 'n':
        if (!word("null")) return false;
        handler_.on_null();
        return complete();
      default:
        return number() && complete();
    }
  }

  // A value of the innermost array or object is complete.
  bool complete() {
    if (!levels_.empty()) ++levels_.back().index;
    return true;
  }

  bool open(bool array) {
    if (levels_.size() >= depth_) return refuse("nested too deeply");
    ++at_;
    levels_.push_back({array, true, 0, names_.size(), {}});
    array ? handler_.on_array_begin() : handler_.on_object_begin();
    return true;
  }

  void close() {
    const bool array = levels_.back().array;
    names_.resize(levels_.back().first_name);
    levels_.pop_back();
    array ? handler_.on_array_end() : handler_.on_object_end();
    complete();
  }

  bool name() {
    if (peek() != '"') return refuse_here();
    std::string& name = names_.emplace_back();
    if (!string(name)) return false;
    if (name.contains('\0')) return refuse("NUL in a name");
    Level& level = levels_.back();
    const std::span<const std::string> names(names_);
    if (!level.names.insert(names.subspan(level.first_name, names.size() - level.first_name - 1),
                            name)) {
      return refuse("duplicate name");
    }
    skip_space();
    if (peek() != ':') return refuse_here();
    ++at_;
    handler_.on_name(name);
    return true;
  }

  bool word(std::string_view expected) {
    for (const char c : expected) {
      if (peek() != c) return refuse_here();
      ++at_;
    }
    return true;
  }

  // From its quotation mark to behind its last.
  bool string(std::string& out) {
    out.clear();
    ++at_;
    while (true) {
      const std::size_t start = at_;
      if (!skip_unescaped()) return false;
      out.append(text_, start, at_ - start);
      if (text_[at_++] == '"') return true;
      if (!escape(out)) return false;
    }
  }

  // To the next quotation mark or backslash.
  bool skip_unescaped() {
    const std::size_t start = at_;
    for (at_ += plain_length(text_.substr(at_));; ++at_, at_ += plain_length(text_.substr(at_))) {
      const auto c = static_cast<unsigned char>(peek());
      if (c < 0x20) return refuse_here();
      if (c == '"' || c == '\\') break;
    }
    const std::string_view run = text_.substr(start, at_ - start);
    if (is_utf8(run)) return true;
    at_ = start;
    return refuse_here();
  }

  bool escape(std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    const char c = peek();
    if (c == 'u') {
      ++at_;
      return code_point(out);
    }
    const std::size_t letter = c == '\0' ? std::string_view::npos : kLetters.find(c);
    if (letter == std::string_view::npos) return refuse_here();
    out += kMeant[letter];
    ++at_;
    return true;
  }

  bool four_digits(unsigned& out) {
    out = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = ascii::hex_value(peek());
      if (digit < 0) return refuse_here();
      out = out * 16 + static_cast<unsigned>(digit);
    }
    return true;
  }

  bool code_point(std::string& out) {
    unsigned unit = 0;
    if (!four_digits(unit)) return false;
    if (unit >= 0xdc00 && unit <= 0xdfff) return refuse_here();
    if (unit >= 0xd800 && unit <= 0xdbff) {
      unsigned low = 0;
      if (!word("\\u") || !four_digits(low)) return false;
      if (low < 0xdc00 || low > 0xdfff) return refuse_here();
      unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, unit);
    return true;
  }

  static void append_utf8(std::string& out, unsigned code_point) {
    const auto add = [&out](unsigned byte) { out += static_cast<char>(byte); };
    if (code_point < 0x80) return add(code_point);
    if (code_point < 0x800) {
      add(0xc0 | code_point >> 6);
    } else {
      if (code_point < 0x10000) {
        add(0xe0 | code_point >> 12);
      } else {
        add(0xf0 | code_point >> 18);
        add(0x80 | (code_point >> 12 & 0x3f));
      }
      add(0x80 | (code_point >> 6 & 0x3f));
    }
    add(0x80 | (code_point & 0x3f));
  }

  bool digits() {
    if (!ascii::is_digit(peek())) return refuse_here();
    while (ascii::is_digit(peek())) ++at_;
    return true;
  }

  bool number() {
    const std::size_t start = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    bool whole = true;
    if (peek() == '.') {
      whole = false;
      ++at_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    const std::string_view text = text_.substr(start, at_ - start);
    return (whole && whole_number(text)) || other_number(text);
  }

  // False beyond 64 bits.
  bool whole_number(std::string_view text) {
    const char* const end = text.data() + text.size();
    std::int64_t value = 0;
    if (std::from_chars(text.data(), end, value).ec == std::errc()) {
      handler_.on_integer(value);
      return true;
    }
    std::uint64_t large = 0;
    if (text.starts_with('-') || std::from_chars(text.data(), end, large).ec != std::errc()) {
      return false;
    }
    handler_.on_unsigned(large);
    return true;
  }

  bool other_number(std::string_view text) {
    if (const auto integer = json_integer(text)) {
      handler_.on_integer(*integer);
      return true;
    }
    double value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) {
      // strtod distinguishes overflow from underflow, which from_chars does not.
      value = std::strtod(std::string(text).c_str(), nullptr);
      if (!std::isfinite(value)) return refuse_here();
    }
    handler_.on_number(value);
    return true;
  }

  const std::string_view text_;
  JsonHandler& handler_;
  const std::size_t depth_;
  std::size_t at_ = 0;
  std::vector<Level> levels_;
  std::vector<std::string> names_;  ///< of all objects that are open, one object behind another
  std::string value_;
  std::string message_;
};

class TreeBuilder final : public JsonHandler {
 public:
  Json take() { return std::move(root_); }

  void on_null() override { place(nullptr); }
  void on_boolean(bool value) override { place(value); }
  void on_integer(std::int64_t value) override { place(value); }
  void on_unsigned(std::uint64_t value) override { place(value); }
  void on_number(double value) override { place(value); }
  void on_string(std::string& value) override { place(std::move(value)); }
  void on_name(std::string_view name) override { name_ = name; }
  void on_object_begin() override { open_.push_back(place(Json::object())); }
  void on_array_begin() override { open_.push_back(place(Json::array())); }
  void on_object_end() override { open_.pop_back(); }
  void on_array_end() override { open_.pop_back(); }

 private:
  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // Names are known to be unique: no look-up through the ordered map's vector.
    auto& members = parent.get_ref<Json::object_t&>();
    members.Container::emplace_back(std::move(name_), std::move(value));
    return &members.back().second;
  }

  Json root_;
  std::vector<Json*> open_;
  std::string name_;
};

// The digits of a run, and the text behind it.
std::string_view take_digits(std::string_view& rest) noexcept {
  const std::size_t count = std::min(rest.find_first_not_of("0123456789"), rest.size());
  const std::string_view digits = rest.substr(0, count);
  rest.remove_prefix(count);
  return digits;
}

// Takes the exponent after `e`; nullopt if its digits are missing. Huge exponents saturate.
std::optional<int> take_exponent(std::string_view& rest) noexcept {
  constexpr int kSaturated = 100'000;
  if (rest.empty() || (rest.front() != 'e' && rest.front() != 'E')) return 0;
  rest.remove_prefix(1);
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const std::string_view digits = take_digits(rest);
  if (digits.empty()) return std::nullopt;
  int out = 0;
  for (const char c : digits) out = std::min(out * 10 + (c - '0'), kSaturated);
  return negative ? -out : out;
}

}  // namespace

// By digits and not by a double, which rounds a fraction away where numbers are large.
std::optional<std::int64_t> json_integer(std::string_view number) noexcept {
  constexpr std::int64_t kGreatest = std::int64_t{1} << 53;
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  const std::string_view whole = take_digits(number);
  if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return std::nullopt;
  std::string_view fraction;
  if (number.starts_with('.')) {
    number.remove_prefix(1);
    fraction = take_digits(number);
    if (fraction.empty()) return std::nullopt;
  }
  const auto exponent = take_exponent(number);
  if (!exponent || !number.empty()) return std::nullopt;

  // The number of digits before the point.
  const auto point = static_cast<std::int64_t>(whole.size()) + *exponent;
  const auto digits = static_cast<std::int64_t>(whole.size() + fraction.size());
  std::int64_t out = 0;
  for (std::int64_t at = 0; at < std::max(digits, point); ++at) {
    const auto place = static_cast<std::size_t>(at);
    const char digit = at >= digits           ? '0'
                       : place < whole.size() ? whole[place]
                                              : fraction[place - whole.size()];
    if (at >= point) {
      if (digit != '0') return std::nullopt;
      continue;
    }
    // Zeros stay zero, however many there are.
    if (at >= digits && out == 0) return 0;
    out = out * 10 + (digit - '0');
    if (out > kGreatest) return std::nullopt;
  }
  return negative ? -out : out;
}

Result<void> parse_json(std::string_view text, JsonHandler& handler, const JsonLimits& limits) {
  if (text.size() > limits.bytes) return fail(Errc::limit_exceeded, "too long");
  StrictReader reader(text, handler, limits.depth);
  if (!reader.read()) return fail(Errc::invalid_argument, reader.message(), reader.place());
  return {};
}

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  TreeBuilder builder;
  if (auto read = parse_json(text, builder, limits); !read) return std::unexpected(read.error());
  return builder.take();
}

}  // namespace holdfast
