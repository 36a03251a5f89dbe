// The strict JSON reader.

#include <cmath>
#include <set>

#include <holdfast/base/json.hpp>

#include "fuzz/oracle.hpp"

namespace holdfast::fuzz {
namespace {

constexpr std::size_t kDepth = 8;

bool is_same(const Json& ours, const Json& theirs) {
  if (ours.is_number() && theirs.is_number()) {
    if (ours.is_number_integer() && theirs.is_number_integer()) return ours == theirs;
    return ours.get<double>() == theirs.get<double>();
  }
  if (ours.type() != theirs.type() || ours.size() != theirs.size()) return false;
  if (ours.is_object()) {
    for (const auto& [name, value] : ours.items()) {
      if (!theirs.contains(name) || !is_same(value, theirs[name])) return false;
    }
    return true;
  }
  if (ours.is_array()) {
    for (std::size_t i = 0; i < ours.size(); ++i) {
      if (!is_same(ours[i], theirs[i])) return false;
    }
    return true;
  }
  return ours == theirs;
}

/// Finds what our reader refuses beyond the grammar.
class Stricter : public nlohmann::json_sax<Json> {
 public:
  bool refuses = false;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t value, const string_t&) override {
    refuses = refuses || !std::isfinite(value);
    return true;
  }
  bool string(string_t& value) override { return note(value); }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    names_.emplace_back();
    return enter();
  }
  bool key(string_t& name) override {
    refuses = refuses || !names_.back().insert(name).second;
    return note(name);
  }
  bool end_object() override {
    names_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    refuses = true;
    return false;
  }

 private:
  bool note(const std::string& text) {
    refuses = refuses || text.contains('\0');
    return true;
  }
  bool enter() {
    refuses = refuses || ++depth_ > kDepth;
    return true;
  }
  std::vector<std::set<std::string>> names_;
  std::size_t depth_ = 0;
};

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::fuzz;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto ours = parse_json(text, {.depth = kDepth, .bytes = 1 << 20});
  const Json theirs = Json::parse(text, nullptr, false);
  if (ours) {
    require(!theirs.is_discarded(), "what is accepted is JSON");
    require(is_same(*ours, theirs), "the value");
    return 0;
  }
  // Theirs passes over a byte order mark, and takes a NUL for the end.
  if (theirs.is_discarded() || text.starts_with("\xef\xbb\xbf") || text.contains('\0')) return 0;
  Stricter stricter;
  (void)Json::sax_parse(text, &stricter);
  require(stricter.refuses, "what is refused has a reason");
  return 0;
}
