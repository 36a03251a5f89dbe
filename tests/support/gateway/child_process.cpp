// Starts programs, and reads their output.

#include "support/gateway/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::test {
namespace {

struct Pipe {
  int read = -1;
  int write = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    read = ends[0];
    write = ends[1];
  }
};

std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string line = *entry;
    const auto equals = line.find('=');
    if (equals != std::string::npos) variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  for (const auto& [name, value] : changes) {
    if (value.empty()) {
      variables.erase(name);
    } else {
      variables[name] = value;
    }
  }
  std::vector<std::string> lines;
  for (const auto& [name, value] : variables) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

int pidfd_of(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

ChildProcess::ChildProcess(Options options) {
  // Everything is allocated before the fork: behind it, only what is safe in a signal handler.
  std::vector<std::string> environment = merged_environment(options.environment);
  const std::vector<char*> arguments = pointers(options.command);
  const std::vector<char*> variables = pointers(environment);
  Pipe input;
  Pipe output;
  Pipe errors;
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(input.read, STDIN_FILENO);
    dup2(output.write, STDOUT_FILENO);
    dup2(errors.write, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(127);
    execvpe(arguments[0], arguments.data(), variables.data());
    _exit(127);
  }
  close(input.read);
  close(output.write);
  close(errors.write);
  input_ = input.write;
  output_.descriptor = output.read;
  errors_.descriptor = errors.read;
  output_reader_ = std::thread([this] { read_all(output_); });
  error_reader_ = std::thread([this] { read_all(errors_); });
}

ChildProcess::~ChildProcess() {
  kill();
  close_input();
  output_reader_.join();
  error_reader_.join();
  close(output_.descriptor);
  close(errors_.descriptor);
}

void ChildProcess::read_all(Stream& stream) {
  char buffer[16384];
  for (;;) {
    const ssize_t got = read(stream.descriptor, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    const std::lock_guard lock(mutex_);
    if (got <= 0) {
      if (!stream.rest.empty()) stream.lines.push_back(std::move(stream.rest));
      stream.ended = true;
      changed_.notify_all();
      return;
    }
    stream.rest.append(buffer, static_cast<std::size_t>(got));
    std::size_t start = 0;
    for (std::size_t end; (end = stream.rest.find('\n', start)) != std::string::npos;) {
      stream.lines.push_back(stream.rest.substr(start, end - start));
      start = end + 1;
    }
    stream.rest.erase(0, start);
    changed_.notify_all();
  }
}

std::vector<std::string> ChildProcess::output() const {
  const std::lock_guard lock(mutex_);
  return output_.lines;
}

std::vector<std::string> ChildProcess::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_.lines;
}

std::optional<std::string> ChildProcess::wait_for_output(
    const std::function<bool(const std::string&)>& wanted, std::chrono::milliseconds timeout,
    std::size_t from) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::unique_lock lock(mutex_);
  std::size_t next = from;
  for (;;) {
    for (; next < output_.lines.size(); ++next) {
      if (wanted(output_.lines[next])) return output_.lines[next];
    }
    if (output_.ended) return std::nullopt;
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return std::nullopt;
  }
}

bool ChildProcess::write(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(input_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    done += static_cast<std::size_t>(wrote);
  }
  return true;
}

void ChildProcess::close_input() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

void ChildProcess::signal(int number) {
  if (!status_) ::kill(pid_, number);
}

void ChildProcess::kill() {
  signal(SIGKILL);
  // A killed process ends; the deadline is for one stuck in the kernel.
  [[maybe_unused]] const auto status = wait(std::chrono::seconds(30));
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds timeout) {
  if (status_) return status_;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const int pidfd = pidfd_of(pid_);
  pollfd poll_for{.fd = pidfd, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    ready = poll(&poll_for, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  } while (ready < 0 && errno == EINTR);
  close(pidfd);
  if (ready <= 0) return std::nullopt;
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  // Its last output is still in the pipes, which a grandchild may keep open for longer.
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(1),
                    [this] { return output_.ended && errors_.ended; });
  return status_;
}

}  // namespace holdfast::test
