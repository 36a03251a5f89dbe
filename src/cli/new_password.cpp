// Asks for a new password on the terminal, twice.

#include "new_password.hpp"

#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "hidden_line.hpp"

namespace holdfast::cli {
namespace {

class Terminal {
 public:
  Terminal() : descriptor_(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {}
  ~Terminal() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

GivenPassword ask_for_password(const Context& context, const std::string& otherwise) {
  const Terminal terminal;
  if (terminal.descriptor() < 0) {
    return {{}, misused(context, "there is no terminal to ask for the password: " + otherwise)};
  }
  std::vector<std::string> typed;
  for (const char* const prompt : {"Password: ", "Again: "}) {
    context.err << prompt << std::flush;
    auto line = read_hidden_line(terminal.descriptor());
    context.err << "\n";
    if (!line) return {{}, failed(context, line.error().message)};
    if (!*line) return {{}, kInterrupted};
    typed.push_back(std::move(**line));
  }
  if (typed[0] != typed[1]) return {{}, failed(context, "the two passwords differ")};
  return {std::move(typed[0])};
}

}  // namespace holdfast::cli
