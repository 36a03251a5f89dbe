// Runs a piece of a test in a forked process.

#include "unit/sqlite/child.hpp"

#include <array>
#include <exception>
#include <iostream>
#include <stdexcept>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::test {

Child::Child(const Work& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe failed");
  std::cout.flush();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    ::close(ends[0]);
    int code = 99;
    try {
      code = work(ends[1]);
    } catch (const std::exception& e) {
      std::cerr << "in the child: " << e.what() << '\n';
    }
    ::_exit(code);
  }
  ::close(ends[1]);
  output_ = ends[0];
}

Child::~Child() {
  if (pid_ > 0) {
    kill();
    static_cast<void>(wait());
  }
  ::close(output_);
}

void Child::wait_for_output() {
  pollfd ready{.fd = output_, .events = POLLIN, .revents = 0};
  static_cast<void>(::poll(&ready, 1, 30'000));
}

void Child::kill() { ::kill(pid_, SIGKILL); }

Child::End Child::wait() {
  End end;
  std::array<char, 4096> bytes{};
  ssize_t size = 0;
  while ((size = ::read(output_, bytes.data(), bytes.size())) > 0) {
    end.output.append(bytes.data(), static_cast<std::size_t>(size));
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return end;
}

}  // namespace holdfast::test
