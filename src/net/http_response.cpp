// Writes the header sections of answers.

#include "http_response.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <holdfast/base/ascii.hpp>

namespace holdfast::net {
namespace {

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

bool is_clean(std::string_view text) noexcept {
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool is_ours(std::string_view name) noexcept {
  return ascii::iequals(name, "content-length") || ascii::iequals(name, "date") ||
         ascii::iequals(name, "connection") || ascii::iequals(name, "upgrade") ||
         ascii::iequals(name, "transfer-encoding");
}

bool has(const Headers& headers, std::string_view name) noexcept {
  return std::ranges::any_of(
      headers, [name](const auto& header) { return ascii::iequals(header.first, name); });
}

// Appends the headers that keep browsers safe, unless the service sets them. Caches keep nothing,
// the type is believed, and a page loads and runs nothing.
void append_safety(std::string& out, const Headers& headers, Seconds transport_security) {
  if (!has(headers, "cache-control")) out += "\r\nCache-Control: no-store";
  if (!has(headers, "x-content-type-options")) out += "\r\nX-Content-Type-Options: nosniff";
  if (!has(headers, "content-security-policy")) {
    out += "\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'";
  }
  if (transport_security.count() > 0) {
    // Plain HTTP must not have it (RFC 6797 section 7.2).
    out += "\r\nStrict-Transport-Security: max-age=";
    append_number(out, static_cast<std::size_t>(transport_security.count()));
  }
}

void append_status_and_fields(std::string& out, int status, const Headers& headers,
                              std::string_view date, Seconds transport_security) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::size_t>(status));
  out += ' ';
  out += reason_of(status);
  out += "\r\nDate: ";
  out += date;
  for (const auto& [name, value] : headers) {
    if (!is_clean(name) || !is_clean(value) || is_ours(name)) continue;
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  if (status >= 200) append_safety(out, headers, transport_security);
}

}  // namespace

void append_response_head(std::string& out, const Response& response, std::string_view date,
                          bool keep_alive, Seconds transport_security) {
  append_status_and_fields(out, response.status, response.headers, date, transport_security);
  // An answer that can have no body has no length (RFC 9110 section 8.6).
  if (response.status >= 200 && response.status != 204 && response.status != 304) {
    out += "\r\nContent-Length: ";
    append_number(out, response.body.size());
  }
  if (response.status == 426) {
    out += "\r\nUpgrade: websocket\r\nConnection: Upgrade";
    if (!keep_alive) out += ", close";
  } else if (!keep_alive) {
    out += "\r\nConnection: close";
  }
  out += "\r\n\r\n";
}

void append_stream_head(std::string& out, const StreamAccepted& stream, std::string_view date,
                        bool chunked, Seconds transport_security) {
  append_status_and_fields(out, stream.status, stream.headers, date, transport_security);
  if (chunked) out += "\r\nTransfer-Encoding: chunked";
  out += "\r\nConnection: close\r\n\r\n";
}

}  // namespace holdfast::net
