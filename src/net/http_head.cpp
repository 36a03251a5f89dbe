// Reads header sections strictly.

#include "http_head.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/url.hpp>

namespace holdfast::net {
namespace {

constexpr std::size_t kMethodBytesMax = 32;
// Reserves room in the request line for the method, two spaces and the version.
constexpr std::size_t kRequestLineExtra = kMethodBytesMax + 16;
// Limits the empty lines before a request line (RFC 9112 section 2.2).
constexpr std::size_t kBlankLinesMax = 4;

bool is_target(std::string_view text) noexcept {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

// Returns whether a text is `host` or `host:port`, without user information or a path.
bool is_authority(std::string_view text) noexcept {
  if (text.empty() || text.front() == ':') return false;
  return std::ranges::all_of(
      text, [](char c) { return ascii::is_token_char(c) || c == ':' || c == '[' || c == ']'; });
}

}  // namespace

bool is_field_value(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u >= 0x20 && u != 0x7f) || c == '\t';
  });
}

bool has_token(std::string_view list, std::string_view token) noexcept {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (ascii::iequals(ascii::trim(list.substr(0, comma)), token)) return true;
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return false;
}

bool HeadReader::fail(int status, const char* message, const char* why) noexcept {
  error_ = {.status = status, .message = message, .why = why};
  return false;
}

HeadReader::State HeadReader::read(std::string_view bytes) {
  while (position_ < bytes.size()) {
    const auto* const at = static_cast<const char*>(
        std::memchr(bytes.data() + position_, '\n', bytes.size() - position_));
    const std::size_t end =
        at == nullptr ? bytes.size() : static_cast<std::size_t>(at - bytes.data());
    position_ = end;
    if (over_limits(bytes)) return State::bad;
    if (at == nullptr) return State::more;
    if (end == line_start_ || bytes[end - 1] != '\r') {
      fail(400, "Bad Request: a line does not end in CR LF");
      return State::bad;
    }
    const std::string_view line = bytes.substr(line_start_, end - 1 - line_start_);
    line_start_ = position_ = end + 1;
    if (line.empty() && lines_ > 0) return finish() ? State::done : State::bad;
    if (line.empty() && ++blank_lines_ <= kBlankLinesMax) continue;
    if (!take_line(line)) return State::bad;
    ++lines_;
  }
  return State::more;
}

bool HeadReader::over_limits(std::string_view bytes) {
  if (lines_ == 0 && position_ - line_start_ > limits_->target_bytes + kRequestLineExtra) {
    const std::string_view line = bytes.substr(line_start_, kMethodBytesMax + 1);
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || !ascii::is_token(line.substr(0, space))) {
      return !fail(400, "Bad Request: malformed request line");
    }
    head_.method = line.substr(0, space);
    return !fail(414, "URI Too Long", "limits.target_bytes");
  }
  if (position_ > limits_->header_bytes) {
    return !fail(431, "Request Header Fields Too Large", "limits.header_bytes");
  }
  return false;
}

bool HeadReader::take_line(std::string_view line) {
  return lines_ == 0 ? take_request_line(line) : take_header(line);
}

bool HeadReader::take_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return fail(400, "Bad Request: malformed request line");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!ascii::is_token(method) || method.size() > kMethodBytesMax) {
    return fail(400, "Bad Request: malformed method");
  }
  head_.method = method;
  if (!take_version(version)) return false;
  if (target.size() > limits_->target_bytes)
    return fail(414, "URI Too Long", "limits.target_bytes");
  if (!is_target(target)) return fail(400, "Bad Request: malformed target");
  return take_target(target);
}

// Serves a higher minor version as the highest that is known (RFC 9110 section 2.5).
bool HeadReader::take_version(std::string_view version) {
  constexpr std::string_view kForm = "HTTP/d.d";
  if (version.size() != kForm.size() || !version.starts_with("HTTP/") || version[6] != '.' ||
      !ascii::is_digit(version[5]) || !ascii::is_digit(version[7])) {
    return fail(400, "Bad Request: malformed HTTP version");
  }
  if (version[5] != '1') return fail(505, "HTTP Version Not Supported");
  head_.minor_version = version[7] == '0' ? 0 : 1;
  return true;
}

bool HeadReader::take_target(std::string_view target) {
  if (target.front() == '/' || (target == "*" && head_.method == "OPTIONS")) {
    head_.target = target;
    return true;
  }
  const auto parts = split_url(target);
  if (!parts ||
      !(ascii::iequals(parts->scheme, "http") || ascii::iequals(parts->scheme, "https"))) {
    return fail(400, "Bad Request: malformed target");
  }
  absolute_ = true;
  authority_ = parts->authority;
  head_.target = parts->rest;
  if (!head_.target.starts_with('/')) head_.target.insert(head_.target.begin(), '/');
  return true;
}

