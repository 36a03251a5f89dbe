#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

namespace holdfast::cli {

/// `text` with its control characters escaped (`\x1b`), so that no one's text moves the cursor or
/// speaks to the terminal. That includes line ends, the C1 characters and what is no UTF-8.
[[nodiscard]] std::string printable(std::string_view text);

/// A stream in front of a terminal: all that is written to it reaches `below` without control
/// characters but line ends and tabs, whatever came from outside. One thread.
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

/// Writes an escape sequence of our own, also to a `TerminalStream`.
void write_style(std::ostream& out, std::string_view sequence);

}  // namespace holdfast::cli
