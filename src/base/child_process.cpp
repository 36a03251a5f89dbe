// Starts programs and waits for them.

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <holdfast/base/child_process.hpp>
#include <holdfast/base/file.hpp>

namespace holdfast {
namespace {

constexpr int kExecFailed = 127;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

int code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// All that a child is started with, made beforehand: behind a fork nothing may be allocated.
struct ChildStart {
  std::vector<char*> arguments;
  std::vector<char*> variables;
  int input;
  int output;
  int errors;
};

// https://man7.org/linux/man-pages/man3/posix_spawn.3.html: copies no memory, however much we use.
class SpawnPlan {
 public:
  explicit SpawnPlan(const ChildStart& start) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_adddup2(&actions_, start.input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, start.output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, start.errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  [[nodiscard]] pid_t run(const ChildStart& start) const {
    pid_t pid = -1;
    errno = posix_spawnp(&pid, start.arguments.front(), &actions_, &attributes_,
                         start.arguments.data(), start.variables.data());
    return errno == 0 ? pid : -1;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// posix_spawn cannot ask the kernel for a child's death.
pid_t fork_mortal(const ChildStart& start) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExecFailed);
  if (dup2(start.input, STDIN_FILENO) < 0 || dup2(start.output, STDOUT_FILENO) < 0 ||
      dup2(start.errors, STDERR_FILENO) < 0) {
    _exit(kExecFailed);
  }
  execvpe(start.arguments.front(), start.arguments.data(), start.variables.data());
  _exit(kExecFailed);
}

UniqueFd open_output(const std::string& path) {
  if (path.empty()) return open_file("/dev/null", O_WRONLY);
  return open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
  // Made anew before the process is there: nobody may take for its output what is left of another.
  const UniqueFd none = open_file("/dev/null", O_RDONLY);
  const UniqueFd out = open_output(options.out_file);
  if (!none || !out) return file_error("open", options.out_file);
  const UniqueFd errors = open_output(options.err_file);
  if (!errors) return file_error("open", options.err_file);
  const ChildStart start{.arguments = pointers(options.command),
                         .variables = pointers(options.environment),
                         .input = options.input < 0 ? none.get() : options.input,
                         .output = out.get(),
                         .errors = errors.get()};
  const pid_t pid =
      options.orphan == Orphan::dies ? fork_mortal(start) : SpawnPlan(start).run(start);
  if (pid < 0) return file_error("run", options.command.front());
  return ChildProcess(pid);
}

ChildProcess::~ChildProcess() {
  if (!exit_code()) kill_group();
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(other.exit_code_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(exit_code_, other.exit_code_);
  return *this;
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0 && !exit_code_) kill(pid_, number);
}

void ChildProcess::kill_group() {
  if (pid_ <= 0 || exit_code_) return;
  // One that has not made its group yet has started nothing either.
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return;
  }
  exit_code_ = code_of(status);
}

std::optional<int> ChildProcess::exit_code() {
  if (exit_code_ || pid_ < 0) return exit_code_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) exit_code_ = code_of(status);
  return exit_code_;
}

}  // namespace holdfast