bool HeadReader::take_header(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    return fail(400, "Bad Request: folded header");
  }
  if (head_.headers.size() >= limits_->headers) {
    return fail(431, "Request Header Fields Too Large", "limits.headers");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !ascii::is_token(line.substr(0, colon))) {
    return fail(400, "Bad Request: malformed header name");
  }
  const std::string_view value = ascii::trim(line.substr(colon + 1));
  if (!is_field_value(value)) return fail(400, "Bad Request: malformed header value");
  if (head_.headers.empty()) head_.headers.reserve(16);
  head_.headers.emplace_back(line.substr(0, colon), value);
  return note_header(line.substr(0, colon), value);
}

bool HeadReader::note_header(std::string_view name, std::string_view value) {
  bool known = false;
  if (!note_framing(name, value, known)) return false;
  if (known) return true;
  if (ascii::iequals(name, "host")) {
    if (++hosts_ > 1) return fail(400, "Bad Request: duplicate Host");
    if (!is_authority(value) && !(unix_socket_ && value.empty())) {
      return fail(400, "Bad Request: malformed Host");
    }
    host_index_ = head_.headers.size() - 1;
  } else if (ascii::iequals(name, "authorization")) {
    if (++authorizations_ > 1) return fail(400, "Bad Request: duplicate Authorization");
  } else if (ascii::iequals(name, "x-amz-date")) {
    if (++amz_dates_ > 1) return fail(400, "Bad Request: duplicate X-Amz-Date");
  } else if (ascii::iequals(name, "connection")) {
    connection_close_ |= has_token(value, "close");
    connection_upgrade_ |= has_token(value, "upgrade");
  } else if (ascii::iequals(name, "upgrade")) {
    upgrade_websocket_ |= has_token(value, "websocket");
  } else if (ascii::iequals(name, "expect")) {
    if (!ascii::iequals(value, "100-continue")) {
      return fail(417, "Expectation Failed", "Expect is not 100-continue");
    }
    // An expectation in an HTTP/1.0 request is ignored (RFC 9110 section 10.1.1).
    framing_.expect_continue = head_.minor_version == 1;
  }
  return true;
}

bool HeadReader::note_framing(std::string_view name, std::string_view value, bool& known) {
  if (ascii::iequals(name, "content-length")) {
    known = true;
    if (framing_.content_length) return fail(400, "Bad Request: duplicate Content-Length");
    std::uint64_t length = 0;
    const char* const end = value.data() + value.size();
    const auto [stopped, error] = std::from_chars(value.data(), end, length);
    if (value.empty() || value.front() < '0' || value.front() > '9' || error != std::errc() ||
        stopped != end) {
      return fail(400, "Bad Request: malformed Content-Length");
    }
    framing_.content_length = length;
  } else if (ascii::iequals(name, "transfer-encoding")) {
    known = true;
    if (++transfer_encodings_ > 1) return fail(400, "Bad Request: duplicate Transfer-Encoding");
    return take_transfer_encoding(value);
  }
  return true;
}

// Accepts `chunked` alone (RFC 9112 section 6.1). Any other coding ends the connection, because the
// end of such a body is unknown.
bool HeadReader::take_transfer_encoding(std::string_view value) {
  if (head_.minor_version != 1) {
    return fail(400, "Bad Request: Transfer-Encoding needs HTTP/1.1");
  }
  framing_.chunked = true;
  if (ascii::iequals(value, "chunked")) return true;
  bool known = true;
  for (bool more = true; more;) {
    const std::size_t comma = value.find(',');
    more = comma != value.npos;
    const std::string_view coding = ascii::trim(value.substr(0, comma));
    if (!ascii::is_token(ascii::trim(coding.substr(0, coding.find(';'))))) {
      return fail(400, "Bad Request: malformed Transfer-Encoding");
    }
    known = known && ascii::iequals(coding, "chunked");
    if (more) value.remove_prefix(comma + 1);
  }
  return known ? fail(400, "Bad Request: malformed Transfer-Encoding")
               : fail(501, "Not Implemented: unknown transfer coding");
}

bool HeadReader::finish() {
  if (framing_.chunked && framing_.content_length) {
    return fail(400, "Bad Request: both Content-Length and Transfer-Encoding");
  }
  framing_.has_host = hosts_ > 0;
  if (hosts_ == 0 && (head_.minor_version != 0 || absolute_)) {
    return fail(400, "Bad Request: missing Host");
  }
  if (absolute_ && !check_authority()) return false;
  // HTTP/1.0 has no keep-alive here: it would need a second way of framing.
  framing_.keep_alive = !connection_close_ && head_.minor_version == 1;
  framing_.upgrade_websocket = upgrade_websocket_ && connection_upgrade_;
  return true;
}

bool HeadReader::check_authority() {
  const std::string_view host = head_.headers[host_index_].second;
  if (!is_authority(authority_) || !ascii::iequals(without_default_port(authority_, "http"),
                                                   without_default_port(host, "http"))) {
    return fail(400, "Bad Request: the target's authority is not the Host");
  }
  return true;
}

}  // namespace holdfast::net
