// Prepares the process: standard streams, core dumps, secrets in its environment, threads.

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>
#include <holdfast/base/process.hpp>

namespace holdfast {
namespace {

// Writes to standard error without allocations or destructors, because memory may be exhausted.
void tell(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(STDERR_FILENO, text.data(), text.size());
    if (wrote <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

[[noreturn]] void end_with(std::string_view reason) {
  tell("holdfast: ");
  tell(reason);
  tell("\n");
  _exit(EXIT_FAILURE);
}

[[noreturn]] void on_no_memory() { end_with("out of memory"); }

[[noreturn]] void on_terminate() {
  if (const std::exception_ptr error = std::current_exception()) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& known) {
      end_with(known.what());
    } catch (...) {
      end_with("an unknown error");
    }
  }
  // A mistake in this program: where it was is worth more than a line.
  std::abort();
}

}  // namespace

void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) != -1) continue;
    // The lowest free number is this one: those below it are open.
    if (open("/dev/null", O_RDWR) != stream) _exit(EXIT_FAILURE);
  }
}

void end_without_memory() {
  std::set_new_handler(on_no_memory);
  std::set_terminate(on_terminate);
}

void forbid_core_dumps() {
  const rlimit none{0, 0};
  if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) {
    log::warn("core_dumps_not_forbidden");
  }
}

std::optional<std::string> take_variable(const char* name) {
  char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string taken(value);
  // These are the very bytes that `/proc/PID/environ` shows.
  explicit_bzero(value, taken.size());
  unsetenv(name);
  if (taken.empty()) return std::nullopt;
  return taken;
}

std::thread start_thread(const std::string& name, std::function<void()> work) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::error_code error;
  std::thread thread;
  try {
    thread = std::thread(std::move(work));
  } catch (const std::system_error& failed) {
    error = failed.code();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error) throw std::system_error(error, "cannot start the thread " + name);
  pthread_setname_np(thread.native_handle(), name.c_str());
  return thread;
}

}  // namespace holdfast
