#include <array>
#include <cstdio>
#include <ctime>

#include <holdfast/base/clock.hpp>

namespace holdfast {
namespace {

class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override {
    return std::chrono::floor<Microseconds>(std::chrono::system_clock::now());
  }
  SteadyTime steady_now() const override {
    return std::chrono::floor<Microseconds>(std::chrono::steady_clock::now());
  }
};

std::tm to_utc(WallTime t) {
  const std::time_t seconds = unix_seconds(t);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

std::string format(WallTime t, const char* pattern) {
  const std::tm parts = to_utc(t);
  std::array<char, 64> out{};
  return {out.data(), std::strftime(out.data(), out.size(), pattern, &parts)};
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string format_iso8601_basic(WallTime t) { return format(t, "%Y%m%dT%H%M%SZ"); }

std::string format_iso8601(WallTime t) {
  std::array<char, 8> millis{};
  std::snprintf(millis.data(), millis.size(), ".%03dZ",
                static_cast<int>(((unix_millis(t) % 1000) + 1000) % 1000));
  return format(t, "%Y-%m-%dT%H:%M:%S") + millis.data();
}

std::string format_http_date(WallTime t) {
  // strftime's names follow the locale; the daemon never sets one, so it is the C locale's English.
  return format(t, "%a, %d %b %Y %H:%M:%S GMT");
}

}  // namespace holdfast
