// What the strings of a configuration must be.

#include "text_rules.hpp"

#include <algorithm>
#include <charconv>
#include <regex>
#include <utility>

#include <holdfast/api/origins.hpp>
#include <holdfast/base/ascii.hpp>
#include <holdfast/net/trusted_proxies.hpp>

namespace holdfast::app {
namespace {

constexpr std::size_t kPathBytesMax = 4096;  // PATH_MAX, with its terminator

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  int port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + (c - '0');
  }
  return port <= 65'535;
}

std::optional<std::string> refuse_address(std::string_view value) {
  constexpr const char* kForm = "must be HOST:PORT, [IPv6]:PORT or unix:/PATH";
  if (value.starts_with("unix:")) {
    if (value.size() > 5 && value[5] == '/' && value.size() - 5 < kPathBytesMax) {
      return std::nullopt;
    }
    return kForm;
  }
  const auto colon = value.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || !is_port(value.substr(colon + 1))) {
    return kForm;
  }
  const std::string_view host = value.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  if (!bracketed && host.find_first_of(":[] /") != std::string_view::npos) return kForm;
  return std::nullopt;
}

std::optional<std::string> refuse_url(std::string_view value) {
  const bool http = value.starts_with("http://") || value.starts_with("https://");
  const auto host = value.find("//");
  if (!http || value.size() <= host + 2 || value.find_first_of("?# \t") != value.npos ||
      value.ends_with('/')) {
    return "must be an http:// or https:// URL without query, fragment or trailing slash";
  }
  return std::nullopt;
}

std::optional<std::string> refuse_public_url(std::string_view value) {
  return value.empty() ? std::nullopt : refuse_url(value);
}

std::optional<std::string> refuse_origin(std::string_view value) {
  if (value == "*" || api::parse_origin(value)) return std::nullopt;
  if (value.contains('*')) {
    return "must name each host: a pattern such as https://*.example.com matches nothing";
  }
  return "must be an origin as browsers send it (scheme://host or scheme://host:port) or *";
}

std::optional<std::string> refuse_public_origin(std::string_view value) {
  if (value.empty()) return std::nullopt;
  if (refuse_url(value) || !api::parse_origin(value)) {
    return "must be an origin (scheme://host or scheme://host:port)";
  }
  return std::nullopt;
}

std::optional<std::string> refuse_host(std::string_view value) {
  const bool address = value.size() > 2 && value.starts_with('[') && value.ends_with(']');
  const std::string_view inside = address ? value.substr(1, value.size() - 2) : value;
  const std::string_view marks = address ? ".:" : "-._";
  const bool plain = std::ranges::all_of(
      inside, [marks](char c) { return ascii::is_alphanumeric(c) || marks.contains(c); });
  if (plain && !inside.empty() && inside.size() <= 253) return std::nullopt;
  return "must hold names or addresses without a port";
}

// `m=19456,t=2,p=1`: within what a sign-in may cost.
bool is_argon2_cost(std::string_view text) {
  constexpr std::pair<std::string_view, unsigned> bounds[] = {
      {"m=", 1U << 20}, {",t=", 100}, {",p=", 16}};
  for (const auto& [name, max] : bounds) {
    if (!text.starts_with(name)) return false;
    text.remove_prefix(name.size());
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number == 0 || number > max) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return text.empty();
}

// The PHC string format (https://github.com/P-H-C/phc-string-format).
std::optional<std::string> refuse_password_hash(std::string_view value) {
  constexpr std::string_view kStart = "$argon2id$v=19$";
  if (value.empty()) return std::nullopt;
  const bool begun = value.starts_with(kStart) && value.size() <= 512;
  const std::string_view rest = begun ? value.substr(kStart.size()) : std::string_view();
  const auto salt = rest.find('$');
  const auto hash = salt == rest.npos ? rest.npos : rest.find('$', salt + 1);
  const auto is_base64 = [](std::string_view text) {
    return text.size() >= 11 && std::ranges::all_of(text, [](char c) {
             return ascii::is_alphanumeric(c) || c == '+' || c == '/';
           });
  };
  if (hash != rest.npos && is_argon2_cost(rest.substr(0, salt)) &&
      is_base64(rest.substr(salt + 1, hash - salt - 1)) && is_base64(rest.substr(hash + 1))) {
    return std::nullopt;
  }
  return "must be an Argon2id hash, as `holdfast console --hash-password` makes it";
}

