// The system's clocks, and times as text.

#include <array>
#include <cstdio>
#include <ctime>
#include <span>

#include <holdfast/base/ascii.hpp>
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
  BootTime boot_now() const override {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return BootTime(Seconds(now.tv_sec) +
                    std::chrono::floor<Microseconds>(std::chrono::nanoseconds(now.tv_nsec)));
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

// Reads fixed forms from left to right; once something does not fit, it stays failed.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  int digits(std::size_t count) {
    int value = 0;
    if (text_.size() < count) ok_ = false;
    for (std::size_t i = 0; ok_ && i < count; ++i) {
      if (text_[i] < '0' || text_[i] > '9') ok_ = false;
      value = value * 10 + (text_[i] - '0');
    }
    if (ok_) text_.remove_prefix(count);
    return value;
  }
  bool skip(std::string_view literal) {
    if (!ok_ || !text_.starts_with(literal)) return false;
    text_.remove_prefix(literal.size());
    return true;
  }
  void expect(std::string_view literal) { ok_ = skip(literal) && ok_; }
  int one_of(std::span<const std::string_view> names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (skip(names[i])) return static_cast<int>(i);
    }
    ok_ = false;
    return 0;
  }
  Microseconds fraction() {
    std::int64_t micros = 0;
    int count = 0;
    while (!text_.empty() && ascii::is_digit(text_[0])) {
      if (count < 6) micros = micros * 10 + (text_[0] - '0');
      ++count;
      text_.remove_prefix(1);
    }
    if (count == 0 || count > 9) ok_ = false;
    for (; count < 6; ++count) micros *= 10;
    return Microseconds(micros);
  }
  bool ended() const { return ok_ && text_.empty(); }

 private:
  std::string_view text_;
  bool ok_ = true;
};

struct DateTime {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

std::optional<WallTime> to_wall(const DateTime& t) {
  using std::chrono::year_month_day;
  const year_month_day date(std::chrono::year(t.year),
                            std::chrono::month(static_cast<unsigned>(t.month)),
                            std::chrono::day(static_cast<unsigned>(t.day)));
  if (!date.ok() || t.hour > 23 || t.minute > 59 || t.second > 59) return std::nullopt;
  return WallTime(std::chrono::sys_days(date) + std::chrono::hours(t.hour) +
                  std::chrono::minutes(t.minute) + Seconds(t.second));
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

std::optional<WallTime> parse_iso8601_basic(std::string_view text) {
  Reader in(text);
  DateTime t;
  t.year = in.digits(4);
  t.month = in.digits(2);
  t.day = in.digits(2);
  in.expect("T");
  t.hour = in.digits(2);
  t.minute = in.digits(2);
  t.second = in.digits(2);
  in.expect("Z");
  return in.ended() ? to_wall(t) : std::nullopt;
}

std::optional<WallTime> parse_iso8601(std::string_view text) {
  Reader in(text);
  DateTime t;
  t.year = in.digits(4);
  in.expect("-");
  t.month = in.digits(2);
  in.expect("-");
  t.day = in.digits(2);
  if (in.ended()) return to_wall(t);
  in.expect("T");
  t.hour = in.digits(2);
  in.expect(":");
  t.minute = in.digits(2);
  in.expect(":");
  t.second = in.digits(2);
  Microseconds offset{0};
  if (in.skip(".")) offset = in.fraction();
  if (!in.skip("Z")) {
    constexpr std::array<std::string_view, 2> signs = {"+", "-"};
    const int sign = in.one_of(signs) == 0 ? -1 : 1;
    const int hours = in.digits(2);
    in.expect(":");
    const int minutes = in.digits(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset += sign * (std::chrono::hours(hours) + std::chrono::minutes(minutes));
  }
  if (!in.ended()) return std::nullopt;
  const std::optional<WallTime> at = to_wall(t);
  return at ? std::optional(*at + offset) : std::nullopt;
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  Reader in(text);
  DateTime t;
  in.one_of(days);
  in.expect(", ");
  t.day = in.digits(2);
  in.expect(" ");
  t.month = in.one_of(months) + 1;
  in.expect(" ");
  t.year = in.digits(4);
  in.expect(" ");
  t.hour = in.digits(2);
  in.expect(":");
  t.minute = in.digits(2);
  in.expect(":");
  t.second = in.digits(2);
  in.expect(" GMT");
  return in.ended() ? to_wall(t) : std::nullopt;
}

}  // namespace holdfast
