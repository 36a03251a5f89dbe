// Asks for a new password on the terminal, twice.

#include "new_password.hpp"

#include <utility>
#include <vector>

#include <fcntl.h>

#include <holdfast/base/file.hpp>

#include "hidden_line.hpp"

namespace holdfast::cli {
GivenPassword ask_for_password(const Context& context, const std::string& otherwise) {
  const UniqueFd terminal = open_file("/dev/tty", O_RDWR | O_NOCTTY);
  if (!terminal) {
    return {{}, misused(context, "there is no terminal to ask for the password: " + otherwise)};
  }
  std::vector<std::string> typed;
  for (const char* const prompt : {"Password: ", "Again: "}) {
    context.err << prompt << std::flush;
    auto line = read_hidden_line(terminal.get());
    context.err << "\n";
    if (!line) return {{}, failed(context, line.error().message)};
    if (!*line) return {{}, kInterrupted};
    typed.push_back(std::move(**line));
  }
  if (typed[0] != typed[1]) return {{}, failed(context, "the two passwords differ")};
  return {std::move(typed[0])};
}

}  // namespace holdfast::cli
