#include <cctype>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>

#include <unistd.h>

#include <holdfast/app/config.hpp>
#include <holdfast/base/json.hpp>

#include "app/commented_json.hpp"
#include "app/settings.hpp"

namespace holdfast::app {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

// A configuration file and where its members are, for errors that name the place.
class File {
 public:
  explicit File(std::string path) : path_(std::move(path)) {}

  Result<Json> read() {
    std::ifstream in(path_, std::ios::binary);
    std::string text(kFileBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in.is_open() || in.bad()) return fail(Errc::io, "cannot read " + path_, path_);
    text.resize(static_cast<std::size_t>(in.gcount()));
    text = strip_comments(text);
    lines_ = member_lines(text);
    auto parsed = parse_json(text, JsonLimits{.depth = 8, .bytes = kFileBytesMax});
    if (!parsed) return std::unexpected(broken(text, parsed.error()));
    if (!parsed->is_object()) return fail(Errc::invalid_argument, path_ + ": not an object", path_);
    return parsed;
  }

  /// Where a member is: the path, and its line.
  std::string place(const std::string& key) const {
    const auto line = lines_.find(key);
    return line == lines_.end() ? path_ : path_ + ":" + std::to_string(line->second);
  }
  std::unexpected<Error> at(const std::string& key, const std::string& problem) const {
    return fail(Errc::invalid_argument, place(key) + ": " + key + " " + problem, key);
  }

 private:
  Error broken(std::string_view text, const Error& error) const {
    constexpr std::string_view kAtByte = "at byte ";
    const auto found = error.message.find(kAtByte);
    if (found == std::string::npos) return at(error.where, "is refused: " + error.message).error();
    std::size_t offset = 0;
    const char* const digits = error.message.data() + found + kAtByte.size();
    std::from_chars(digits, error.message.data() + error.message.size(), offset);
    const std::size_t line = line_at(text, offset > 0 ? offset - 1 : 0);
    return {Errc::invalid_argument, path_ + ":" + std::to_string(line) + ": " + error.message,
            error.where};
  }

  std::string path_;
  std::map<std::string, std::size_t> lines_;
};

// A configuration in the making, and who set what: a file's line, a variable, a flag.
struct Draft {
  Config config;
  std::map<std::string_view, std::string> sources;

  void set(const Setting& setting, const Json& value, std::string source) {
    setting.write(config, value);
    sources[setting.key] = std::move(source);
  }
};

Result<void> apply_file(Draft& draft, const std::string& path) {
  File file(path);
  auto root = file.read();
  if (!root) return std::unexpected(std::move(root.error()));
  for (const auto& [section, members] : root->items()) {
    if (!members.is_object()) {
      return file.at(section, "must be an object of keys");
    }
    bool known = false;
    for (const Setting& setting : setting_table()) known |= setting.section() == section;
    if (!known) return file.at(section, "is not a section of the configuration");
    for (const auto& [name, value] : members.items()) {
      const std::string key = section + "." + name;
      const Setting* const setting = find_setting(key);
      if (setting == nullptr) return file.at(key, "is not a key of the configuration");
      if (const auto wrong = refuse_value(*setting, value)) return file.at(key, *wrong);
      draft.set(*setting, value, file.place(key));
    }
  }
  return {};
}

// Text stands for itself; everything else is JSON.
Result<void> apply_text(Draft& draft, const Setting& setting, const std::string& text,
                        const std::string& name) {
  Json value = text;
  if (setting.type != SettingType::text && setting.type != SettingType::choice) {
    auto parsed = parse_json(text, JsonLimits{.depth = 8, .bytes = kFileBytesMax});
    // A word that is not JSON gets the message of its wrong type.
    if (parsed) value = std::move(*parsed);
  }
  if (const auto wrong = refuse_value(setting, value)) {
    const std::string key(setting.key);
    return fail(Errc::invalid_argument, name + ": " + key + " " + *wrong, key);
  }
  draft.set(setting, value, name);
  return {};
}

Result<void> apply_environment(Draft& draft, const std::vector<std::string>& environment) {
  constexpr std::string_view kPrefix = "HOLDFAST_";
  for (const std::string& line : environment) {
    const auto equals = line.find('=');
    if (equals == std::string::npos || !line.starts_with(kPrefix)) continue;
    const std::string variable = line.substr(0, equals);
    const auto separator = variable.find("__", kPrefix.size());
    if (separator == std::string::npos) continue;
    std::string key = variable.substr(kPrefix.size());
    key.replace(separator - kPrefix.size(), 2, ".");
    for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const Setting* const setting = find_setting(key);
    if (setting == nullptr) {
      return fail(Errc::invalid_argument,
                  variable + ": " + key + " is not a key of the configuration", key);
    }
    if (auto done = apply_text(draft, *setting, line.substr(equals + 1), variable); !done) {
      return done;
    }
  }
  return {};
}

// Escaped, every byte of a message may become six: `\u0001`.
constexpr std::int64_t kEscapedBytes = 6;
// What a frame or a request's body holds besides the message.
constexpr std::int64_t kAroundMessageBytes = 4 << 10;
// What a management call may send to a connection, beside its messages and what is around them.
constexpr std::int64_t kPostedBytes = (128 + 4) << 10;

/// That `key` is large enough for what other keys allow.
class Check {
 public:
  Check(const Draft& draft, std::string_view key) : draft_(draft), key_(key) {}

