#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::cli {

/// Describes the process to start.
struct ChildOptions {
  std::string program;
  std::vector<std::string> arguments;    ///< without the program's name
  std::vector<std::string> environment;  ///< the whole environment, as `NAME=value`
  std::string out_file;                  ///< receives standard output; truncated first
  std::string err_file;                  ///< receives standard error; truncated first
};

/// A child process in its own process group, so that Ctrl-C reaches it only through us. The kernel
/// kills it when this process ends; the destructor kills it too.
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
  /// Returns the exit code, or 128 + the signal that ended the process; nullopt while it runs.
  [[nodiscard]] std::optional<int> exit_code();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace holdfast::cli
