#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <unistd.h>

#include <holdfast/app/config.hpp>
#include <holdfast/base/ascii.hpp>
#include <holdfast/base/json.hpp>

#include "commented_json.hpp"
#include "settings.hpp"

namespace holdfast::app {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

// A configuration file and where its members are, for errors that name the place.
class File {
 public:
  explicit File(std::string path) : path_(std::move(path)) {}

  std::expected<Json, ConfigProblem> read() {
    std::ifstream in(path_, std::ios::binary);
    std::string text(kFileBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in.is_open() || in.bad()) {
      return std::unexpected(ConfigProblem{
          .code = Errc::io, .place = {}, .key = path_, .message = "cannot read " + path_});
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    text = strip_comments(text);
    lines_ = member_lines(text);
    auto parsed = parse_json(text, JsonLimits{.depth = 8, .bytes = kFileBytesMax});
    if (!parsed) return std::unexpected(broken(text, parsed.error()));
    if (!parsed->is_object()) {
      return std::unexpected(ConfigProblem{.place = path_, .key = {}, .message = "not an object"});
    }
    return std::move(*parsed);
  }

  /// Where a member is: the path, and its line.
  std::string place(const std::string& key) const {
    const auto line = lines_.find(key);
    return line == lines_.end() ? path_ : path_ + ":" + std::to_string(line->second);
  }
  ConfigProblem at(const std::string& key, const std::string& problem) const {
    return {.place = place(key), .key = key, .message = key + " " + problem};
  }

 private:
  ConfigProblem broken(std::string_view text, const Error& error) const {
    constexpr std::string_view kAtByte = "at byte ";
    const auto found = error.message.find(kAtByte);
    if (found == std::string::npos) return at(error.where, "is refused: " + error.message);
    std::size_t offset = 0;
    const char* const digits = error.message.data() + found + kAtByte.size();
    std::from_chars(digits, error.message.data() + error.message.size(), offset);
    const std::size_t line = line_at(text, offset > 0 ? offset - 1 : 0);
    return {
        .place = path_ + ":" + std::to_string(line), .key = error.where, .message = error.message};
  }

  std::string path_;
  std::map<std::string, std::size_t> lines_;
};

struct Origin {
  ConfigSource source = ConfigSource::defaults;
  std::string place;  ///< a file's line, a variable, a flag
};

// A configuration in the making, who set what, and what is wrong with it.
struct Draft {
  Config config;
  std::map<std::string_view, Origin> origins;
  std::vector<ConfigProblem> problems;
  std::set<std::string, std::less<>> refused;  ///< keys whose values were