  /// Adds `times` the value of another key to what is needed.
  Check& with(std::string_view other, std::int64_t times = 1) {
    needed_ += times * value(other);
    if (!why_.empty()) why_ += " and ";
    why_ += times == 1 ? "" : std::to_string(times) + " times ";
    why_ += described(other);
    if (place_.empty()) place_ = source(other);
    return *this;
  }
  Check& with(std::int64_t bytes) {
    needed_ += bytes;
    why_ += " and " + std::to_string(bytes);
    return *this;
  }
  [[nodiscard]] Result<void> done() const {
    if (value(key_) >= needed_) return {};
    // The line to change: the key's own, or, where it has been left alone, that which asks for
    // more.
    const std::string own = source(key_);
    return fail(Errc::invalid_argument,
                (own.empty() ? place_ : own) + ": " + described(key_) + " must be at least " +
                    std::to_string(needed_) + ": " + why_,
                std::string(key_));
  }

 private:
  [[nodiscard]] std::int64_t value(std::string_view key) const {
    return find_setting(key)->read(draft_.config).get<std::int64_t>();
  }
  // Empty for a default.
  [[nodiscard]] std::string source(std::string_view key) const {
    const auto found = draft_.sources.find(key);
    return found == draft_.sources.end() ? std::string() : found->second;
  }
  [[nodiscard]] std::string described(std::string_view key) const {
    const std::string from = source(key);
    return std::string(key) + " (" + std::to_string(value(key)) + ", " +
           (from.empty() ? "default" : from) + ")";
  }

