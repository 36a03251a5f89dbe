// The header section of a request and its chunked body.

#include <optional>

#include <holdfast/base/ascii.hpp>

#include "fuzz/oracle.hpp"
#include "net/chunked_reader.hpp"
#include "net/http_head.hpp"

namespace holdfast::fuzz {
namespace {

using net::ChunkedReader;
using net::HeadReader;

constexpr std::size_t kBytesMax = 4'096;
constexpr std::size_t kBodyMax = 1 << 20;

net::HttpLimits small_limits() {
  net::HttpLimits limits;
  limits.header_bytes = 2'048;
  limits.target_bytes = 512;
  limits.headers = 20;
  return limits;
}

struct Head {
  HeadReader::State state = HeadReader::State::more;
  int status = 0;
  std::size_t size = 0;
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  bool chunked = false;
  bool operator==(const Head&) const = default;
};

template <class Next>
Head read_head(std::string_view bytes, Next next) {
  const net::HttpLimits limits = small_limits();
  HeadReader reader(limits);
  Head out;
  for (std::size_t there = 0; there < bytes.size() && out.state == HeadReader::State::more;) {
    there += next(bytes.size() - there);
    out.state = reader.read(bytes.substr(0, there));
  }
  if (out.state == HeadReader::State::bad) out.status = reader.error().status;
  if (out.state != HeadReader::State::done) return out;
  out.size = reader.size();
  out.method = reader.head().method;
  out.target = reader.head().target;
  out.headers = reader.head().headers;
  out.chunked = reader.framing().chunked;
  return out;
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// As RFC 9112 section 2.1 has it, line by line.
void check_head(const Head& head, std::string_view bytes) {
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t i = 0; i < head.size; ++i) {
    require(bytes[i] != '\0', "no NUL in a header section");
    if (bytes[i] == '\n') {
      require(!line.empty() && line.back() == '\r', "each line ends in CR LF");
      line.pop_back();
      require(line.find('\r') == std::string::npos, "no CR within a line");
      if (!line.empty() || !lines.empty()) lines.push_back(line);
      line.clear();
    } else {
      line += bytes[i];
    }
  }
  require(lines.size() >= 2 && lines.back().empty(), "an empty line ends it");
  lines.pop_back();
  require(lines[0].starts_with(head.method + " "), "the method comes first");
  require(lines.size() == head.headers.size() + 1, "each line is a header");
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    require(colon != std::string::npos, "a header has a colon");
    require(head.headers[i - 1].first == lines[i].substr(0, colon), "a header's name");
    require(head.headers[i - 1].second == trimmed(lines[i].substr(colon + 1)), "a header's value");
  }
}

/// A chunked body by RFC 9112 section 7.1, read from its whole text.
class SlowChunks {
 public:
  explicit SlowChunks(std::string_view text) : text_(text) {}

  /// The body, when all of it is there and right; `at` is behind it then.
  std::optional<std::string> read() {
    std::string body;
    while (true) {
      const auto size = chunk_size();
      if (!size || !extensions() || !crlf()) return std::nullopt;
      if (*size == 0) break;
      if (*size > text_.size() - at || *size > kBodyMax - body.size()) return std::nullopt;
      body += text_.substr(at, *size);
      at += *size;
      if (!crlf()) return std::nullopt;
    }
    for (int fields = 0; !crlf(); ++fields) {
      if (fields == 100 || !field()) return std::nullopt;
    }
    return body;
  }

  std::size_t at = 0;

 private:
  static bool is_tchar(char c) { return ascii::is_token({&c, 1}); }
  static bool is_text(char c) {
    const auto u = static_cast<unsigned char>(c);
    return c == '\t' || (u >= 0x20 && u != 0x7f);
  }
  [[nodiscard]] bool sees(char c) const { return at < text_.size() && text_[at] == c; }
  bool takes(char c) {
    if (!sees(c)) return false;
    ++at;
    return true;
  }
  bool crlf() {
    if (text_.substr(at, 2) != "\r\n") return false;
    at += 2;
    return true;
  }
  void spaces() {
    while (sees(' ') || sees('\t')) ++at;
  }
  std::optional<std::uint64_t> chunk_size() {
    constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
    std::string digits;
    while (at < text_.size() && kDigits.contains(text_[at])) digits += text_[at++];
    if (digits.empty() || digits.size() > 16) return std::nullopt;
    return std::stoull(digits, nullptr, 16);
  }
  bool token() {
    const std::size_t begin = at;
    while (at < text_.size() && is_tchar(text_[at])) ++at;
    return at > begin;
  }
  bool value() {
    if (!takes('"')) return token();
    while (!takes('"')) {
      (void)takes('\\');
      if (at == text_.size() || !is_text(text_[at])) return false;
      ++at;
    }
    return true;
  }
  bool extensions() {
    while (true) {
      const std::size_t before = at;
      spaces();
      if (!takes(';')) {
        at = before;
        return true;
      }
      spaces();
      if (!token()) return false;
      const std::size_t named = at;
      spaces();
      if (!takes('=')) {
        at = named;
        continue;
      }
      spaces();
      if (!value()) return false;
    }
  }
  bool field() {
    const std::size_t end = text_.find('\r', at);
    if (end == std::string_view::npos) return false;
    const std::string_view line = text_.substr(at, end - at);
    at = end;
    const std::size_t colon = line.find(':');
    return colon != std::string_view::npos && ascii::is_token(line.substr(0, colon)) &&
           net::is_field_value(line.substr(colon + 1)) && crlf();
  }

  std::string_view text_;
};

template <class Next>
ChunkedReader::State read_body(std::string_view& bytes, std::string& body, Next next) {
  ChunkedReader reader(kBodyMax);
  auto state = ChunkedReader::State::more;
  while (!bytes.empty() && state == ChunkedReader::State::more) {
    std::string_view piece = bytes.substr(0, next(bytes.size()));
    const std::size_t given = piece.size();
    state = reader.read(piece, body);
    bytes.remove_prefix(given - piece.size());
  }
  return state;
}

void check_body(std::string_view bytes, std::uint8_t seed) {
  const auto all = [](std::size_t most) { return most; };
  std::string body;
  std::string_view rest = bytes;
  const auto state = read_body(rest, body, all);
  std::string cut_body;
  std::string_view cut_rest = bytes;
  Cuts cuts(seed);
  const auto cut_state =
      read_body(cut_rest, cut_body, [&](std::size_t most) { return cuts.next(most); });
  require(state == cut_state && body == cut_body && rest.size() == cut_rest.size(),
          "a body is the same however it is cut");
  SlowChunks slow(bytes);
  const auto expected = slow.read();
  require((state == ChunkedReader::State::done) == expected.has_value(),
          "a body is whole when the slow reader says so");
  if (expected) {
    require(body == *expected, "a body's bytes");
    require(bytes.size() - rest.size() == slow.at, "a body's end");
  }
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::fuzz;
  Input input(data, size);
  const std::uint8_t seed = input.byte();
  const std::string_view bytes = input.rest().substr(0, kBytesMax);
  const Head head = read_head(bytes, [](std::size_t most) { return most; });
  Cuts cuts(seed);
  require(head == read_head(bytes, [&](std::size_t most) { return cuts.next(most); }),
          "a head is the same however it is cut");
  if (head.state != HeadReader::State::done) {
    check_body(bytes, seed);
    return 0;
  }
  check_head(head, bytes);
  check_body(bytes.substr(head.size), seed);
  return 0;
}
