// Parses URLs.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/url.hpp>
#include <holdfast/net/client.hpp>

namespace holdfast::net {
namespace {

constexpr std::array<std::string_view, 4> kSchemes{"http", "https", "ws", "wss"};

bool is_port(std::string_view text) noexcept {
  std::uint32_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && stopped == end && port > 0 && port <= 65535;
}

// Returns whether a text is a host (RFC 3986 section 3.2.2). In brackets it must be an IPv6
// address.
bool is_host(std::string_view text, bool in_brackets) noexcept {
  constexpr std::string_view kAddress = "0123456789abcdefABCDEF:.";
  constexpr std::string_view kPlainMarks = "-._~%!$&'()*+,;=";
  if (in_brackets) return text.contains(':') && text.find_first_not_of(kAddress) == text.npos;
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return ascii::is_alphanumeric(c) || kPlainMarks.contains(c);
  });
}

std::unexpected<Error> not_a_url(std::string_view text) {
  return fail(Errc::invalid_argument, "not a URL: " + std::string(text), std::string(text));
}

}  // namespace

std::string Url::authority() const {
  if (scheme == "unix") return "localhost";
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == std::to_string(default_port(scheme)) ? name : name + ":" + port;
}

Result<Url> parse_url(std::string_view text) {
  const bool printable =
      std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (!printable) return not_a_url(text);
  if (text.starts_with("unix:") && text.size() > 5) {
    return Url{.scheme = "unix", .host = std::string(text.substr(5)), .port = {}, .target = "/"};
  }
  const auto parts = split_url(text);
  if (!parts) return not_a_url(text);
  Url url;
  for (const std::string_view scheme : kSchemes) {
    if (ascii::iequals(parts->scheme, scheme)) url.scheme = scheme;
  }
  if (url.scheme.empty()) return not_a_url(text);
  const std::string_view authority = parts->authority;
  url.target = parts->rest;
  if (!url.target.starts_with('/')) url.target.insert(url.target.begin(), '/');

  const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos || authority.find('@') != std::string_view::npos) {
    return not_a_url(text);
  }
  const std::size_t port = authority.find(':', bracket);
  url.host = authority.substr(0, port);
  if (bracket > 0) {
    if (url.host.size() != bracket + 1) return not_a_url(text);
    url.host = url.host.substr(1, bracket - 1);
  }
  url.port = port == std::string_view::npos ? std::to_string(default_port(url.scheme))
                                            : std::string(authority.substr(port + 1));
  if (!is_host(url.host, bracket > 0) || !is_port(url.port)) return not_a_url(text);
  return url;
}

}  // namespace holdfast::net
