#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>

namespace holdfast::log {
namespace {

constexpr std::size_t kQueueLines = 8192;

// Lives as long as the process: threads may log while statics are torn down.
struct Sink {
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> logger;
};

std::atomic<Level> g_level{Level::info};
std::atomic<bool> g_json{true};
std::atomic<std::uint64_t> g_dropped_before{0};

Sink& sink() {
  static auto* const instance = new Sink;
  return *instance;
}

const char* name_of(Level level) noexcept {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  return "info";
}

struct AppendValue {
  std::string& out;
  bool json;
  void operator()(std::string_view text) const {
    if (json) out += '"';
    // Text lines are escaped too: a line break in a value must not forge an event.
    append_json_escaped(out, text);
    if (json) out += '"';
  }
  void operator()(std::int64_t value) const { out += std::to_string(value); }
  void operator()(std::uint64_t value) const { out += std::to_string(value); }
  void operator()(double value) const {
    out += std::isfinite(value) ? fmt::format("{}", value) : "null";
  }
  void operator()(bool value) const { out += value ? "true" : "false"; }
};

std::string format_line(Level level, std::string_view event, std::initializer_list<Field> fields,
                        bool json) {
  std::string out;
  out.reserve(256);
  const std::string time = format_iso8601(system_clock().wall_now());
  if (json) {
    out += R"({"time":")" + time + R"(","level":")" + name_of(level) + R"(","event":")";
    append_json_escaped(out, event);
    out += '"';
  } else {
    out += time + " " + name_of(level) + " ";
    out += event;
  }
  for (const Field& field : fields) {
    if (json) {
      out += ",\"";
      append_json_escaped(out, field.name);
      out += "\":";
    } else {
      out += ' ';
      out += field.name;
      out += '=';
    }
    std::visit(AppendValue{out, json}, field.value);
  }
  if (json) out += '}';
  return out;
}

}  // namespace

void start(const Options& options) {
  g_level = options.level;
  g_json = options.json;
  Sink& s = sink();
  s.pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  s.logger = std::make_shared<spdlog::async_logger>(
      "holdfast", std::make_shared<spdlog::sinks::stdout_sink_mt>(), s.pool,
      spdlog::async_overflow_policy::overrun_oldest);
  s.logger->set_level(spdlog::level::trace);
  s.logger->set_pattern("%v");
  // Readers wait for lines such as `listening`; a pipe must not hold them back.
  s.logger->flush_on(spdlog::level::trace);
}

void stop() {
  Sink& s = sink();
  if (s.logger) s.logger->flush();
  if (s.pool) g_dropped_before += s.pool->overrun_counter();
  s.logger.reset();
  s.pool.reset();  // joins its thread after the queue is written
}

void set_level(Level level) { g_level = level; }

bool enabled(Level level) noexcept { return level >= g_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  const std::string line = format_line(level, event, fields, g_json);
  if (const auto& logger = sink().logger) {
    logger->log(spdlog::level::info, line);
  } else {
    std::fprintf(stdout, "%s\n", line.c_str());
    std::fflush(stdout);
  }
}

std::uint64_t dropped() noexcept {
  const auto& pool = sink().pool;
  return g_dropped_before + (pool ? pool->overrun_counter() : 0);
}

}  // namespace holdfast::log
