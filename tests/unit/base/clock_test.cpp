// Tests clocks, and times as text.

#include <gtest/gtest.h>

#include <holdfast/base/clock.hpp>

namespace holdfast {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
const WallTime kMoment = wall_from_micros(1'769'076'000 * kSecond);  // 2026-01-22T10:00:00Z

TEST(Clock, RunsOnWhileTheMachineIsSuspended) {
  const Clock& clock = system_clock();
  const BootTime before = clock.boot_now();
  const SteadyTime steady = clock.steady_now();
  EXPECT_GE(clock.boot_now(), before);
  // Both count from the machine's start; a suspension puts the steady one behind.
  EXPECT_GE(clock.boot_now().time_since_epoch(), steady.time_since_epoch());
}

TEST(Clock, WritesTheThreeFormsOfATime) {
  EXPECT_EQ(format_iso8601_basic(kMoment), "20260122T100000Z");
  EXPECT_EQ(format_iso8601(kMoment + Milliseconds(7)), "2026-01-22T10:00:00.007Z");
  EXPECT_EQ(format_http_date(kMoment), "Thu, 22 Jan 2026 10:00:00 GMT");
  EXPECT_EQ(format_iso8601(wall_from_micros(-1)), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, ReadsWhatItWrites) {
  for (std::int64_t second = -5'000'000'000; second < 20'000'000'000; second += 86'399'987) {
    const WallTime t = wall_from_micros(second * kSecond);
    EXPECT_EQ(parse_iso8601_basic(format_iso8601_basic(t)), t);
    EXPECT_EQ(parse_iso8601(format_iso8601(t)), t);
    EXPECT_EQ(parse_http_date(format_http_date(t)), t);
  }
}

TEST(Clock, ReadsTheOtherFormsOfIso8601) {
  EXPECT_EQ(parse_iso8601("2026-01-22"), kMoment - std::chrono::hours(10));
  EXPECT_EQ(parse_iso8601("2026-01-22T10:00:00Z"), kMoment);
  EXPECT_EQ(parse_iso8601("2026-01-22T11:30:00+01:30"), kMoment);
  EXPECT_EQ(parse_iso8601("2026-01-22T09:00:00-01:00"), kMoment);
  EXPECT_EQ(parse_iso8601("2026-01-22T10:00:00.5Z"), kMoment + Milliseconds(500));
  EXPECT_EQ(parse_iso8601("2026-01-22T10:00:00.000001999Z"), kMoment + Microseconds(1));
  EXPECT_EQ(parse_iso8601("2024-02-29"), parse_iso8601("2024-02-29T00:00:00Z"));
}

TEST(Clock, RefusesOtherFormsAndImpossibleDates) {
  for (const char* text :
       {"", "20260122", "20260122T100000", "20260122T100000z", "20261322T100000Z",
        "20260230T100000Z", "20260100T100000Z", "20260122T240000Z", "20260122T106000Z",
        "20260122T100060Z", "20260122T100000Z ", " 20260122T100000Z", "2026-01-22T10:00:00Z",
        "+0260122T100000Z", "2026012 T100000Z", "20260122T100000ZZ"}) {
    EXPECT_EQ(parse_iso8601_basic(text), std::nullopt) << text;
  }
  for (const char* text :
       {"", "2026", "2026-01", "2025-02-29", "2026-01-22T10:00:00", "2026-01-22T10:00Z",
        "2026-01-22 10:00:00Z", "2026-01-22T10:00:00.Z", "2026-01-22T10:00:00+24:00",
        "2026-01-22T10:00:00+0100", "20260122T100000Z", "2026-01-22T10:00:00.0000000001Z"}) {
    EXPECT_EQ(parse_iso8601(text), std::nullopt) << text;
  }
  for (const char* text : {"", "Thu, 22 Jan 2026 10:00:00", "Thu, 22 Jan 2026 10:00:00 UTC",
                           "Thursday, 22-Jan-26 10:00:00 GMT", "Thu Jan 22 10:00:00 2026",
                           "Thu, 31 Feb 2026 10:00:00 GMT", "Thu, 22 jan 2026 10:00:00 GMT"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(Clock, KeepsTheSteadyClockFromGoingBack) {
  SteadyTime last = system_clock().steady_now();
  for (int i = 0; i < 1000; ++i) {
    const SteadyTime now = system_clock().steady_now();
    EXPECT_LE(last, now);
    last = now;
  }
  EXPECT_GT(unix_seconds(system_clock().wall_now()), 1'700'000'000);
}

TEST(Clock, RoundsDownBeforeTheEpochToo) {
  EXPECT_EQ(unix_millis(wall_from_micros(-1)), -1);
  EXPECT_EQ(unix_seconds(wall_from_micros(-1)), -1);
  EXPECT_EQ(unix_micros(wall_from_micros(42)), 42);
}

}  // namespace
}  // namespace holdfast
