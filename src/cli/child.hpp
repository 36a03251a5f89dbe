#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::cli {

struct ChildOptions {
  std::string program;
  std::vector<std::string> arguments;    ///< without the program's name
  std::vector<std::string> environment;  ///< `NAME=value`, all of it
  std::string out_file;                  ///< for its standard output, made anew
  std::string err_file;
};

/// A process that this one has started: in a process group of its own, so that Ctrl-C reaches it
/// only through us; ended when this process ends, and killed with the object.
class Child {
 public:
  [[nodiscard]] static Result<Child> start(const ChildOptions& options);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  /// Its exit code once it has ended, 128 + the signal that ended it; nullopt while it runs.
  [[nodiscard]] std::optional<int> exit_code();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace holdfast::cli