  const Draft& draft_;
  std::string_view key_;
  std::int64_t needed_ = 0;
  std::string why_;
  std::string place_;
};

/// A key that is set asks for another.
Result<void> check_needs(const Draft& draft, std::string_view key, std::string_view needed) {
  const auto set = [&draft](std::string_view name) {
    const Json value = find_setting(name)->read(draft.config);
    return value.is_boolean() ? value.get<bool>() : !value.get_ref<const std::string&>().empty();
  };
  if (!set(key) || set(needed)) return {};
  return fail(Errc::invalid_argument,
              draft.sources.at(key) + ": " + std::string(key) + " needs " + std::string(needed),
              std::string(needed));
}

Result<void> check_together(const Draft& draft) {
  const Check checks[] = {
      Check(draft, "limits.body_bytes")
          .with("limits.message_bytes", kEscapedBytes)
          .with(kAroundMessageBytes),
      // One whole body at least, or the largest would never be taken.
      Check(draft, "limits.body_bytes_in_flight").with("limits.body_bytes"),
      // A frame that does not fit ends the connection, and so would it end every later one.
      Check(draft, "limits.outbound_bytes")
          .with("delivery.credit_bytes")
          .with("limits.message_bytes", kEscapedBytes)
          .with(kPostedBytes),
      Check(draft, "delivery.pending_bytes").with("limits.message_bytes"),
      Check(draft, "delivery.ack_timeout_ms").with("delivery.ack_wait_ms"),
  };
  for (const Check& check : checks) {
    if (auto done = check.done(); !done) return done;
  }
  if (draft.config.server.listen.starts_with("unix:") && draft.config.server.public_url.empty()) {
    return fail(Errc::invalid_argument,
                draft.sources.at("server.listen") +
                    ": server.listen on a Unix socket needs server.public_url",
                "server.public_url");
  }
  if (const auto wrong = identity::refuse_issuers(draft.config.identity.issuers)) {
    return fail(Errc::invalid_argument,
                draft.sources.at("identity.issuers") + ": identity.issuers: " + *wrong,
                "identity.issuers");
  }
  constexpr std::pair<std::string_view, std::string_view> kNeeds[] = {
      {"tls.certificate", "tls.key"},       {"tls.key", "tls.certificate"},
      {"tls.client_ca", "tls.certificate"}, {"tls.client_certificate_required", "tls.client_ca"},
      {"tls.control", "tls.certificate"},
  };
  for (const auto& [key, needed] : kNeeds) {
    if (auto done = check_needs(draft, key, needed); !done) return done;
  }
  return {};
}

std::string type_name(SettingType type) {
  switch (type) {
    case SettingType::boolean:
      return "boolean";
    case SettingType::integer:
      return "integer";
    case SettingType::text:
    case SettingType::choice:
      return "string";
    case SettingType::texts:
      return "array of strings";
    case SettingType::objects:
      return "array of objects";
  }
  return "";
}

std::string range_text(const Setting& setting) {
  if (setting.type == SettingType::integer) {
    if (setting.max == std::numeric_limits<std::int64_t>::max()) {
      return "at least " + std::to_string(setting.min);
    }
    return std::to_string(setting.min) + " to " + std::to_string(setting.max);
  }
  std::string out;
  for (const std::string_view choice : setting.choices) {
    if (!out.empty()) out += " or ";
    out += '"' + std::string(choice) + '"';
  }
  return out;
}

// Comment lines of at most 100 columns.
std::string wrapped_comment(std::string_view text) {
  constexpr std::size_t kColumns = 93;
  std::string out;
  while (!text.empty()) {
    std::size_t length = text.size();
    if (length > kColumns) length = text.rfind(' ', kColumns);
    out += "    // " + std::string(text.substr(0, length)) + "\n";
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return out;
}

}  // namespace

std::vector<std::string> process_environment() {
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    out.emplace_back(*entry);
  }
  return out;
}

Result<Config> load_config(const ConfigSources& sources) {
  Draft draft;
  if (!sources.file.empty()) {
    if (auto done = apply_file(draft, sources.file); !done) return std::unexpected(done.error());
  }
  if (auto done = apply_environment(draft, sources.environment); !done) {
    return std::unexpected(done.error());
  }
  for (const auto& flag : sources.overrides) {
    const Setting* const setting = find_setting(flag.key);
    if (setting == nullptr) {
      return fail(Errc::invalid_argument,
                  flag.name + ": " + flag.key + " is not a key of the configuration", flag.key);
    }
    if (auto done = apply_text(draft, *setting, flag.value, flag.name); !done) {
      return std::unexpected(done.error());
    }
  }
  if (auto done = check_together(draft); !done) return std::unexpected(done.error());
  return std::move(draft.config);
}

std::vector<SettingInfo> settings() {
  const Config defaults;
  std::vector<SettingInfo> out;
  for (const Setting& setting : setting_table()) {
    out.push_back({.key = std::string(setting.key),
                   .type = type_name(setting.type),
                   .default_json = setting.read(defaults).dump(),
                   .range = range_text(setting),
                   .doc = std::string(setting.doc),
                   .live = setting.live});
  }
  return out;
}

std::string default_config_text() {
  const Config defaults;
  std::string out =
      "// Every key of the configuration with its default. All of them may be left out.\n"
      "// HOLDFAST_SECTION__KEY in the environment overrides a key; flags override both.\n{\n";
  std::string_view section;
  for (const Setting& setting : setting_table()) {
    if (setting.section() != section) {
      if (!section.empty()) out += "\n  },\n";
      section = setting.section();
      out += "  \"" + std::string(section) + "\": {\n";
    } else {
      out += ",\n";
    }
    std::string comment(setting.doc);
    if (const std::string range = range_text(setting); !range.empty()) {
      comment += " (" + range + ")";
    }
    out += wrapped_comment(comment);
    out += "    \"" + std::string(setting.name()) + "\": " + setting.read(defaults).dump();
  }
  return out + "\n  }\n}\n";
}

}  // namespace holdfast::app
