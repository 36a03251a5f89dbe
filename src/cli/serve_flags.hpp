#pragma once

#include <optional>
#include <string>

#include <holdfast/app/config_sources.hpp>

#include "command.hpp"

namespace holdfast::cli {

/// The flags that configure the gateway.
struct ServeFlags {
  std::string config;
  std::optional<std::string> listen;
  std::optional<std::string> control_listen;
  std::optional<std::string> tls_certificate;
  std::optional<std::string> tls_key;
};
void add_serve_flags(CLI::App& command, ServeFlags& flags);

/// Returns the flags and this process's environment as configuration sources.
[[nodiscard]] app::ConfigSources config_sources(const ServeFlags& flags, const LogFlags& log_flags);

}  // namespace holdfast::cli