std::optional<std::string> refuse_word(std::string_view value) {
  if (!value.empty() && !value.contains('\0') && value.size() <= 4'096) return std::nullopt;
  return "must be 1 to 4096 characters without NUL";
}

std::optional<std::string> refuse_network(std::string_view value) {
  if (net::TrustedProxies::parse({std::string(value)})) return std::nullopt;
  return "must hold addresses, networks (10.0.0.0/8, fd00::/8) or unix";
}

std::optional<std::string> refuse_ciphers(std::string_view value) {
  const bool printable = std::ranges::all_of(value, [](char c) { return c > ' ' && c < 0x7f; });
  if (printable && !value.empty() && value.size() <= 4'096) return std::nullopt;
  return "must be a cipher list in OpenSSL's form";
}

constexpr char kAccountPattern[] = "^[0-9]{12}$";
constexpr char kAccountWords[] = "must be 12 digits";
constexpr char kNamePattern[] = "^[A-Za-z0-9_-]{1,64}$";
constexpr char kNameWords[] = "must be 1 to 64 letters, digits, '-' or '_'";
// API Gateway's default stage has a name that no other may have.
constexpr char kStagePattern[] = R"(^([A-Za-z0-9_-]{1,64}|\$default)$)";
constexpr char kStageWords[] = "must be $default, or 1 to 64 letters, digits, '-' or '_'";
constexpr char kStackNamePattern[] = "^[A-Za-z][A-Za-z0-9-]{0,127}$";
constexpr char kStackNameWords[] = "must be 1 to 128 letters, digits or '-', a letter first";
constexpr char kServiceNamePattern[] = "^[!-~]{1,128}$";
constexpr char kServiceNameWords[] = "must be 1 to 128 printable ASCII characters without spaces";
// Modes as `chmod` has them: nothing but reading and writing, and never less than the owner's.
constexpr char kModePattern[] = "^06[0246]{2}$";
constexpr char kModeWords[] = "must be a mode from \"0600\" to \"0666\"";

// Refuses by the schema's own expression, which says all of such a rule.
template <const auto& kPattern, const auto& kWords>
std::optional<std::string> refuse_other(std::string_view value) {
  // The library recurses with each character, and no longer value is right.
  constexpr std::size_t kLongest = 128;
  static const std::regex expression(kPattern);
  if (value.size() <= kLongest && std::regex_match(value.begin(), value.end(), expression)) {
    return std::nullopt;
  }
  return kWords;
}
template <const auto& kPattern, const auto& kWords>
constexpr TextRule kRuleOf{refuse_other<kPattern, kWords>, kPattern};

}  // namespace

std::optional<std::string> accept_any(std::string_view /*value*/) { return std::nullopt; }

#define HOLDFAST_PORT \
  "([0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#define HOLDFAST_URL "https?://[^?# \\t]*[^?# \\t/]"
#define HOLDFAST_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
// As `api::parse_origin` has it, but for the inside of brackets.
#define HOLDFAST_AUTHORITY                                                                                    \
  R"(((?!([A-Za-z0-9._~-]*\.)?([0-9]+|0[Xx][0-9A-Fa-f]*)\.?(:|$))(?!\.(:|$))[A-Za-z0-9._~-]+|)" HOLDFAST_BYTE \
  R"((\.)" HOLDFAST_BYTE R"(){3}|\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]))"                                         \
  "(:0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
const TextRule kAnyText{accept_any, ""};
const TextRule kCiphers{refuse_ciphers, "^[!-~]{1,4096}$"};
const TextRule kAddress{
    refuse_address,
    R"(^(unix:/[\s\S]{0,4094}|(?!unix:)([^:\[\] /]+|\[[\s\S]+\]):)" HOLDFAST_PORT ")$"};
const TextRule kUrl{refuse_url, "^" HOLDFAST_URL "$"};
const TextRule kPublicUrl{refuse_public_url, "^(" HOLDFAST_URL ")?$"};
const TextRule kOrigin{refuse_origin,
                       R"(^(\*|file://|[A-Za-z][A-Za-z0-9+.-]*://)" HOLDFAST_AUTHORITY ")$"};
const TextRule kPublicOrigin{refuse_public_origin, "^(https?://" HOLDFAST_AUTHORITY ")?$"};
const TextRule kHost{refuse_host, R"(^([A-Za-z0-9._-]+|\[[A-Za-z0-9:._-]*\])$)"};
const TextRule kPasswordHash{
    refuse_password_hash,
    R"(^(\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{11,})?$)"};
const TextRule kAccount = kRuleOf<kAccountPattern, kAccountWords>;
const TextRule kName = kRuleOf<kNamePattern, kNameWords>;
const TextRule kStage = kRuleOf<kStagePattern, kStageWords>;
const TextRule kStackName = kRuleOf<kStackNamePattern, kStackNameWords>;
const TextRule kServiceName = kRuleOf<kServiceNamePattern, kServiceNameWords>;
const TextRule kWord{refuse_word, R"([\s\S])"};
const TextRule kNetwork{refuse_network, R"([\s\S])"};
const TextRule kMode = kRuleOf<kModePattern, kModeWords>;
#undef HOLDFAST_PORT
#undef HOLDFAST_BYTE
#undef HOLDFAST_AUTHORITY
#undef HOLDFAST_URL

}  // namespace holdfast::app
