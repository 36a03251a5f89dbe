#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/child_process.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/json.hpp>

#include "context.hpp"

namespace holdfast::cli {

/// The demo's surroundings: its folder, the environment of its processes, and its waits. Every wait
/// has a deadline, and Ctrl-C ends it.
class DemoEnvironment {
 public:
  explicit DemoEnvironment(Context& context);
  ~DemoEnvironment();
  DemoEnvironment(const DemoEnvironment&) = delete;
  DemoEnvironment& operator=(const DemoEnvironment&) = delete;

  /// Makes the folder and finds this program.
  [[nodiscard]] Result<void> open();
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }
  /// Keeps the folder, so that people can see what went wrong.
  void keep_folder() { keep_ = true; }

  void title(const std::string& text);
  void note(const std::string& text);
  /// Shows a command line as a person would type it.
  void show(const std::string& command);
  /// Returns the command line of this program with `arguments`.
  [[nodiscard]] std::string command_line(const std::vector<std::string>& arguments) const;

  /// Sets a variable for all processes that start later.
  void set(const std::string& name, const std::string& value) { variables_[name] = value; }
  [[nodiscard]] std::string get(const std::string& name) const;
  /// Sets the variables of a text's `export` lines. Returns how many there were.
  std::size_t source(const std::string& text);

  /// Starts this program; its output goes to `NAME.out` and `NAME.err`.
  [[nodiscard]] Result<ChildProcess> start(const std::string& name,
                                           const std::vector<std::string>& arguments) const;
  /// Runs this program to its end. Returns its standard output, or its error message if it fails.
  [[nodiscard]] Result<std::string> run(const std::vector<std::string>& arguments) const;
  /// Shows the command, runs it, and shows what it printed.
  [[nodiscard]] Result<std::string> show_and_run(const std::vector<std::string>& arguments);

  [[nodiscard]] static std::string read(const std::string& path);
  /// Waits until `done` returns true. Fails with `what` at the deadline.
  [[nodiscard]] static Result<void> wait_until(const std::string& what,
                                               const std::function<bool()>& done,
                                               Milliseconds deadline = Milliseconds(30'000));
  /// Ends a process with `signal` and expects the exit code `code`. Ctrl-C does not interrupt it.
  [[nodiscard]] static Result<void> end(ChildProcess& child, const std::string& name, int signal,
                                        int code);

 private:
  [[nodiscard]] std::vector<std::string> environment() const;

  Context& context_;
  std::string program_;
  std::string folder_;
  bool keep_ = false;
  bool color_ = false;
  int titles_ = 0;
  std::map<std::string, std::string> variables_;
};

}  // namespace holdfast::cli
