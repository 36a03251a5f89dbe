#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/base/error.hpp>
#include <holdfast/base/json.hpp>

#include "child.hpp"
#include "context.hpp"

namespace holdfast::cli {

/// Where the demonstration plays: a folder of its own, the environment of its processes, and the
/// waiting. Every wait has a deadline and ends when Ctrl-C is pressed.
class Stage {
 public:
  explicit Stage(Context& context);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// Makes the folder and finds this program.
  [[nodiscard]] Result<void> open();
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }
  /// Leaves the folder behind, for whoever looks for what went wrong.
  void keep_folder() { keep_ = true; }

  void title(const std::string& text);
  void note(const std::string& text);
  /// Shows a command line as a person would type it.
  void show(const std::string& command);
  /// The same of this program with `arguments`.
  [[nodiscard]] std::string command_line(const std::vector<std::string>& arguments) const;

  /// A variable for all processes that are started from now on.
  void set(const std::string& name, const std::string& value) { environment_[name] = value; }
  [[nodiscard]] std::string get(const std::string& name) const;
  /// Takes the `export` lines of a text over; how many they were.
  std::size_t source(const std::string& text);

  /// Starts this program; its output goes to `NAME.out` and `NAME.err`.
  [[nodiscard]] Result<Child> start(const std::string& name,
                                    const std::vector<std::string>& arguments) const;
  /// Runs this program to its end: its standard output. Fails when it does, with its words.
  [[nodiscard]] Result<std::string> run(const std::vector<std::string>& arguments) const;
  /// `show`, `run`, and what it printed.
  [[nodiscard]] Result<std::string> show_and_run(const std::vector<std::string>& arguments);

  [[nodiscard]] static std::string read(const std::string& path);
  /// Waits until `done`; fails with `what` at the deadline.
  [[nodiscard]] static Result<void> wait_until(const std::string& what,
                                               const std::function<bool()>& done,
                                               Milliseconds deadline = Milliseconds(30'000));
  /// Ends a process with `signal` and expects `code` of it. Ctrl-C does not cut this short.
  [[nodiscard]] static Result<void> end(Child& child, const std::string& name, int signal,
                                        int code);

 private:
  [[nodiscard]] std::vector<std::string> environment() const;

  Context& context_;
  std::string program_;
  std::string folder_;
  bool keep_ = false;
  bool color_ = false;
  int titles_ = 0;
  std::map<std::string, std::string> environment_;
};

}  // namespace holdfast::cli
