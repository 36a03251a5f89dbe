#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/app/config_sources.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::app {

/// Who set a value.
enum class ConfigSource : std::uint8_t { defaults, file, environment, flag };
/// `default`, `file`, `environment`, `flag`.
[[nodiscard]] const char* to_string(ConfigSource source) noexcept;

/// One thing that is wrong with a configuration.
struct ConfigProblem {
  Errc code = Errc::invalid_argument;  ///< or `io`: the file cannot be read
  std::string place;                   ///< `FILE:LINE`, a variable or a flag; may be empty
  std::string key;
  std::string message;  ///< names the key

  [[nodiscard]] std::string text() const {
    return place.empty() ? message : place + ": " + message;
  }
};

/// What a key is in effect, and by whom.
struct EffectiveSetting {
  std::string key;
  std::string value_json;  ///< `"…"` in the place of what may be a secret
  ConfigSource source{};
  std::string place;  ///< as a problem's; empty for a default
};

struct ConfigReport {
  std::vector<ConfigProblem> problems;     ///< all that was found; none: `load_config` takes it
  std::vector<EffectiveSetting> settings;  ///< every key; where it was refused, as if not set
};
/// Reads and checks a configuration.
[[nodiscard]] ConfigReport examine_config(const ConfigSources& sources);
/// Checks the files that it names besides, when nothing else is wrong: certificates and their keys,
/// the authorities and keys of issuers.
[[nodiscard]] ConfigReport examine_config_and_files(const ConfigSources& sources);

/// What is wrong with the value of HOLDFAST_MASTER_KEY, which is never told.
[[nodiscard]] std::optional<ConfigProblem> examine_master_key(const std::string& value);

/// The text of `config/holdfast.schema.json`: the JSON Schema (draft-07) of a configuration file
/// without its comments. It takes every configuration that `load_config` takes, and refuses what
/// can be said of one value alone.
[[nodiscard]] std::string config_schema_text();

}  // namespace holdfast::app
