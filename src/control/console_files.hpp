#pragma once

#include <span>
#include <string_view>

namespace holdfast::control {

/// A file of `web/`, as the build put it into the program.
struct ConsoleFile {
  std::string_view name;  ///< `index.html`
  std::string_view type;  ///< the value of `Content-Type`
  std::string_view hash;  ///< SHA-256, in hex
  std::string_view text;
};
[[nodiscard]] std::span<const ConsoleFile> console_files();

}  // namespace holdfast::control
