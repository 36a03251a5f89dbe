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

  std::unexpected<Error> at(const std::string& key, const std::string& problem) const {
    const auto line = lines_.find(key);
    const std::string place =
        line == lines_.end() ? path_ : path_ + ":" + std::to_string(line->second);
    return fail(Errc::invalid_argument, place + ": " + key + " " + problem, key);
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

Result<void> apply_file(Config& config, const std::string& path) {
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
      setting->write(config, value);
    }
  }
  return {};
}

// Text stands for itself; everything else is JSON.
Result<void> apply_text(Config& config, const Setting& setting, const std::string& text,
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
  setting.write(config, value);
  return {};
}

Result<void> apply_environment(Config& config, const std::vector<std::string>& environment) {
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
    if (auto done = apply_text(config, *setting, line.substr(equals + 1), variable); !done) {
      return done;
    }
  }
  return {};
}

Result<void> check_together(const Config& config) {
  const auto contradiction = [](std::string_view key, const std::string& problem) {
    return fail(Errc::invalid_argument, std::string(key) + " " + problem, std::string(key));
  };
  if (config.limits.body_bytes < config.limits.message_bytes) {
    return contradiction("limits.body_bytes", "must not be below limits.message_bytes");
  }
  if (config.delivery.pending_bytes < static_cast<std::int64_t>(config.limits.message_bytes)) {
    return contradiction("delivery.pending_bytes", "must not be below limits.message_bytes");
  }
  if (config.delivery.ack_timeout < config.delivery.ack_wait) {
    return contradiction("delivery.ack_timeout_ms", "must not be below delivery.ack_wait_ms");
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
  Config config;
  if (!sources.file.empty()) {
    if (auto done = apply_file(config, sources.file); !done) return std::unexpected(done.error());
  }
  if (auto done = apply_environment(config, sources.environment); !done) {
    return std::unexpected(done.error());
  }
  for (const auto& flag : sources.overrides) {
    const Setting* const setting = find_setting(flag.key);
    if (setting == nullptr) {
      return fail(Errc::invalid_argument,
                  flag.name + ": " + flag.key + " is not a key of the configuration", flag.key);
    }
    if (auto done = apply_text(config, *setting, flag.value, flag.name); !done) {
      return std::unexpected(done.error());
    }
  }
  if (auto done = check_together(config); !done) return std::unexpected(done.error());
  return config;
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
