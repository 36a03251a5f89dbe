// Checks that a request comes from the console's own page.

#include "console_guard.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/url.hpp>
#include <holdfast/control/service.hpp>

namespace holdfast::control {
namespace {

// The host of an authority: without the port, and without the dot that ends a full name.
std::string host_of(std::string_view authority) {
  std::string host = ascii::to_lower(authority.substr(0, port_colon(authority)));
  if (host.ends_with('.')) host.pop_back();
  return host;
}

std::string_view authority_of(std::string_view url) {
  const auto parts = split_url(url);
  return parts ? parts->authority : std::string_view();
}

// Returns whether a host is an address. URLs treat digits and dots as an address, never as a name.
bool is_address(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) return true;
  return !host.empty() &&
         std::ranges::all_of(host, [](char c) { return ascii::is_digit(c) || c == '.'; });
}

// A scheme of which the port is known is one of two: no other is ever an origin of ours.
std::string_view without_own_port(std::string_view origin) {
  return without_default_port(origin, origin.starts_with("https:") ? "https" : "http");
}

bool is_source(std::string_view authority) {
  return !authority.empty() && std::ranges::all_of(authority, [](char c) {
    return ascii::is_alphanumeric(c) || std::string_view("-._:[]").contains(c);
  });
}

}  // namespace

bool names_public_host(const ConsoleOptions& options, const net::RequestHead& head) {
  const std::string* const value = head.header("Host");
  return value != nullptr && !options.public_origin.empty() &&
         host_of(*value) == host_of(authority_of(options.public_origin));
}

bool is_own_host(const ConsoleOptions& options, const net::RequestHead& head) {
  const std::string* const value = head.header("Host");
  if (value == nullptr) return false;
  const std::string host = host_of(*value);
  if (options.any_address && is_address(host)) return true;
  if (names_public_host(options, head)) return true;
  return std::ranges::any_of(
      options.hosts, [&host](const std::string& own) { return ascii::to_lower(own) == host; });
}

std::function<bool(const net::RequestHead&)> make_host_check(std::vector<std::string> hosts) {
  for (std::string& host : hosts) host = ascii::to_lower(host);
  return [hosts = std::move(hosts)](const net::RequestHead& head) {
    const std::string* const value = head.header("Host");
    const std::string host = value == nullptr ? std::string() : host_of(*value);
    return host.empty() || is_address(host) || std::ranges::find(hosts, host) != hosts.end();
  };
}

bool is_own_page(const ConsoleOptions& options, const net::RequestHead& head) {
  const std::string* const site = head.header("Sec-Fetch-Site");
  if (site != nullptr && *site != "same-origin") return false;
  const std::string* const value = head.header("Origin");
  if (value == nullptr) return head.method == "GET";
  const std::string text = ascii::to_lower(*value);
  const std::string_view origin = without_own_port(text);
  if (!options.public_origin.empty() &&
      origin == without_own_port(ascii::to_lower(options.public_origin))) {
    return true;
  }
  const std::string* const host = head.header("Host");
  const std::string scheme = head.secure ? "https://" : "http://";
  return host != nullptr && origin == without_own_port(scheme + ascii::to_lower(*host));
}

std::string content_security_policy(const std::vector<std::string>& gateway_urls) {
  std::string connect = "'self'";
  for (const std::string& url : gateway_urls) {
    const std::string_view authority = authority_of(url);
    if (!is_source(authority)) continue;
    const bool secure = url.starts_with("https:");
    connect.append(secure ? " https://" : " http://").append(authority);
    connect.append(secure ? " wss://" : " ws://").append(authority);
  }
  return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
         "connect-src " +
         connect +
         "; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
         "require-trusted-types-for 'script'; trusted-types 'none'";
}

void add_security_headers(net::Response& response, const std::string& policy) {
  response.headers.insert(
      response.headers.end(),
      {{"Content-Security-Policy", policy},
       {"X-Content-Type-Options", "nosniff"},
       {"X-Frame-Options", "DENY"},
       {"Referrer-Policy", "no-referrer"},
       {"Cross-Origin-Opener-Policy", "same-origin"},
       {"Cross-Origin-Resource-Policy", "same-origin"},
       {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"}});
}

std::vector<std::string_view> cookies(const net::RequestHead& head, std::string_view name) {
  std::vector<std::string_view> out;
  for (const auto& [header, value] : head.headers) {
    if (!ascii::iequals(header, "cookie")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      pair.remove_prefix(std::min(pair.find_first_not_of(" \t"), pair.size()));
      const std::size_t equals = pair.find('=');
      if (equals != pair.npos && pair.substr(0, equals) == name) {
        out.push_back(pair.substr(equals + 1));
      }
    }
  }
  return out;
}

}  // namespace holdfast::control
