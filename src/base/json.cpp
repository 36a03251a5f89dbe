#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <holdfast/base/json.hpp>

namespace holdfast {
namespace {

// The names of one object. Most have a handful, for which a scan is quickest; a hostile one must
// not make it quadratic, nor choose names that collide.
class NameSet {
 public:
  bool insert(const std::string& name) {
    if (!many_.empty()) return many_.insert(name).second;
    if (std::ranges::find(few_, name) != few_.end()) return false;
    few_.push_back(name);
    if (few_.size() > kFew) many_.insert(few_.begin(), few_.end());
    return true;
  }

 private:
  static constexpr std::size_t kFew = 16;
  std::vector<std::string> few_;
  std::set<std::string> many_;
};

// Refuses, while the text is read, what RFC 8259 leaves open and a tree can no longer tell, and
// passes the rest on.
class StrictReader final : public nlohmann::json_sax<Json> {
 public:
  StrictReader(JsonHandler& handler, std::size_t depth) : handler_(handler), depth_(depth) {}

  const std::string& message() const { return message_; }
  std::string place() const {
    std::string out;
    for (const Level& level : levels_) {
      if (level.array) {
        out += "[" + std::to_string(level.index) + "]";
      } else if (!level.name.empty()) {
        if (!out.empty()) out += '.';
        out += shortened(level.name);
      }
    }
    return out;
  }

  bool null() override {
    handler_.on_null();
    return next();
  }
  bool boolean(bool value) override {
    handler_.on_boolean(value);
    return next();
  }
  bool number_integer(number_integer_t value) override {
    handler_.on_integer(value);
    return next();
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      handler_.on_integer(static_cast<std::int64_t>(value));
    } else {
      handler_.on_unsigned(value);
    }
    return next();
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (const auto integer = json_integer(text)) {
      handler_.on_integer(*integer);
    } else {
      handler_.on_number(value);
    }
    return next();
  }
  bool binary(binary_t& /*value*/) override { return refuse("binary"); }
  bool string(string_t& value) override {
    if (value.contains('\0')) return refuse("NUL in a string");
    handler_.on_string(value);
    return next();
  }
  bool start_object(std::size_t /*size*/) override {
    if (!push(false)) return false;
    handler_.on_object_begin();
    return true;
  }
  bool start_array(std::size_t /*size*/) override {
    if (!push(true)) return false;
    handler_.on_array_begin();
    return true;
  }
  bool end_object() override {
    levels_.pop_back();
    handler_.on_object_end();
    return next();
  }
  bool end_array() override {
    levels_.pop_back();
    handler_.on_array_end();
    return next();
  }
  bool key(string_t& name) override {
    if (name.contains('\0')) return refuse("NUL in a name");
    Level& level = levels_.back();
    level.name = name;
    if (!level.names.insert(name)) return refuse("duplicate name");
    handler_.on_name(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    // The parser's own text quotes the input; say only where.
    return refuse("not JSON at byte " + std::to_string(position));
  }

 private:
  struct Level {
    bool array;
    std::size_t index;
    std::string name;
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
  bool push(bool array) {
    if (levels_.size() >= depth_) return refuse("nested too deeply");
    levels_.push_back({array, 0, {}, {}});
    return true;
  }
  // A value of the innermost array or object is complete.
  bool next() {
    if (!levels_.empty()) ++levels_.back().index;
    return true;
  }

  JsonHandler& handler_;
  std::size_t depth_;
  std::vector<Level> levels_;
  std::string message_ = "not JSON";
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

// What is behind `e`; nullopt when there is none where there must be. Beyond any use it saturates.
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

  // How many of the digits stand before the point.
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
  // The parser skips a BOM silently; RFC 8259 section 8.1 lets us refuse it, and one form is
  // enough.
  if (text.starts_with("\xef\xbb\xbf")) return fail(Errc::invalid_argument, "not JSON at byte 1");
  // The parser takes a NUL for the end of its input and would not look at what is behind it.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(Errc::invalid_argument, "not JSON at byte " + std::to_string(nul + 1));
  }
  StrictReader reader(handler, limits.depth);
  if (!Json::sax_parse(text.begin(), text.end(), &reader, nlohmann::detail::input_format_t::json,
                       true)) {
    return fail(Errc::invalid_argument, reader.message(), reader.place());
  }
  return {};
}

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  TreeBuilder builder;
  if (auto read = parse_json(text, builder, limits); !read) return std::unexpected(read.error());
  return builder.take();
}

}  // namespace holdfast
