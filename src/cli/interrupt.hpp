#pragma once

#include <csignal>

#include <holdfast/base/clock.hpp>

namespace holdfast::cli {

/// Turns Ctrl-C into a flag while it lives; with `Signals::all`, SIGTERM and SIGHUP as well. A
/// second signal ends the process at once. Only one may exist at a time.
class Interrupt {
 public:
  enum class Signals { ctrl_c, all };
  explicit Interrupt(Signals signals = Signals::ctrl_c);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] static bool requested() noexcept;
  /// Waits for `pause`, or until an interrupt is requested.
  static void wait(Milliseconds pause);

 private:
  Signals signals_;
  struct sigaction before_int_{};
  struct sigaction before_term_{};
  struct sigaction before_hup_{};
};

}  // namespace holdfast::cli
