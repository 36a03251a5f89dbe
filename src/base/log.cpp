// Formats log lines.

#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstring>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>

#include "log_writer.hpp"

namespace holdfast::log {
namespace {

constexpr std::size_t kValueBytesMax = 2048;

std::atomic<Level> g_level{Level::info};
std::atomic<bool> g_json{true};

// Lives as long as the process: threads may log while statics are torn down.
LogWriter& writer() {
  static auto* const instance = new LogWriter;
  return *instance;
}

std::string_view name_of(Level level) noexcept {
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

// The date and time change once a second; only the milliseconds are made for each line.
void append_time(std::string& out) {
  thread_local std::int64_t second = -1;
  thread_local std::string prefix;
  const std::int64_t millis = unix_millis(system_clock().wall_now());
  if (millis / 1000 != second) {
    second = millis / 1000;
    prefix = format_iso8601(WallTime(Seconds(second)));
    prefix.resize(prefix.size() - std::strlen("000Z"));
  }
  const auto rest = static_cast<int>(millis % 1000);
  out += prefix;
  out += static_cast<char>('0' + rest / 100);
  out += static_cast<char>('0' + rest / 10 % 10);
  out += static_cast<char>('0' + rest % 10);
  out += 'Z';
}

// Escapes text for JSON, and invisible and direction-changing characters as well. `text` is UTF-8.
void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x7f ? 0 : unseen_length(text, i);
    if (length == 0) continue;
    append_json_escaped(out, text.substr(start, i - start));
    unsigned code_point = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t next = 1; next < length; ++next) {
      code_point = (code_point << 6) | (static_cast<unsigned char>(text[i + next]) & 0x3fU);
    }
    out += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) out += digits[(code_point >> shift) & 15];
    i += length - 1;
    start = i + 1;
  }
  append_json_escaped(out, text.substr(start));
}

void append_text(std::string& out, std::string_view text) {
  std::string_view end;
  if (text.size() > kValueBytesMax) {
    std::size_t cut = kValueBytesMax;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    text = text.substr(0, cut);
    end = "…";
  }
  if (plain_length(text) == text.size()) {
    out += text;
  } else if (is_utf8(text)) {
    append_escaped(out, text);
  } else {
    for (const char c : text) {
      const bool ascii = static_cast<unsigned char>(c) < 0x80;
      append_escaped(out, ascii ? std::string_view(&c, 1) : "\xef\xbf\xbd");
    }
  }
  out += end;
}

template <class Number>
void append_number(std::string& out, Number value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

bool needs_quotes(std::string_view text) {
  return text.empty() || text.find_first_of(" \"=\\") != std::string_view::npos;
}

struct AppendValue {
  std::string& out;
  bool json;
  void operator()(std::string_view text) const {
    const bool quoted = json || needs_quotes(text);
    if (quoted) out += '"';
    // Text lines are escaped too: a line break in a value must not forge an event.
    append_text(out, text);
    if (quoted) out += '"';
  }
  void operator()(std::int64_t value) const { append_number(out, value); }
  void operator()(std::uint64_t value) const { append_number(out, value); }
  void operator()(double value) const {
    if (std::isfinite(value)) {
      append_number(out, value);
    } else {
      out += "null";
    }
  }
  void operator()(bool value) const { out += value ? "true" : "false"; }
};

void append_json_line(std::string& out, Level level, std::string_view event,
                      std::span<const Field> fields) {
  out += R"({"time":")";
  append_time(out);
  out += R"(","level":")";
  out += name_of(level);
  out += R"(","event":")";
  append_text(out, event);
  out += '"';
  for (const Field& field : fields) {
    out += ",\"";
    append_text(out, field.name);
    out += "\":";
    std::visit(AppendValue{out, true}, field.value);
  }
  out += "}\n";
}

void append_text_line(std::string& out, Level level, std::string_view event,
                      std::span<const Field> fields) {
  constexpr std::size_t longest_level = 5;
  append_time(out);
  out += ' ';
  out += name_of(level);
  out.append(longest_level + 1 - name_of(level).size(), ' ');
  append_text(out, event);
  for (const Field& field : fields) {
    out += ' ';
    append_text(out, field.name);
    out += '=';
    std::visit(AppendValue{out, false}, field.value);
  }
  out += '\n';
}

void append_line(std::string& out, Level level, std::string_view event,
                 std::span<const Field> fields) {
  if (g_json.load(std::memory_order_relaxed)) {
    append_json_line(out, level, event, fields);
  } else {
    append_text_line(out, level, event, fields);
  }
}

}  // namespace

void start(const Options& options) {
  g_level = options.level;
  g_json = options.json;
  writer().start(options.file_descriptor, [](std::string& out, std::uint64_t lines) {
    const Field field("lines", lines);
    append_line(out, Level::warn, "log_dropped", {&field, 1});
  });
}

void stop() { writer().stop(); }

void set_level(Level level) { g_level = level; }

bool enabled(Level level) noexcept { return level >= g_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view event, std::span<const Field> fields) {
  thread_local std::string line;
  line.clear();
  append_line(line, level, event, fields);
  writer().add(line, event != kAccessEvent);
}

void write_last(std::string_view event, std::initializer_list<Field> fields) {
  std::string line;
  append_line(line, Level::error, event, std::span<const Field>(fields.begin(), fields.size()));
  writer().add_last(line);
}

std::uint64_t dropped() noexcept { return writer().dropped(); }

}  // namespace holdfast::log
