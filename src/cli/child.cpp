// Starts, watches and ends a child process.

#include "child.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::cli {
namespace {

constexpr int kExecFailed = 127;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// Owns an open file and closes it.
class File {
 public:
  File(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

int code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<Child> Child::start(const ChildOptions& options) {
  std::vector<std::string> arguments{options.program};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(options.environment);
  const pid_t parent = getpid();
  // Truncates the files before the process starts. Readers must not see an earlier one's output.
  const File in("/dev/null", O_RDONLY);
  const File out(options.out_file, O_WRONLY | O_CREAT | O_TRUNC);
  const File err(options.err_file, O_WRONLY | O_CREAT | O_TRUNC);
  if (in.fd() < 0 || out.fd() < 0 || err.fd() < 0) {
    return fail(Errc::io, "cannot open " + options.out_file + ": " + std::strerror(errno));
  }

  const pid_t pid = fork();
  if (pid < 0) return fail(Errc::io, std::string("fork: ") + std::strerror(errno));
  if (pid == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kExecFailed);
    if (dup2(in.fd(), STDIN_FILENO) < 0 || dup2(out.fd(), STDOUT_FILENO) < 0 ||
        dup2(err.fd(), STDERR_FILENO) < 0) {
      _exit(kExecFailed);
    }
    execve(options.program.c_str(), argv.data(), envp.data());
    _exit(kExecFailed);
  }
  return Child(pid);
}

Child::~Child() {
  if (pid_ < 0 || exit_code()) return;
  signal(SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(other.exit_code_) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(exit_code_, other.exit_code_);
  return *this;
}

void Child::signal(int number) const {
  if (pid_ > 0 && !exit_code_) kill(pid_, number);
}

std::optional<int> Child::exit_code() {
  if (exit_code_ || pid_ < 0) return exit_code_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) exit_code_ = code_of(status);
  return exit_code_;
}

}  // namespace holdfast::cli
