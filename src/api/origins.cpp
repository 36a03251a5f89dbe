// Parses web origins and decides which ones are allowed.

#include <algorithm>
#include <array>
#include <charconv>

#include <arpa/inet.h>

#include <holdfast/api/origins.hpp>
#include <holdfast/base/ascii.hpp>
#include <holdfast/base/url.hpp>

namespace holdfast::api {
namespace {

// RFC 3986 section 3.1.
bool is_scheme(std::string_view text) {
  return !text.empty() && ascii::is_letter(text.front()) && std::ranges::all_of(text, [](char c) {
    return ascii::is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
  });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// An IPv6 address in brackets, as browsers write it.
std::optional<std::string> parse_bracketed(std::string_view text) {
  const std::string inside(text.substr(1, text.size() - 2));
  in6_addr address{};
  if (inet_pton(AF_INET6, inside.c_str(), &address) != 1) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> out{};
  inet_ntop(AF_INET6, &address, out.data(), out.size());
  return '[' + std::string(out.data()) + ']';
}

// WHATWG URL, "ends in a number": browsers read such a host as an IPv4 address, and send its four
// parts as decimal numbers.
bool is_misspelled_address(const std::string& host) {
  std::string_view last = host;
  if (last.ends_with('.')) last.remove_suffix(1);
  last = last.substr(last.rfind('.') + 1);
  const bool number = (!last.empty() && std::ranges::all_of(last, ascii::is_digit)) ||
                      (last.starts_with("0x") && std::ranges::all_of(last.substr(2), [](char c) {
                         return ascii::hex_value(c) >= 0;
                       }));
  in_addr address{};
  return number && inet_pton(AF_INET, host.c_str(), &address) != 1;
}

std::optional<std::string> parse_host(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text.front() == '[') {
    return text.size() > 2 && text.back() == ']' ? parse_bracketed(text) : std::nullopt;
  }
  const bool plain = std::ranges::all_of(text, [](char c) {
    return ascii::is_alphanumeric(c) || std::string_view("-._~").contains(c);
  });
  std::string host = ascii::to_lower(text);
  if (!plain || is_misspelled_address(host)) return std::nullopt;
  // A name is the same with the root's dot behind it.
  if (host.ends_with('.')) host.pop_back();
  if (host.empty()) return std::nullopt;
  return host;
}

struct Authority {
  std::string host;
  std::uint16_t port = 0;  ///< 0: none is named
};

std::optional<Authority> parse_authority(std::string_view text) {
  Authority out;
  if (const std::size_t colon = port_colon(text); colon != std::string_view::npos) {
    const auto port = parse_port(text.substr(colon + 1));
    if (!port || *port == 0) return std::nullopt;
    out.port = *port;
    text = text.substr(0, colon);
  }
  auto host = parse_host(text);
  if (!host) return std::nullopt;
  out.host = std::move(*host);
  return out;
}

bool is_any_default_port(std::uint16_t port) {
  return port == default_port("http") || port == default_port("https");
}

// An Origin as a program wrote it; each part may be missing.
struct LooseOrigin {
  std::string scheme;
  std::string_view authority;
};

LooseOrigin split_loosely(std::string_view text) {
  LooseOrigin out;
  const std::size_t slashes = text.find("//");
  if (slashes != std::string_view::npos && (slashes == 0 || text[slashes - 1] == ':')) {
    if (slashes > 0) out.scheme = ascii::to_lower(text.substr(0, slashes - 1));
    text.remove_prefix(slashes + 2);
  }
  out.authority = text.substr(0, text.find_first_of("/?#"));
  return out;
}

// Returns whether both have the same host, and ports that do not differ.
bool is_same_host(const Authority& origin, const Authority& host) {
  if (origin.host != host.host) return false;
  if (origin.port == 0 || origin.port == host.port) return true;
  return host.port == 0 && is_any_default_port(origin.port);
}

}  // namespace

std::optional<Origin> parse_origin(std::string_view text) {
  // Of apps whose pages are files in them: a file has no host.
  if (text == "file://") return Origin{.scheme = "file", .host = {}};
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon))) return std::nullopt;
  auto authority = parse_authority(text.substr(colon + 3));
  if (!authority) return std::nullopt;
  Origin out{.scheme = ascii::to_lower(text.substr(0, colon)),
             .host = std::move(authority->host),
             .port = authority->port};
  if (out.port == default_port(out.scheme)) out.port = 0;
  return out;
}

AllowedOrigins::AllowedOrigins(const std::vector<std::string>& entries, std::string_view own)
    : own_(parse_origin(own)) {
  if (own_) listed_.push_back(*own_);
  for (const std::string& entry : entries) {
    if (entry == "*") {
      all_ = true;
    } else if (auto origin = parse_origin(entry)) {
      listed_.push_back(std::move(*origin));
    }
  }
}

bool AllowedOrigins::allow_page(std::string_view text, std::string_view host) const {
  if (all_) return true;
  text = ascii::trim(text);
  if (text.ends_with('/') && !text.ends_with("//")) text.remove_suffix(1);
  const auto origin = parse_origin(text);
  if (!origin) return false;
  if (std::ranges::find(listed_, *origin) != listed_.end()) return true;
  if (origin->scheme != "http" && origin->scheme != "https") return false;
  // A proxy may speak TLS for us: the scheme does not count.
  const auto own = parse_authority(ascii::trim(host));
  const std::uint16_t port = default_port(origin->scheme);
  return own && own->host == origin->host &&
         (own->port == 0 ? port : own->port) == (origin->port == 0 ? port : origin->port);
}

bool AllowedOrigins::allow_client(std::string_view text, std::string_view host) const {
  if (allow_page(text, host)) return true;
  const LooseOrigin origin = split_loosely(ascii::trim(text));
  // Pages in apps and browsers' extensions have schemes of their own.
  if (!origin.scheme.empty() && default_port(origin.scheme) == 0) return false;
  if (origin.authority.empty()) return true;
  if (origin.scheme.empty() && origin.authority == "null") return false;
  const auto named = parse_authority(origin.authority);
  if (!named) return false;
  // A proxy may ask under a name of its own.
  if (own_ && is_same_host(*named, {.host = own_->host, .port = own_->port})) return true;
  const auto asked = parse_authority(ascii::trim(host));
  return asked && is_same_host(*named, *asked);
}

}  // namespace holdfast::api
