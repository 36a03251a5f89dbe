#include <string>
#include <unordered_set>
#include <vector>

#include <holdfast/base/json.hpp>

namespace holdfast {
namespace {

// Builds the tree and refuses, while the text is read, what a tree can no longer tell: duplicate
// names and depth.
class StrictBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit StrictBuilder(std::size_t depth) : depth_(depth) {}

  Json take() { return std::move(root_); }
  const std::string& message() const { return message_; }
  std::string place() const {
    std::string out;
    for (const Level& level : levels_) {
      if (level.node->is_array()) {
        out += "[" + std::to_string(level.node->size()) + "]";
      } else if (!level.key.empty()) {
        if (!out.empty()) out += '.';
        out += level.key;
      }
    }
    return out;
  }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(value); }
  bool binary(binary_t& /*value*/) override { return refuse("binary"); }
  bool string(string_t& value) override {
    if (value.contains('\0')) return refuse("NUL in a string");
    return add(std::move(value));
  }
  bool start_object(std::size_t /*size*/) override { return push(Json::object()); }
  bool start_array(std::size_t /*size*/) override { return push(Json::array()); }
  bool end_object() override { return pop(); }
  bool end_array() override { return pop(); }
  bool key(string_t& name) override {
    if (name.contains('\0')) return refuse("NUL in a name");
    Level& level = levels_.back();
    level.key = name;
    if (!level.names.insert(name).second) return refuse("duplicate name");
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    // The parser's own text quotes the input; say only where.
    return refuse("not JSON at byte " + std::to_string(position));
  }

 private:
  struct Level {
    Json* node;
    std::string key;
    std::unordered_set<std::string> names;
  };

  bool refuse(std::string message) {
    message_ = std::move(message);
    return false;
  }
  Json* place_value(Json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.node->is_array()) {
      level.node->push_back(std::move(value));
      return &level.node->back();
    }
    // Names are known to be unique: no look-up through the ordered map's vector.
    auto& members = level.node->get_ref<Json::object_t&>();
    members.Container::emplace_back(level.key, std::move(value));
    return &members.back().second;
  }
  bool add(Json value) {
    place_value(std::move(value));
    return true;
  }
  bool push(Json value) {
    if (levels_.size() >= depth_) return refuse("nested too deeply");
    Json* const node = place_value(std::move(value));
    levels_.push_back({node, {}, {}});
    return true;
  }
  bool pop() {
    levels_.pop_back();
    return true;
  }

  std::size_t depth_;
  Json root_;
  std::vector<Level> levels_;
  std::string message_ = "not JSON";
};

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) return fail(Errc::limit_exceeded, "too long");
  // The parser skips a BOM silently; RFC 8259 section 8.1 lets us refuse it, and one form is
  // enough.
  if (text.starts_with("\xef\xbb\xbf")) return fail(Errc::invalid_argument, "not JSON at byte 1");
  StrictBuilder builder(limits.depth);
  if (!Json::sax_parse(text.begin(), text.end(), &builder, nlohmann::detail::input_format_t::json,
                       true)) {
    return fail(Errc::invalid_argument, builder.message(), builder.place());
  }
  return builder.take();
}

}  // namespace holdfast
