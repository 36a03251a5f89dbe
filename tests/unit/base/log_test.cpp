// Tests the log: format, escaping, drops and stop.

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/base/log.hpp>

#include "support/base/temp_dir.hpp"

namespace holdfast {
namespace {

using SteadyClock = std::chrono::steady_clock;

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  }
  ~Pipe() {
    close_reader();
    close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int writer() const { return ends_[1]; }
  void close_reader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }
  /// Reads until `enough`, for at most ten seconds.
  std::string read_until(const std::function<bool(const std::string&)>& enough) {
    std::string out;
    const auto deadline = SteadyClock::now() + std::chrono::seconds(10);
    while (!enough(out) && SteadyClock::now() < deadline) {
      pollfd entry{ends_[0], POLLIN, 0};
      if (poll(&entry, 1, 100) <= 0) continue;
      std::array<char, 65536> buffer;
      const ssize_t bytes = read(ends_[0], buffer.data(), buffer.size());
      if (bytes <= 0) break;
      out.append(buffer.data(), static_cast<std::size_t>(bytes));
    }
    return out;
  }
  std::string read_line() {
    return read_until([](const std::string& text) { return text.ends_with('\n'); });
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

struct Running {
  explicit Running(int file_descriptor, bool json = true) {
    log::Options options;
    options.level = log::Level::debug;
    options.json = json;
    options.file_descriptor = file_descriptor;
    log::start(options);
  }
  ~Running() {
    log::stop();
    log::set_level(log::Level::info);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
};

TEST(Log, WritesOneJsonObjectPerEvent) {
  Pipe pipe;
  Running running(pipe.writer());
  log::info("listening", {{"part", "gateway"},
                          {"port", 8080},
                          {"big", std::numeric_limits<std::uint64_t>::max()},
                          {"negative", std::int64_t{-5}},
                          {"ratio", 0.25},
                          {"bad", std::numeric_limits<double>::infinity()},
                          {"secure", false}});
  const auto line = parse_json(pipe.read_line());
  ASSERT_TRUE(line);
  EXPECT_EQ(line->at("level"), "info");
  EXPECT_EQ(line->at("event"), "listening");
  EXPECT_EQ(line->at("part"), "gateway");
  EXPECT_EQ(line->at("port"), 8080);
  EXPECT_EQ(line->at("big"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(line->at("negative"), -5);
  EXPECT_EQ(line->at("ratio"), 0.25);
  EXPECT_TRUE(line->at("bad").is_null());
  EXPECT_EQ(line->at("secure"), false);
  const auto time = parse_iso8601(line->at("time").get<std::string>());
  ASSERT_TRUE(time);
  EXPECT_LT(system_clock().wall_now() - *time, std::chrono::seconds(20));
}

TEST(Log, EscapesWhateverAValueHolds) {
  Pipe pipe;
  Running running(pipe.writer());
  log::warn("odd", {{"value", "a\"b\n{\"event\":\"forged\"}\xff\xc3"},
                    {"long", std::string(70'000, 'x')}});
  const std::string text = pipe.read_line();
  EXPECT_EQ(split_lines(text).size(), 1U);
  EXPECT_LT(text.size(), 3000U);
  const auto line = parse_json(text);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->at("event"), "odd");
  EXPECT_EQ(line->at("value"), "a\"b\n{\"event\":\"forged\"}\uFFFD\uFFFD");
}

TEST(Log, WritesTextWhenConfigured) {
  Pipe pipe;
  Running running(pipe.writer(), false);
  log::error("store_failed",
             {{"why", "disk \"full\"\nnow"}, {"code", 13}, {"part", "store"}, {"none", ""}});
  const std::string line = pipe.read_line();
  EXPECT_TRUE(line.ends_with(
      "Z error store_failed why=\"disk \\\"full\\\"\\nnow\" code=13 part=store none=\"\"\n"))
      << line;
}

// A terminal obeys them, or shows something else than is there.
TEST(Log, ShowsWhatWouldNotBeSeen) {
  const std::string odd =
      "a\x7f\xc2\x9b[2Jb\xe2\x80\xae"
      "c\xe2\x81\xa6\xe2\x80\xa8\xd8\x9c \xc3\xa4\xe2\x82\xac";
  for (const bool json : {false, true}) {
    Pipe pipe;
    Running running(pipe.writer(), json);
    log::info("odd", {{"value", odd}});
    const std::string line = pipe.read_line();
    EXPECT_TRUE(
        line.contains("a\\u007f\\u009b[2Jb\\u202ec\\u2066\\u2028\\u061c \xc3\xa4\xe2\x82\xac"))
        << line;
    if (json) {
      EXPECT_EQ(parse_json(line)->at("value"), odd);
    }
  }
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  Pipe pipe;
  Running running(pipe.writer());
  log::set_level(log::Level::warn);
  log::debug("one");
  log::info("two");
  log::warn("three");
  const std::string text = pipe.read_line();
  EXPECT_EQ(split_lines(text).size(), 1U);
  EXPECT_TRUE(text.contains("three"));
  EXPECT_FALSE(log::enabled(log::Level::info));
  EXPECT_TRUE(log::enabled(log::Level::error));
}

TEST(Log, WritesAccessLinesWithoutWaitingForAnotherEvent) {
  Pipe pipe;
  Running running(pipe.writer());
  log::info(log::kAccessEvent, {{"status", 200}});
  EXPECT_TRUE(pipe.read_line().contains(R"("status":200)"));
}

TEST(Log, KeepsTheOrderOfAThreadsLinesAndLosesNone) {
  constexpr int threads_count = 4;
  constexpr int lines_each = 2000;
  test::TempDir dir;
  const std::string path = dir.file("log");
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  {
    Running running(file);
    std::vector<std::thread> threads;
    for (int t = 0; t < threads_count; ++t) {
      threads.emplace_back([t] {
        for (int n = 0; n < lines_each; ++n) {
          log::info(n % 100 == 0 ? "event" : log::kAccessEvent, {{"thread", t}, {"n", n}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  close(file);
  std::ifstream in(path);
  std::array<int, threads_count> next{};
  for (std::string line; std::getline(in, line);) {
    const auto parsed = parse_json(line);
    ASSERT_TRUE(parsed) << line;
    const auto thread = parsed->at("thread").get<std::size_t>();
    EXPECT_EQ(parsed->at("n"), next.at(thread));
    ++next.at(thread);
  }
  for (const int count : next) EXPECT_EQ(count, lines_each);
}

TEST(Log, DropsAndCountsWhenNobodyReadsAndStillStops) {
  Pipe pipe;
  const std::uint64_t dropped_before = log::dropped();
  const auto begin = SteadyClock::now();
  {
    Running running(pipe.writer());
    const std::string value(1000, 'x');
    for (int i = 0; i < 10'000; ++i) log::info(log::kAccessEvent, {{"value", value}});
    EXPECT_GT(log::dropped(), dropped_before);
  }
  EXPECT_LT(SteadyClock::now() - begin, std::chrono::seconds(30));
}

TEST(Log, TellsHowManyLinesWereDropped) {
  Pipe pipe;
  Running running(pipe.writer());
  const std::uint64_t dropped_before = log::dropped();
  const std::string value(1000, 'x');
  int written = 0;
  while (log::dropped() == dropped_before && written < 100'000) {
    log::info(log::kAccessEvent, {{"value", value}});
    ++written;
  }
  ASSERT_GT(log::dropped(), dropped_before);
  const std::string told = pipe.read_until(
      [](const std::string& text) { return text.contains(R"("event":"log_dropped","lines":)"); });
  EXPECT_TRUE(told.contains("log_dropped"));
  log::info("after");
  const std::string rest =
      pipe.read_until([](const std::string& text) { return text.contains("after"); });
  EXPECT_TRUE(rest.contains(R"("event":"after")"));
}

TEST(Log, OutlivesAReaderThatWentAway) {
  Pipe pipe;
  Running running(pipe.writer());
  log::info("first");
  EXPECT_FALSE(pipe.read_line().empty());
  pipe.close_reader();
  for (int i = 0; i < 1000; ++i) log::info("into the void");
}

TEST(Log, StartsAgainAfterAStop) {
  for (int i = 0; i < 3; ++i) {
    Pipe pipe;
    Running running(pipe.writer());
    log::info("again");
    EXPECT_TRUE(pipe.read_line().contains("again"));
  }
}

}  // namespace
}  // namespace holdfast
