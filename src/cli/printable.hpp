#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

namespace holdfast::cli {

/// Returns `text` with control characters escaped (`\x1b`), so that it cannot control the terminal.
/// Escapes line ends, C1 characters and invalid UTF-8 as well.
[[nodiscard]] std::string printable(std::string_view text);

/// A stream in front of a terminal. It passes text to `below` and escapes all control characters
/// but line ends and tabs. Not thread-safe.
class TerminalStream final : public std::ostream {
 public:
  explicit TerminalStream(std::ostream& below);
  ~TerminalStream() override;
  TerminalStream(const TerminalStream&) = delete;
  TerminalStream& operator=(const TerminalStream&) = delete;

 private:
  class Filter;
  friend void write_style(std::ostream& out, std::string_view sequence);
  std::unique_ptr<Filter> filter_;
};

/// Writes an escape sequence of the program, unescaped even to a `TerminalStream`.
void write_style(std::ostream& out, std::string_view sequence);

}  // namespace holdfast::cli
