#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace holdfast::log {

enum class Level { debug, info, warn, error };

/// One member of an event's line. The value is escaped; secrets, tokens, passwords and message
/// texts never belong here.
struct Field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;

  Field() = default;  ///< of an array that is filled later
  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, bool v) : name(n), value(v) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
  template <std::integral T>
  Field(std::string_view n, T v) : name(n) {
    if constexpr (std::is_signed_v<T>) {
      value = static_cast<std::int64_t>(v);
    } else {
      value = static_cast<std::uint64_t>(v);
    }
  }
};

struct Options {
  Level level = Level::info;
  bool json = true;         ///< else text for people
  int file_descriptor = 1;  ///< the file to write to; not closed
};

/// The event of which every request leaves one line.
inline constexpr std::string_view kAccessEvent = "access";

/// Starts the log's own thread; before it, events go out synchronously, to stdout as JSON. Call
/// once, from main.
void start(const Options& options);
/// Writes the queued lines, for at most a second if nobody reads them, and ends the thread.
void stop();
/// Changes the level while running. Any thread.
void set_level(Level level);
[[nodiscard]] bool enabled(Level level) noexcept;

/// Writes one line: `{"time":"…","level":"info","event":"listening",…}`. Never waits for the
/// reader: drops and counts a line if the queue (4 MiB) is full. Writes lines of `kAccessEvent`
/// within 100 ms, in large pieces, and all others at once. Ignores a pipe without a reader.
/// Thread-safe.
void write(Level level, std::string_view event, std::span<const Field> fields);
inline void write(Level level, std::string_view event, std::initializer_list<Field> fields = {}) {
  write(level, event, std::span<const Field>(fields.begin(), fields.size()));
}

/// Writes the queued lines and then an error's line. Returns when that is done, or after a few
/// seconds if nobody reads. For code that ends the process. Any thread but the log's own.
void write_last(std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::debug)) write(Level::debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::info)) write(Level::info, event, fields);
}
inline void warn(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::warn)) write(Level::warn, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::error)) write(Level::error, event, fields);
}

/// Returns the number of lines dropped since the start. A `log_dropped` event reports them as well.
[[nodiscard]] std::uint64_t dropped() noexcept;

}  // namespace holdfast::log