  void set(const Setting& setting, const Json& value, Origin origin) {
    setting.write(config, value);
    origins[setting.key] = std::move(origin);
  }
  void refuse(ConfigProblem problem) {
    refused.insert(problem.key);
    problems.push_back(std::move(problem));
  }
  // Empty for a default.
  [[nodiscard]] std::string place(std::string_view key) const {
    const auto found = origins.find(key);
    return found == origins.end() ? std::string() : found->second.place;
  }
};

constexpr const char* kUnknownKey = "is not a key of the configuration";
// What editors look up to complete and check the file.
constexpr std::string_view kSchemaMember = "$schema";

void apply_section(Draft& draft, const File& file, const std::string& section,
                   const Json& members) {
  if (section == kSchemaMember) {
    if (!members.is_string()) draft.refuse(file.at(section, "must be a string"));
    return;
  }
  if (!members.is_object()) return draft.refuse(file.at(section, "must be an object of keys"));
  bool known = false;
  for (const Setting& setting : setting_table()) known |= setting.section() == section;
  if (!known) return draft.refuse(file.at(section, "is not a section of the configuration"));
  for (const auto& [name, value] : members.items()) {
    const std::string key = section + "." + name;
    const Setting* const setting = find_setting(key);
    if (setting == nullptr) {
      draft.refuse(file.at(key, kUnknownKey));
    } else if (const auto wrong = refuse_value(*setting, value)) {
      draft.refuse(file.at(key, *wrong));
    } else {
      draft.set(*setting, value, {ConfigSource::file, file.place(key)});
    }
  }
}

void apply_file(Draft& draft, const std::string& path) {
  File file(path);
  const auto root = file.read();
  if (!root) return draft.refuse(root.error());
  for (const auto& [section, members] : root->items()) {
    apply_section(draft, file, section, members);
  }
}

// Text stands for itself; everything else is JSON. `place` is the variable or the flag.
void apply_text(Draft& draft, const std::string& key, const std::string& text,
                const Origin& origin) {
  const Setting* const setting = find_setting(key);
  if (setting == nullptr) {
    return draft.refuse({.place = origin.place, .key = key, .message = key + " " + kUnknownKey});
  }
  Json value = text;
  if (setting->type != SettingType::text && setting->type != SettingType::choice) {
    auto parsed = parse_json(text, JsonLimits{.depth = 8, .bytes = kFileBytesMax});
    // A word that is not JSON gets the message of its wrong type.
    if (parsed) value = std::move(*parsed);
  }
  if (const auto wrong = refuse_value(*setting, value)) {
    return draft.refuse({.place = origin.place, .key = key, .message = key + " " + *wrong});
  }
  draft.set(*setting, value, origin);
}

void apply_environment(Draft& draft, const std::vector<std::string>& environment) {
  constexpr std::string_view kPrefix = "HOLDFAST_";
  for (const std::string& line : environment) {
    const auto equals = line.find('=');
    if (equals == std::string::npos || !line.starts_with(kPrefix)) continue;
    const std::string variable = line.substr(0, equals);
    const auto separator = variable.find("__", kPrefix.size());
    if (separator == std::string::npos) continue;
    std::string key = ascii::to_lower(variable.substr(kPrefix.size()));
    key.replace(separator - kPrefix.size(), 2, ".");
    apply_text(draft, key, line.substr(equals + 1), {ConfigSource::environment, variable});
  }
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
    others_.push_back(other);
    needed_ += times * value(other);
    if (!why_.empty()) why_ += " and ";
    why_ += times == 1 ? "" : std::to_string(times) + " times ";
    why_ += described(other);
    if (place_.empty()) place_ = draft_.place(other);
    return *this;
  }
  Check& with(std::int64_t bytes) {
    needed_ += bytes;
    why_ += " and " + std::to_string(bytes);
    return *this;
  }
  [[nodiscard]] std::optional<ConfigProblem> problem() const {
    const auto refused = [this](std::string_view key) { return draft_.refused.contains(key); };
    // What a key that was refused should have been is not known.
    if (refused(key_) || std::ranges::any_of(others_, refused)) return std::nullopt;
    if (value(key_) >= needed_) return std::nullopt;
    // The line to change: the key's own, or, where it has been left alone, that which asks for
    // more.
    const std::string own = draft_.place(key_);
    return ConfigProblem{
        .place = own.empty() ? place_ : own,
        .key = std::string(key_),
        .message = described(key_) + " must be at least " + std::to_string(needed_) + ": " + why_};
  }

 private:
  [[nodiscard]] std::int64_t value(std::string_view key) const {
    return find_setting(key)->read(draft_.config).get<std::int64_t>();
  }
  [[nodiscard]] std::string described(std::string_view key) const {
    const std::string from = draft_.place(key);
    return std::string(key) + " (" + std::to_string(value(key)) + ", " +
           (from.empty() ? "default" : from) + ")";
  }

  const Draft& draft_;
  std::string_view key_;
  std::vector<std::string_view> others_;
  std::int64_t needed_ = 0;
  std::string why_;
  std::string place_;
};

/// A key that is set asks for another.
void check_needs(Draft& draft, std::string_view key, std::string_view needed) {
  const auto set = [&draft](std::string_view name) {
    const Json value = find_setting(name)->read(draft.config);
    return value.is_boolean() ? value.get<bool>() : !value.get_ref<const std::string&>().empty();
  };
  if (draft.refused.contains(needed) || !set(key) || set(needed)) return;
  draft.problems.push_back({.place = draft.place(key),
                            .key = std::string(needed),
                            .message = std::string(key) + " needs " + std::string(needed)});
}

void check_sizes(Draft& draft) {
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
    if (auto problem = check.problem()) draft.problems.push_back(std::move(*problem));
  }
}

