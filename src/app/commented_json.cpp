// Reads JSON with comments.

#include "commented_json.hpp"

#include <algorithm>
#include <vector>

namespace holdfast::app {
namespace {

// Returns the offset behind the string that begins at `start`, quotes included.
std::size_t end_of_string(std::string_view text, std::size_t start) {
  std::size_t at = start + 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

void blank(std::string& text, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    if (text[i] != '\n') text[i] = ' ';
  }
}

}  // namespace

std::string strip_comments(std::string_view text) {
  std::string out(text);
  std::size_t at = 0;
  while (at < out.size()) {
    const std::string_view rest = std::string_view(out).substr(at);
    std::size_t end = 0;
    if (rest.front() == '"') {
      at = end_of_string(out, at);
      continue;
    }
    if (rest.starts_with("//")) {
      end = out.find('\n', at);
    } else if (rest.starts_with("/*")) {
      end = out.find("*/", at + 2);
      if (end != std::string::npos) end += 2;
    } else {
      ++at;
      continue;
    }
    end = std::min(end, out.size());
    blank(out, at, end);
    at = end;
  }
  return out;
}

std::size_t line_at(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, std::min(offset, text.size()));
  return 1 + static_cast<std::size_t>(std::ranges::count(before, '\n'));
}

std::map<std::string, std::size_t> member_lines(std::string_view json) {
  std::map<std::string, std::size_t> lines;
  std::vector<std::string> path;  // one name per open object or array
  std::string name;
  std::size_t at = 0;
  while (at < json.size()) {
    const char c = json[at];
    if (c == '{' || c == '[') {
      path.push_back(name);
      name.clear();
    } else if ((c == '}' || c == ']') && !path.empty()) {
      path.pop_back();
    } else if (c == '"') {
      const std::size_t end = end_of_string(json, at);
      const std::size_t next = json.find_first_not_of(" \t\r\n", end);
      if (next != std::string_view::npos && json[next] == ':') {
        name = json.substr(at + 1, end - at - 2);
        std::string full;
        for (const std::string& part : path) full += part.empty() ? "" : part + ".";
        lines[full + name] = line_at(json, at);
      }
      at = end;
      continue;
    }
    ++at;
  }
  return lines;
}

}  // namespace holdfast::app
