#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <holdfast/base/ascii.hpp>
#include <holdfast/net/client.hpp>

namespace holdfast::net {
namespace {

struct Scheme {
  std::string_view name;
  std::string_view port;
};
constexpr std::array<Scheme, 4> kSchemes{
    {{"http", "80"}, {"https", "443"}, {"ws", "80"}, {"wss", "443"}}};

std::string_view default_port(std::string_view scheme) noexcept {
  const auto* const found =
      std::ranges::find_if(kSchemes, [scheme](const Scheme& s) { return s.name == scheme; });
  return found == kSchemes.end() ? std::string_view() : found->port;
}

bool is_port(std::string_view text) noexcept {
  std::uint32_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && stopped == end && port > 0 && port <= 65535;
}

// RFC 3986 section 3.2.2; what stands in brackets is an IPv6 address.
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
  return port == default_port(scheme) ? name : name + ":" + port;
}

Result<Url> parse_url(std::string_view text) {
  const bool printable =
      std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (!printable) return not_a_url(text);
  if (text.starts_with("unix:") && text.size() > 5) {
    return Url{.scheme = "unix", .host = std::string(text.substr(5)), .port = {}, .target = "/"};
  }
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return not_a_url(text);
  Url url;
  for (const Scheme& scheme : kSchemes) {
    if (ascii::iequals(text.substr(0, colon), scheme.name)) url.scheme = scheme.name;
  }
  if (url.scheme.empty()) return not_a_url(text);
  std::string_view rest = text.substr(colon + 3);
  const std::size_t path = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, path);
  url.target = path == std::string_view::npos ? std::string_view("/") : rest.substr(path);
  if (url.target.front() == '?') url.target.insert(url.target.begin(), '/');

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
  url.port = port == std::string_view::npos ? default_port(url.scheme) : authority.substr(port + 1);
  if (!is_host(url.host, bracket > 0) || !is_port(url.port)) return not_a_url(text);
  return url;
}

}  // namespace holdfast::net
