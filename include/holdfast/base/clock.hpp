#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

using Microseconds = std::chrono::microseconds;
using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

/// Unix time; may step.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Microseconds>;
/// Never steps; meaningless across processes.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Microseconds>;

/// A clock that never steps either, and runs on while the machine is suspended, as the steady one
/// does not (Linux's CLOCK_BOOTTIME).
struct BootClock {
  using duration = Microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
/// A time that goes on while the machine is suspended. Use it for promised durations, and the
/// steady clock for deadlines of peers. Meaningless across processes.
using BootTime = BootClock::time_point;

/// The source of time. Injected everywhere, so that tests own it. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall_now() const = 0;
  [[nodiscard]] virtual SteadyTime steady_now() const = 0;
  [[nodiscard]] virtual BootTime boot_now() const = 0;
};

/// The machine's clocks.
[[nodiscard]] const Clock& system_clock();

[[nodiscard]] inline std::int64_t unix_seconds(WallTime t) {
  return std::chrono::floor<Seconds>(t).time_since_epoch().count();
}
[[nodiscard]] inline std::int64_t unix_millis(WallTime t) {
  return std::chrono::floor<Milliseconds>(t).time_since_epoch().count();
}
[[nodiscard]] inline std::int64_t unix_micros(WallTime t) { return t.time_since_epoch().count(); }
[[nodiscard]] inline WallTime wall_from_micros(std::int64_t us) {
  return WallTime(Microseconds(us));
}

/// `20260122T100000Z`, the form of `X-Amz-Date`.
[[nodiscard]] std::string format_iso8601_basic(WallTime t);
/// `2026-01-22T10:00:00.000Z`.
[[nodiscard]] std::string format_iso8601(WallTime t);
/// `Thu, 22 Jan 2026 10:00:00 GMT`, RFC 9110 section 5.6.7, the form of `Date`.
[[nodiscard]] std::string format_http_date(WallTime t);

/// The inverse of `format_iso8601_basic`; nullopt for any other form and for impossible dates.
[[nodiscard]] std::optional<WallTime> parse_iso8601_basic(std::string_view text);
/// `2026-01-22`, `2026-01-22T10:00:00Z`, a fraction of a second or an offset (`+01:00`) allowed.
[[nodiscard]] std::optional<WallTime> parse_iso8601(std::string_view text);
/// The inverse of `format_http_date`: IMF-fixdate, not the obsolete forms.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace holdfast
