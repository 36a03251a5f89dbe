// Turns Ctrl-C into a flag that commands poll.

#include "interrupt.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <unistd.h>

#include "context.hpp"

namespace holdfast::cli {
namespace {

volatile std::sig_atomic_t g_requested = 0;

void on_signal(int /*signal*/) {
  if (g_requested != 0) _exit(kInterrupted);
  g_requested = 1;
}

}  // namespace

Interrupt::Interrupt(Signals signals) : signals_(signals) {
  g_requested = 0;
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, &before_int_);
  if (signals_ != Signals::all) return;
  sigaction(SIGTERM, &action, &before_term_);
  sigaction(SIGHUP, &action, &before_hup_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &before_int_, nullptr);
  if (signals_ != Signals::all) return;
  sigaction(SIGTERM, &before_term_, nullptr);
  sigaction(SIGHUP, &before_hup_, nullptr);
}

bool Interrupt::requested() noexcept { return g_requested != 0; }

void Interrupt::wait(Milliseconds pause) {
  constexpr Milliseconds kLook{50};
  const auto end = std::chrono::steady_clock::now() + pause;
  while (!requested()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= end) return;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - now, kLook));
  }
}

}  // namespace holdfast::cli
