// The demo's surroundings: its folder, environment, processes and waits.

#include "demo_environment.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include <unistd.h>

#include <holdfast/app/config_sources.hpp>

#include "interrupt.hpp"
#include "printable.hpp"

namespace holdfast::cli {
namespace {

constexpr Milliseconds kLook{20};
constexpr Milliseconds kEndDeadline{15'000};

// Returns whether a variable would make the demo use another gateway, user or key.
bool selects_another_gateway(const std::string& name) {
  return name.starts_with("HOLDFAST_") || name.starts_with("AWS_") || name == "ID_TOKEN" ||
         name == "SSL_CERT_FILE";
}

std::string quoted(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:@%+,";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string unquoted(std::string value) {
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
      value.back() == value.front()) {
    return value.substr(1, value.size() - 2);
  }
  return value;
}

}  // namespace

DemoEnvironment::DemoEnvironment(Context& context)
    : context_(context), color_(context.out_is_terminal) {
  for (const std::string& variable : app::process_environment()) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = variable.substr(0, equals);
    if (!selects_another_gateway(name)) variables_[name] = variable.substr(equals + 1);
  }
}

DemoEnvironment::~DemoEnvironment() {
  if (keep_ || folder_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Result<void> DemoEnvironment::open() {
  std::error_code error;
  program_ = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (error) return fail(Errc::io, "cannot find this program: " + error.message());
  std::string name = (std::filesystem::temp_directory_path() / "holdfast-demo-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return fail(Errc::io, "cannot make the folder " + name);
  folder_ = name;
  return {};
}

void DemoEnvironment::title(const std::string& text) {
  context_.out << "\n";
  if (color_) write_style(context_.out, "\033[1m");
  context_.out << ++titles_ << ". " << text;
  if (color_) write_style(context_.out, "\033[0m");
  context_.out << std::endl;
}

void DemoEnvironment::note(const std::string& text) { context_.out << "   " << text << std::endl; }

void DemoEnvironment::show(const std::string& command) {
  context_.out << "   ";
  if (color_) write_style(context_.out, "\033[36m");
  context_.out << "$ " << command;
  if (color_) write_style(context_.out, "\033[0m");
  context_.out << std::endl;
}

std::string DemoEnvironment::command_line(const std::vector<std::string>& arguments) const {
  std::string out = context_.program;
  for (const std::string& argument : arguments) out += " " + quoted(argument);
  return out;
}

std::string DemoEnvironment::get(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::string() : found->second;
}

std::size_t DemoEnvironment::source(const std::string& text) {
  constexpr std::string_view kExport = "export ";
  std::size_t count = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (!line.starts_with(kExport) || equals == std::string::npos) continue;
    variables_[line.substr(kExport.size(), equals - kExport.size())] =
        unquoted(line.substr(equals + 1));
    ++count;
  }
  return count;
}

std::vector<std::string> DemoEnvironment::environment() const {
  std::vector<std::string> out;
  out.reserve(variables_.size());
  for (const auto& [name, value] : variables_) {
    out.emplace_back(name).append("=").append(value);
  }
  return out;
}

Result<ChildProcess> DemoEnvironment::start(const std::string& name,
                                            const std::vector<std::string>& arguments) const {
  ChildOptions options{.command = {program_},
                       .environment = environment(),
                       .out_file = file(name + ".out"),
                       .err_file = file(name + ".err"),
                       .orphan = Orphan::dies};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  return ChildProcess::start(options);
}

Result<std::string> DemoEnvironment::run(const std::vector<std::string>& arguments) const {
  auto child = start("command", arguments);
  if (!child) return std::unexpected(child.error());
  const auto ended = wait_until("`" + command_line(arguments) + "` did not end",
                                [&] { return child->exit_code().has_value(); });
  if (!ended) return std::unexpected(ended.error());
  if (child->exit_code() != kSuccess) {
    return fail(Errc::internal, "`" + command_line(arguments) + "` ended with " +
                                    std::to_string(child->exit_code().value_or(-1)) + ": " +
                                    read(file("command.err")));
  }
  return read(file("command.out"));
}

Result<std::string> DemoEnvironment::show_and_run(const std::vector<std::string>& arguments) {
  show(command_line(arguments));
  auto out = run(arguments);
  if (!out) return out;
  std::istringstream lines(read(file("command.err")) + *out);
  for (std::string line; std::getline(lines, line);) note(line);
  return out;
}

std::string DemoEnvironment::read(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

Result<void> DemoEnvironment::wait_until(const std::string& what, const std::function<bool()>& done,
                                         Milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!done()) {
    if (Interrupt::requested()) return fail(Errc::unavailable, "interrupted");
    if (std::chrono::steady_clock::now() >= end) {
      return fail(Errc::unavailable,
                  what + " within " + std::to_string(deadline.count() / 1000) + " s");
    }
    std::this_thread::sleep_for(kLook);
  }
  return {};
}

Result<void> DemoEnvironment::end(ChildProcess& child, const std::string& name, int signal,
                                  int code) {
  child.signal(signal);
  const auto deadline = std::chrono::steady_clock::now() + kEndDeadline;
  while (!child.exit_code()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::unavailable, name + " did not end");
    }
    std::this_thread::sleep_for(kLook);
  }
  if (child.exit_code() == code) return {};
  return fail(Errc::internal, name + " ended with " + std::to_string(*child.exit_code()) +
                                  " instead of " + std::to_string(code));
}

}  // namespace holdfast::cli
