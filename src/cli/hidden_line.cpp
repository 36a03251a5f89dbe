// Reads a line from a terminal without echo.

#include "hidden_line.hpp"

#include <cerrno>

#include <termios.h>
#include <unistd.h>

namespace holdfast::cli {
namespace {

constexpr std::size_t kLineBytes = 1024;

/// Turns off echo, line mode and signals of a terminal while it lives. Without signals, Ctrl-C
/// cannot end the process before the terminal is restored.
class HiddenInput {
 public:
  explicit HiddenInput(int terminal) : terminal_(terminal) {
    if (tcgetattr(terminal_, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    changed_ = tcsetattr(terminal_, TCSAFLUSH, &hidden) == 0;
  }
  ~HiddenInput() {
    if (changed_) tcsetattr(terminal_, TCSAFLUSH, &before_);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

  [[nodiscard]] bool hidden() const noexcept { return changed_; }

 private:
  int terminal_;
  bool changed_ = false;
  termios before_{};
};

void erase_last(std::string& line) {
  // Removes a whole UTF-8 character.
  while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0U) == 0x80U) {
    line.pop_back();
  }
  if (!line.empty()) line.pop_back();
}

}  // namespace

Result<std::optional<std::string>> read_hidden_line(int terminal) {
  constexpr char interrupt = 0x03;
  constexpr char end_of_input = 0x04;
  constexpr char backspace = 0x08;
  constexpr char erase = 0x7F;
  const HiddenInput input(terminal);
  if (!input.hidden()) return fail(Errc::io, "cannot hide what is typed");
  std::string line;
  while (line.size() < kLineBytes) {
    char byte = 0;
    const ssize_t got = ::read(terminal, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || byte == end_of_input) return fail(Errc::io, "nothing was typed");
    if (byte == interrupt) return std::nullopt;
    if (byte == '\n' || byte == '\r') return line;
    if (byte == backspace || byte == erase) {
      erase_last(line);
    } else {
      line += byte;
    }
  }
  return fail(Errc::invalid_argument, "the line is too long");
}

}  // namespace holdfast::cli
