#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <holdfast/base/error.hpp>

namespace holdfast {

/// The fate of a child whose parent ends.
enum class Orphan : std::uint8_t {
  lives,
  dies,  ///< killed when the thread that started it ends
};

struct ChildOptions {
  std::vector<std::string> command;      ///< a program, looked up in PATH, and its arguments
  std::vector<std::string> environment;  ///< `NAME=value`, all of it
  int input = -1;                        ///< its standard input; -1: an empty one
  std::string out_file{};                ///< for its standard output, made anew; empty: dropped
  std::string err_file{};
  Orphan orphan = Orphan::lives;
};

/// A process that this one has started, without a shell: in a process group of its own, so that
/// Ctrl-C reaches it only through us. Nothing else of ours is open in it. Killed with the object,
/// and its group with it. One thread at a time.
class ChildProcess {
 public:
  /// Error `io`: nothing was started. A program that is not there is such an error, or, where the
  /// child is to die with us, an end with 127.
  [[nodiscard]] static Result<ChildProcess> start(const ChildOptions& options);
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Sends a signal to the process alone. Does nothing after its end was seen.
  void signal(int number) const;
  /// Kills the process and its group, and waits for its end.
  void kill_group();
  /// Returns its exit code once it has ended, 128 + the signal that ended it; nullopt while it
  /// runs.
  [[nodiscard]] std::optional<int> exit_code();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace holdfast
