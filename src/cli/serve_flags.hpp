#pragma once

#include <optional>
#include <string>

#include <holdfast/app/config.hpp>

#include "command.hpp"

namespace holdfast::cli {

/// Where the gateway's configuration comes from besides the environment.
struct ServeFlags {
  std::string config;
  std::optional<std::string> listen;
  std::optional<std::string> control_listen;
  std::optional<std::string> tls_certificate;
  std::optional<std::string> tls_key;
};
void add_serve_flags(CLI::App& command, ServeFlags& flags);

/// The flags, and the environment of this process.
[[nodiscard]] app::ConfigSources config_sources(const ServeFlags& flags, const LogFlags& log_flags);

}  // namespace holdfast::cli
