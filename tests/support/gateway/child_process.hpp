#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace holdfast::test {

/// A program that a test runs: its output is read as it comes, every wait has a deadline, and it
/// never outlives the test: it is killed by the destructor, and by the kernel when the thread that
/// started it ends. Start it on the test's own thread.
class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> command;  ///< the program, by path or looked up in PATH, and arguments
    /// Besides this process's environment; an empty value removes a variable.
    std::vector<std::pair<std::string, std::string>> environment{};
    std::string directory{};  ///< to run in; empty: this process's
  };
  explicit ChildProcess(Options options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// Whole lines of its standard output so far, and of its standard error.
  [[nodiscard]] std::vector<std::string> output() const;
  [[nodiscard]] std::vector<std::string> errors() const;
  /// The first line of its output, from line `from` on, that `wanted` takes; nullopt when none
  /// came in time, or the program ended without one.
  [[nodiscard]] std::optional<std::string> wait_for_output(
      const std::function<bool(const std::string&)>& wanted, std::chrono::milliseconds timeout,
      std::size_t from = 0) const;

  /// Writes to its standard input. False when it is closed.
  bool write(const std::string& text);
  void close_input();

  void signal(int number);
  /// SIGKILL, and waits for its end.
  void kill();
  /// Its exit status, or 128 and the number of the signal that ended it, once its output has been
  /// read; nullopt when it still runs after `timeout`.
  [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds timeout);

 private:
  struct Stream {
    int descriptor = -1;
    std::vector<std::string> lines;
    std::string rest;
    bool ended = false;
  };
  void read_all(Stream& stream);

  pid_t pid_ = -1;
  int input_ = -1;
  std::optional<int> status_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Stream output_;
  Stream errors_;
  std::thread output_reader_;
  std::thread error_reader_;
};

}  // namespace holdfast::test