void check_together(Draft& draft) {
  check_sizes(draft);
  if (draft.config.server.listen.starts_with("unix:") && draft.config.server.public_url.empty() &&
      !draft.refused.contains("server.public_url")) {
    draft.problems.push_back({.place = draft.place("server.listen"),
                              .key = "server.public_url",
                              .message = "server.listen on a Unix socket needs server.public_url"});
  }
  if (const auto wrong = identity::refuse_issuers(draft.config.identity.issuers)) {
    draft.problems.push_back({.place = draft.place("identity.issuers"),
                              .key = "identity.issuers",
                              .message = "identity.issuers: " + *wrong});
  }
  const Config::Server& server = draft.config.server;
  for (const char* const key : {"server.proxy_protocol", "server.listeners"}) {
    const bool used = std::string_view(key) == "server.listeners"
                          ? std::ranges::any_of(server.listeners, &Config::Listener::proxy_protocol)
                          : server.proxy_protocol;
    if (!used || !server.trusted_proxies.empty() ||
        draft.refused.contains("server.trusted_proxies")) {
      continue;
    }
    // Nobody could connect.
    draft.problems.push_back({.place = draft.place(key),
                              .key = "server.trusted_proxies",
                              .message = "the PROXY protocol needs server.trusted_proxies"});
  }
  constexpr std::pair<std::string_view, std::string_view> kNeeds[] = {
      {"tls.certificate", "tls.key"},       {"tls.key", "tls.certificate"},
      {"tls.client_ca", "tls.certificate"}, {"tls.client_certificate_required", "tls.client_ca"},
      {"tls.control", "tls.certificate"},
  };
  for (const auto& [key, needed] : kNeeds) check_needs(draft, key, needed);
}

Draft read_sources(const ConfigSources& sources) {
  Draft draft;
  if (!sources.file.empty()) apply_file(draft, sources.file);
  apply_environment(draft, sources.environment);
  for (const auto& flag : sources.overrides) {
    apply_text(draft, flag.key, flag.value, {ConfigSource::flag, flag.name});
  }
  check_together(draft);
  return draft;
}

// A URL may bring the password of whoever it is for.
void hide_passwords(Json& value) {
  if (value.is_structured()) {
    for (Json& inner : value) hide_passwords(inner);
    return;
  }
  if (!value.is_string()) return;
  auto& text = value.get_ref<std::string&>();
  const auto host = text.find("://");
  if (host == std::string::npos) return;
  const auto end = text.find_first_of("/?#", host + 3);
  const auto at = text.rfind('@', end);
  if (at != std::string::npos && at > host) text.replace(host + 3, at - host - 3, "…");
}

Json shown_value(const Setting& setting, const Config& config) {
  Json value = setting.read(config);
  const bool is_text = value.is_string();
  const bool is_set = is_text ? !value.get_ref<const std::string&>().empty() : !value.empty();
  if (setting.secret && is_set) return "…";
  hide_passwords(value);
  return value;
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
    // No setting: it is taken out of the environment, and copied nowhere.
    if (std::string_view(*entry).starts_with("HOLDFAST_MASTER_KEY=")) continue;
    out.emplace_back(*entry);
  }
  return out;
}

const char* to_string(ConfigSource source) noexcept {
  switch (source) {
    case ConfigSource::defaults:
      return "default";
    case ConfigSource::file:
      return "file";
    case ConfigSource::environment:
      return "environment";
    case ConfigSource::flag:
      return "flag";
  }
  return "default";
}

Result<Config> load_config(const ConfigSources& sources) {
  Draft draft = read_sources(sources);
  if (draft.problems.empty()) return std::move(draft.config);
  const ConfigProblem& first = draft.problems.front();
  return fail(first.code, first.text(), first.key);
}

ConfigReport examine_config(const ConfigSources& sources) {
  Draft draft = read_sources(sources);
  ConfigReport out;
  for (const Setting& setting : setting_table()) {
    const auto found = draft.origins.find(setting.key);
    const Origin origin = found == draft.origins.end() ? Origin() : found->second;
    out.settings.push_back({.key = std::string(setting.key),
                            .value_json = shown_value(setting, draft.config).dump(),
                            .source = origin.source,
                            .place = origin.place});
  }
  out.problems = std::move(draft.problems);
  return out;
}

std::vector<ChangedSetting> changed_settings(const Config& before, const Config& after) {
  std::vector<ChangedSetting> out;
  for (const Setting& setting : setting_table()) {
    if (setting.read(before) == setting.read(after)) continue;
    out.push_back({.key = std::string(setting.key), .live = setting.live});
  }
  return out;
}

Result<Config> with_live_settings(const Config& running, const Config& wanted) {
  Draft draft;
  draft.config = running;
  for (const Setting& setting : setting_table()) {
    if (setting.live) setting.write(draft.config, setting.read(wanted));
  }
  check_together(draft);
  if (draft.problems.empty()) return std::move(draft.config);
  const ConfigProblem& first = draft.problems.front();
  return fail(first.code, "before a restart, " + first.text(), first.key);
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
