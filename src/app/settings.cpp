#include "settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <type_traits>
#include <utility>

#include <holdfast/api/origins.hpp>
#include <holdfast/base/ascii.hpp>

namespace holdfast::app {
namespace {

constexpr std::int64_t kKiB = 1 << 10;
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kGiB = 1 << 30;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDaySeconds = std::int64_t{24} * 3600;
constexpr std::size_t kPathBytesMax = 4096;  // PATH_MAX, with its terminator

template <class Enum>
struct Names;
template <>
struct Names<delivery::Policy> {
  static constexpr std::array values{std::pair{"all", delivery::Policy::all},
                                     std::pair{"latest", delivery::Policy::latest}};
};
template <>
struct Names<delivery::Acknowledge> {
  static constexpr std::array values{std::pair{"pong", delivery::Acknowledge::pong},
                                     std::pair{"client", delivery::Acknowledge::client}};
};
template <>
struct Names<delivery::FrameFormat> {
  static constexpr std::array values{std::pair{"payload", delivery::FrameFormat::payload},
                                     std::pair{"raw", delivery::FrameFormat::raw}};
};
template <>
struct Names<log::Level> {
  static constexpr std::array values{
      std::pair{"debug", log::Level::debug}, std::pair{"info", log::Level::info},
      std::pair{"warn", log::Level::warn}, std::pair{"error", log::Level::error}};
};

// What a string must be: for the program, and as far as a regular expression can say it (ECMA-262)
// for the schema. A test holds them together.
struct TextRule {
  std::optional<std::string> (*refuse)(std::string_view) = nullptr;
  std::string_view pattern;
};

template <class T>
std::int64_t to_number(const T& value) {
  if constexpr (std::integral<T>) {
    return static_cast<std::int64_t>(value);
  } else {
    return value.count();
  }
}

// A field is named by a closure without captures, so that one row reads, writes and documents it.
#define HOLDFAST_FIELD(path) ([](auto& config) -> auto& { return config.path; })

template <class Field>
Setting integer(std::string_view key, Field /*field*/, std::int64_t min, std::int64_t max,
                std::string_view doc, bool live = false) {
  Setting s;
  s.key = key;
  s.type = SettingType::integer;
  s.live = live;
  s.min = min;
  s.max = max;
  s.doc = doc;
  s.read = [](const Config& config) { return Json(to_number(Field{}(config))); };
  s.write = [](Config& config, const Json& value) {
    auto& field = Field{}(config);
    field = std::remove_reference_t<decltype(field)>(value.get<std::int64_t>());
  };
  return s;
}

// A time that is configured in days.
template <class Field>
Setting days(std::string_view key, Field /*field*/, std::int64_t min, std::int64_t max,
             std::string_view doc, bool live = false) {
  Setting s = integer(key, Field{}, min, max, doc, live);
  s.read = [](const Config& config) { return Json(Field{}(config).count() / kDaySeconds); };
  s.write = [](Config& config, const Json& value) {
    Field{}(config) = Seconds(value.get<std::int64_t>() * kDaySeconds);
  };
  return s;
}

template <class Field>
Setting boolean(std::string_view key, Field /*field*/, std::string_view doc, bool live = false) {
  Setting s;
  s.key = key;
  s.type = SettingType::boolean;
  s.live = live;
  s.doc = doc;
  s.read = [](const Config& config) { return Json(Field{}(config)); };
  s.write = [](Config& config, const Json& value) { Field{}(config) = value.get<bool>(); };
  return s;
}

template <class Field>
Setting text(std::string_view key, Field /*field*/, const TextRule& rule, std::string_view doc,
             bool live = false) {
  Setting s;
  s.key = key;
  s.type = SettingType::text;
  s.refuse = rule.refuse;
  s.pattern = rule.pattern;
  s.live = live;
  s.doc = doc;
  s.read = [](const Config& config) { return Json(Field{}(config)); };
  s.write = [](Config& config, const Json& value) { Field{}(config) = value.get<std::string>(); };
  return s;
}

template <class Field>
Setting texts(std::string_view key, Field /*field*/, const TextRule& rule, std::string_view doc,
              bool live = false) {
  Setting s;
  s.key = key;
  s.type = SettingType::texts;
  s.refuse = rule.refuse;
  s.pattern = rule.pattern;
  s.live = live;
  s.doc = doc;
  s.read = [](const Config& config) { return Json(Field{}(config)); };
  s.write = [](Config& config, const Json& value) {
    Field{}(config) = value.get<std::vector<std::string>>();
  };
  return s;
}

template <class Field>
Setting choice(std::string_view key, Field /*field*/, std::string_view doc, bool live = false) {
  using Enum = std::remove_cvref_t<decltype(Field{}(std::declval<Config&>()))>;
  Setting s;
  s.key = key;
  s.type = SettingType::choice;
  s.live = live;
  s.doc = doc;
  for (const auto& [name, value] : Names<Enum>::values) s.choices.emplace_back(name);
  s.read = [](const Config& config) {
    const auto& names = Names<Enum>::values;
    return Json(std::ranges::find(names, Field{}(config), [](const auto& pair) {
                  return pair.second;
                })->first);
  };
  s.write = [](Config& config, const Json& value) {
    for (const auto& [name, candidate] : Names<Enum>::values) {
      if (value.get_ref<const std::string&>() == name) Field{}(config) = candidate;
    }
  };
  return s;
}

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

std::optional<std::string> refuse_account(std::string_view value) {
  const bool digits = std::ranges::all_of(value, ascii::is_digit);
  if (value.size() == 12 && digits) return std::nullopt;
  return "must be 12 digits";
}

std::optional<std::string> refuse_name(std::string_view value) {
  const bool plain = std::ranges::all_of(
      value, [](char c) { return ascii::is_alphanumeric(c) || c == '-' || c == '_'; });
  if (plain && !value.empty() && value.size() <= 64) return std::nullopt;
  return "must be 1 to 64 letters, digits, '-' or '_'";
}

// API Gateway's default stage has a name that no other may have.
std::optional<std::string> refuse_stage(std::string_view value) {
  if (value == "$default") return std::nullopt;
  if (!refuse_name(value)) return std::nullopt;
  return "must be $default, or 1 to 64 letters, digits, '-' or '_'";
}

std::optional<std::string> refuse_stack_name(std::string_view value) {
  const bool plain =
      std::ranges::all_of(value, [](char c) { return ascii::is_alphanumeric(c) || c == '-'; });
  if (plain && !value.empty() && value.size() <= 128 && ascii::is_letter(value.front())) {
    return std::nullopt;
  }
  return "must be 1 to 128 letters, digits or '-', a letter first";
}

std::optional<std::string> refuse_service_name(std::string_view value) {
  const bool printable = std::ranges::all_of(value, [](char c) { return c > ' ' && c < 0x7f; });
  if (printable && !value.empty() && value.size() <= 128) return std::nullopt;
  return "must be 1 to 128 printable ASCII characters without spaces";
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

std::optional<std::string> accept_any(std::string_view /*value*/) { return std::nullopt; }

// Modes as `chmod` has them: nothing but reading and writing, and never less than the owner's.
std::optional<std::string> refuse_mode(std::string_view value) {
  const bool octal =
      value.size() == 4 && value.starts_with("06") && value.find_first_not_of("0246") == value.npos;
  return octal ? std::nullopt : std::optional("must be a mode from \"0600\" to \"0666\"");
}

#define HOLDFAST_PORT \
  "([0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#define HOLDFAST_URL "https?://[^?# \\t]*[^?# \\t/]"
#define HOLDFAST_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
// As `api::parse_origin` has it, but for the inside of brackets.
#define HOLDFAST_AUTHORITY                                                                                    \
  R"(((?!([A-Za-z0-9._~-]*\.)?([0-9]+|0[Xx][0-9A-Fa-f]*)\.?(:|$))(?!\.(:|$))[A-Za-z0-9._~-]+|)" HOLDFAST_BYTE \
  R"((\.)" HOLDFAST_BYTE R"(){3}|\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]))"                                         \
  "(:0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
constexpr TextRule kAnyText{accept_any, ""};
constexpr TextRule kCiphers{refuse_ciphers, "^[!-~]{1,4096}$"};
constexpr TextRule kAddress{
    refuse_address,
    R"(^(unix:/[\s\S]{0,4094}|(?!unix:)([^:\[\] /]+|\[[\s\S]+\]):)" HOLDFAST_PORT ")$"};
constexpr TextRule kUrl{refuse_url, "^" HOLDFAST_URL "$"};
constexpr TextRule kPublicUrl{refuse_public_url, "^(" HOLDFAST_URL ")?$"};
constexpr TextRule kOrigin{refuse_origin,
                           R"(^(\*|file://|[A-Za-z][A-Za-z0-9+.-]*://)" HOLDFAST_AUTHORITY ")$"};
constexpr TextRule kPublicOrigin{refuse_public_origin, "^(https?://" HOLDFAST_AUTHORITY ")?$"};
constexpr TextRule kHost{refuse_host, R"(^([A-Za-z0-9._-]+|\[[A-Za-z0-9:._-]*\])$)"};
constexpr TextRule kPasswordHash{
    refuse_password_hash,
    R"(^(\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{11,})?$)"};
constexpr TextRule kAccount{refuse_account, "^[0-9]{12}$"};
constexpr TextRule kName{refuse_name, "^[A-Za-z0-9_-]{1,64}$"};
constexpr TextRule kStage{refuse_stage, R"(^([A-Za-z0-9_-]{1,64}|\$default)$)"};
constexpr TextRule kStackName{refuse_stack_name, "^[A-Za-z][A-Za-z0-9-]{0,127}$"};
constexpr TextRule kServiceName{refuse_service_name, "^[!-~]{1,128}$"};
constexpr TextRule kWord{refuse_word, R"([\s\S])"};
constexpr TextRule kNetwork{refuse_network, R"([\s\S])"};
constexpr TextRule kMode{refuse_mode, "^06[0246]{2}$"};
#undef HOLDFAST_PORT
#undef HOLDFAST_BYTE
#undef HOLDFAST_AUTHORITY
#undef HOLDFAST_URL

constexpr std::string_view kControlPart = "control";
constexpr std::pair<std::string_view, bool api::ServedParts::*> kParts[] = {
    {"ingest", &api::ServedParts::ingest},         {"websocket", &api::ServedParts::websocket},
    {"tokens", &api::ServedParts::tokens},         {"login", &api::ServedParts::login},
    {"management", &api::ServedParts::management},
};

Json part_names(const api::ServedParts& parts) {
  Json out = Json::array();
  for (const auto& [name, served] : kParts) {
    if (parts.*served) out.push_back(name);
  }
  return out;
}

api::ServedParts parts_named(const Json& names) {
  api::ServedParts out;
  for (const auto& [name, served] : kParts) {
    out.*served = std::ranges::find(names, Json(name)) != names.end();
  }
  return out;
}

// A member of an object in an array.
Setting member(std::string_view name, SettingType type) {
  Setting s;
  s.key = name;
  s.type = type;
  s.refuse = accept_any;
  return s;
}

Setting parts_member(std::string_view name) {
  Setting s = member(name, SettingType::texts);
  for (const auto& [part, served] : kParts) s.choices.push_back(part);
  return s;
}

// Whoever reaches the control listener is an operator: users' requests do not come there.
std::optional<std::string> refuse_mixed_parts(const Json& listener) {
  const Json& parts = listener["parts"];
  const bool controls = std::ranges::find(parts, Json(kControlPart)) != parts.end();
  if (parts.empty()) return "needs a part";
  if (controls && parts.size() > 1) return R"(must serve nothing else beside "control")";
  return std::nullopt;
}

Config::Listener listener_of(const Json& object) {
  const auto text = [&object](const char* name) { return object.value(name, std::string()); };
  return {
      .address = text("address"),
      .parts = parts_named(object["parts"]),
      .control = object["parts"].front() == kControlPart,
      .proxy_protocol = object.value("proxy_protocol", false),
      .tls = {.certificate_file = text("certificate"),
              .key_file = text("key"),
              .client_ca_file = text("client_ca"),
              .client_certificate_required = object.value("client_certificate_required", false)}};
}

// What is wrong with one of them beyond its members' types.
std::optional<std::string> refuse_listener(const Json& listener) {
  if (const auto wrong = refuse_mixed_parts(listener)) return wrong;
  const Config::Listener made = listener_of(listener);
  const bool certified = !made.tls.certificate_file.empty();
  if (certified && made.address.starts_with("unix:")) return "cannot speak TLS on a Unix socket";
  if (certified != !made.tls.key_file.empty()) return "needs certificate and key, or neither";
  if (!made.tls.client_ca_file.empty() && !certified) return "client_ca needs certificate";
  if (made.tls.client_certificate_required && made.tls.client_ca_file.empty()) {
    return "client_certificate_required needs client_ca";
  }
  return std::nullopt;
}

Json listener_json(const Config::Listener& listener) {
  Json out = {
      {"address", listener.address},
      {"parts", listener.control ? Json::array({kControlPart}) : part_names(listener.parts)}};
  const auto put = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  put("certificate", listener.tls.certificate_file);
  put("key", listener.tls.key_file);
  put("client_ca", listener.tls.client_ca_file);
  if (listener.tls.client_certificate_required) out["client_certificate_required"] = true;
  if (listener.proxy_protocol) out["proxy_protocol"] = true;
  return out;
}

Setting parts_setting() {
  Setting s = parts_member("server.parts");
  s.doc =
      "The parts that `server.listen` serves: `ingest` (messages), `websocket`, `tokens`, `login` "
      "(the user pool and its keys), `management` (@connections, CloudFormation). Paths of other "
      "parts are unknown paths.";
  s.read = [](const Config& config) { return part_names(config.server.parts); };
  s.write = [](Config& config, const Json& value) { config.server.parts = parts_named(value); };
  return s;
}

Setting listeners_setting() {
  Setting s = member("server.listeners", SettingType::objects);
  s.doc =
      "More listeners. Each is an object with `address`, `parts` (as in `server.parts`, or only "
      "`control`), `proxy_protocol` (as `server.proxy_protocol`), and for TLS `certificate`, "
      "`key`, `client_ca` and `client_certificate_required` (as the keys of `tls`).";
  Setting parts = parts_member("parts");
  parts.choices.push_back(kControlPart);
  s.fields = {member("address", SettingType::text),
              std::move(parts),
              member("certificate", SettingType::text),
              member("key", SettingType::text),
              member("client_ca", SettingType::text),
              member("client_certificate_required", SettingType::boolean),
              member("proxy_protocol", SettingType::boolean)};
  s.fields[0].required = s.fields[1].required = true;
  s.fields[0].refuse = kAddress.refuse;
  s.fields[0].pattern = kAddress.pattern;
  s.refuse_object = refuse_listener;
  s.read = [](const Config& config) {
    Json out = Json::array();
    for (const auto& listener : config.server.listeners) out.push_back(listener_json(listener));
    return out;
  };
  s.write = [](Config& config, const Json& value) {
    config.server.listeners.clear();
    for (const Json& object : value) config.server.listeners.push_back(listener_of(object));
  };
  return s;
}

void add_server(std::vector<Setting>& t) {
  t.push_back(text("server.listen", HOLDFAST_FIELD(server.listen), kAddress,
                   "Address of the gateway: producers, clients and logins. Port 0 picks a free "
                   "one; `unix:/PATH` is a Unix socket."));
  t.push_back(parts_setting());
  t.push_back(
      text("server.control_listen", HOLDFAST_FIELD(server.control_listen), kAddress,
           "Address of the control listener: health, metrics and the console. Do not expose it."));
  t.push_back(listeners_setting());
  t.push_back(text("server.unix_socket_mode", HOLDFAST_FIELD(server.unix_socket_mode), kMode,
                   "File mode of Unix sockets that serve the gateway's parts, for proxies that run "
                   "as another user. `control.sock` and control listeners always have 0600."));
  t.push_back(integer("server.workers", HOLDFAST_FIELD(server.workers), 0, 256,
                      "Threads that serve connections. 0 means one for each core."));
  t.push_back(text("server.public_url", HOLDFAST_FIELD(server.public_url), kPublicUrl,
                   "URL under which clients reach the gateway. It is part of the issuer of ID "
                   "tokens. Empty: derived from the listen address."));
  t.push_back(texts("server.trusted_proxies", HOLDFAST_FIELD(server.trusted_proxies), kNetwork,
                    "Addresses and networks of proxies. On every listener, only their "
                    "X-Forwarded-For and X-Forwarded-Proto are trusted. `unix` means all peers on "
                    "Unix sockets. The proxy must overwrite both headers."));
  t.push_back(boolean("server.proxy_protocol", HOLDFAST_FIELD(server.proxy_protocol),
                      "Connections to `server.listen` must come from `server.trusted_proxies` and "
                      "begin with the PROXY protocol (version 1 or 2). Others are refused."));
  t.push_back(boolean("server.plain_http_intended", HOLDFAST_FIELD(server.plain_http_intended),
                      "Do not warn about listeners without TLS that other machines can reach. Set "
                      "it if the network is private or encrypted by other means."));
  t.push_back(text("server.documentation_url", HOLDFAST_FIELD(server.documentation_url), kPublicUrl,
                   "URL of these pages. Refusals then link to their entry in `errors.md`, in a "
                   "Link header. Empty: no header.",
                   true));
  t.push_back(text("server.control_public_url", HOLDFAST_FIELD(server.control_public_url),
                   kPublicOrigin,
                   "Origin under which browsers reach the control listener, if it differs from the "
                   "address (`https://ops.example.com`)."));
}

void add_tls(std::vector<Setting>& t) {
  t.push_back(
      text("tls.certificate", HOLDFAST_FIELD(tls.files.certificate_file), kAnyText,
           "PEM file with the certificate and its chain. The gateway's listener then speaks TLS "
           "(1.2 and up), unless it is a Unix socket. Empty: plain HTTP. SIGHUP reloads it."));
  t.push_back(text(
      "tls.key", HOLDFAST_FIELD(tls.files.key_file), kAnyText,
      "PEM file with the certificate's private key, without a passphrase. SIGHUP reloads it."));
  t.push_back(text("tls.client_ca", HOLDFAST_FIELD(tls.files.client_ca_file), kAnyText,
                   "PEM file with the authorities of client certificates. Empty: clients need no "
                   "certificate. SIGHUP reloads it."));
  t.push_back(boolean("tls.client_certificate_required",
                      HOLDFAST_FIELD(tls.files.client_certificate_required),
                      "Refuse clients without a certificate of `tls.client_ca`."));
  t.push_back(boolean("tls.control", HOLDFAST_FIELD(tls.control),
                      "The control listener speaks TLS as well."));
  t.push_back(text("tls.ciphers", HOLDFAST_FIELD(tls.files.ciphers), kCiphers,
                   "Ciphers of TLS 1.2 on every listener, as an OpenSSL cipher list. The ciphers "
                   "of TLS 1.3 are not configurable."));
  t.push_back(
      integer("tls.hsts_seconds", HOLDFAST_FIELD(tls.transport_security), 0, 3'650 * kDaySeconds,
              "Time for which browsers use only TLS for this host name, on all of its ports, after "
              "a visit over TLS (Strict-Transport-Security). 0 sends no such header."));
}

void add_limits(std::vector<Setting>& t) {
  t.push_back(integer(
      "limits.connections", HOLDFAST_FIELD(limits.connections), 1, 10'000'000,
      "Maximum of open connections of each of the gateway's listeners. A further one closes the "
      "connection that has waited longest for a request. If no connection waits, the new one gets "
      "503. The limit on open files may lower the maximum at the start.",
      true));
  t.push_back(integer(
      "limits.connections_per_address", HOLDFAST_FIELD(limits.connections_per_address), 0,
      10'000'000,
      "Maximum of open connections of one client: an IPv4 address, the /64 of an IPv6 address, or "
      "the client that a trusted proxy names. 0 means an eighth of the maximum, at least 16.",
      true));
  t.push_back(integer("limits.message_bytes", HOLDFAST_FIELD(limits.message_bytes), 1, 16 * kMiB,
                      "Maximum length of a message, after unescaping. A longer one gets 413.",
                      true));
  t.push_back(integer("limits.batch_messages", HOLDFAST_FIELD(limits.batch_messages), 1, 10'000,
                      "Maximum of messages in one POST /messages.", true));
  t.push_back(integer("limits.key_requests_per_second",
                      HOLDFAST_FIELD(limits.key_requests_per_second), 0, 1'000'000,
                      "Maximum of signed calls per second of one access key, unless the key has "
                      "its own rate. Further ones get 429. 0 means unlimited.",
                      true));
  t.push_back(integer("limits.presigned_seconds_max", HOLDFAST_FIELD(limits.presigned_max), 1,
                      604'800,
                      "Maximum X-Amz-Expires of a presigned POST or DELETE. The gateway remembers "
                      "the changes of such requests for as long."));
  t.push_back(
      integer("limits.signatures", HOLDFAST_FIELD(limits.signatures), 1'000, 1'000'000'000,
              "Signatures of calls that changed something. They are remembered while they are "
              "valid, so that a repeat changes nothing. An access key may have an eighth of them. "
              "Beyond the limit the oldest are no longer accepted. Each takes about 90 bytes."));
  t.push_back(integer("limits.token_requests_per_second",
                      HOLDFAST_FIELD(limits.token_requests_per_second), 0, 1'000'000,
                      "Maximum of GET /tokens per second of one user, on average. Further ones get "
                      "429. 0 means unlimited.",
                      true));
  t.push_back(integer("limits.token_requests_burst", HOLDFAST_FIELD(limits.token_requests_burst), 1,
                      1'000'000, "Maximum of such calls at once after a pause.", true));
  t.push_back(
      integer("limits.failed_logins_per_address_per_minute",
              HOLDFAST_FIELD(limits.failed_logins_per_address_per_minute), 0, 1'000'000,
              "Maximum of failed logins per minute from one client's address (the /64 of an IPv6 "
              "address), under all names together. The same maximum applies to failed refreshes. "
              "Further ones get TooManyRequestsException. 0 means unlimited.",
              true));
  t.push_back(
      integer("limits.body_bytes", HOLDFAST_FIELD(limits.body_bytes), kKiB, 128 * kMiB,
              "Maximum length of a request's body. A longer one gets 413. It must be at least 4 "
              "KiB plus six times limits.message_bytes, because JSON may escape every byte.",
              true));
  t.push_back(integer("limits.body_bytes_in_flight",
                      HOLDFAST_FIELD(limits.http.body_bytes_in_flight), kMiB, 1'024 * kGiB,
                      "Maximum of bytes of incomplete requests, over all connections of a "
                      "listener: bodies, and header sections counted twice, because two copies are "
                      "kept. A request that needs more gets 503.",
                      true));
  t.push_back(integer("limits.body_bytes_per_address",
                      HOLDFAST_FIELD(limits.body_bytes_per_address), 0, 1'024 * kGiB,
                      "Maximum of such bytes of one client. 0 means an eighth, but at least one "
                      "request of the maximum length.",
                      true));
  t.push_back(integer("limits.header_bytes", HOLDFAST_FIELD(limits.http.header_bytes), kKiB, kMiB,
                      "Maximum length of a request's header section. A longer one gets 431.",
                      true));
  t.push_back(integer("limits.headers", HOLDFAST_FIELD(limits.http.headers), 10, 10'000,
                      "Maximum of header fields of a request. More get 431.", true));
  t.push_back(integer("limits.target_bytes", HOLDFAST_FIELD(limits.http.target_bytes), 256, kMiB,
                      "Maximum length of a request's path and query. Longer ones get 414.", true));
  t.push_back(integer("limits.outbound_bytes", HOLDFAST_FIELD(limits.http.outbound_bytes),
                      64 * kKiB, kGiB,
                      "Maximum of bytes that wait to be written to one WebSocket. Beyond it, the "
                      "WebSocket is ended. It must be at least delivery.credit_bytes plus six "
                      "times limits.message_bytes plus 132 KiB.",
                      true));
  t.push_back(
      integer("limits.header_timeout_ms", HOLDFAST_FIELD(limits.http.header_timeout), 10, kHourMs,
              "Time for a request's header section to arrive. A later one gets 408.", true));
  t.push_back(integer("limits.body_timeout_ms", HOLDFAST_FIELD(limits.http.body_timeout), 10,
                      kHourMs, "Time for a request's body to arrive. A later one gets 408.", true));
  t.push_back(integer("limits.idle_timeout_ms", HOLDFAST_FIELD(limits.http.idle_timeout), 10,
                      kHourMs,
                      "Time that a kept-alive connection may wait between requests. It must exceed "
                      "the same time of a proxy in front (usually 60 s). Otherwise the proxy may "
                      "send a request on a closed connection.",
                      true));
  t.push_back(integer("limits.write_timeout_ms", HOLDFAST_FIELD(limits.http.write_timeout), 10,
                      kHourMs, "Time that the peer has to accept an answer.", true));
  t.push_back(integer("limits.close_timeout_ms", HOLDFAST_FIELD(limits.http.close_timeout), 10,
                      60'000, "Time that a closing WebSocket waits for the peer's Close.", true));
}

void add_delivery_waits(std::vector<Setting>& t) {
  t.push_back(integer(
      "delivery.ack_wait_ms", HOLDFAST_FIELD(delivery.ack_wait), 0, 60'000,
      "Time that a sent message waits for its acknowledgement before it is stored as well.", true));
  t.push_back(integer("delivery.ack_timeout_ms", HOLDFAST_FIELD(delivery.ack_timeout), 100, kHourMs,
                      "A connection that neither acknowledges nor takes bytes for this time is "
                      "closed. Its unacknowledged messages stay pending. Bytes that the network "
                      "has already taken get more time: delivery.least_bytes_per_second.",
                      true));
  t.push_back(integer("delivery.least_bytes_per_second",
                      HOLDFAST_FIELD(delivery.least_bytes_per_second), 64, kGiB,
                      "Minimum rate at which a proxy passes on the bytes that it has taken. The "
                      "time that they need at this rate is added to delivery.ack_timeout_ms.",
                      true));
  t.push_back(integer("delivery.poison_attempts", HOLDFAST_FIELD(delivery.poison_attempts), 0,
                      1'000,
                      "A message becomes a dead letter if this many connections of its user in a "
                      "row end at it. Later messages are then delivered. 0 means never.",
                      true));
  t.push_back(integer("delivery.idle_ping_ms", HOLDFAST_FIELD(delivery.idle_ping), 1'000, kHourMs,
                      "Interval of Pings on a connection without traffic.", true));
  t.push_back(integer(
      "delivery.close_wait_ms", HOLDFAST_FIELD(delivery.close_wait), 0, 60'000,
      "Time that a Close waits for the acknowledgement of earlier messages, also at a shutdown.",
      true));
  t.push_back(choice("delivery.policy", HOLDFAST_FIELD(delivery.policy),
                     "The connections of a user that receive messages: all, or only the latest."));
  t.push_back(choice(
      "delivery.acknowledge", HOLDFAST_FIELD(delivery.acknowledge),
      "Who acknowledges a message: the client's WebSocket stack by its Pong, or the client. Choose "
      "`client` behind a proxy that terminates WebSockets; clients must then use `holdfast.v1`."));
}

void add_delivery_bounds(std::vector<Setting>& t) {
  t.push_back(integer(
      "delivery.connections_per_user", HOLDFAST_FIELD(delivery.connections_per_user), 1, 1'000,
      "Maximum of connections of one user. A further one closes the oldest with 4408.", true));
  t.push_back(integer("delivery.pending_messages", HOLDFAST_FIELD(delivery.pending_messages), 1,
                      1'000'000'000,
                      "Maximum of pending messages of one user. Further ones get 429.", true));
  t.push_back(
      integer("delivery.pending_bytes", HOLDFAST_FIELD(delivery.pending_bytes), kKiB, 1'024 * kGiB,
              "Maximum of bytes of pending messages of one user. Further messages get 429.", true));
  t.push_back(integer(
      "delivery.message_ttl_seconds", HOLDFAST_FIELD(delivery.message_ttl), 1, 3'650 * kDaySeconds,
      "Lifetime of a pending message that has no `ttlSeconds`. Then it becomes a dead letter.",
      true));
  t.push_back(integer("delivery.deduplication_window_seconds",
                      HOLDFAST_FIELD(delivery.deduplication_window), 1, kDaySeconds,
                      "Time that a `deduplicationId` is remembered."));
  t.push_back(integer("delivery.deduplication_keys", HOLDFAST_FIELD(delivery.deduplication_keys), 1,
                      100'000'000,
                      "Maximum of remembered deduplication ids of one worker; further ones get "
                      "503. An access key may have an eighth of them; its further ones get 429."));
  t.push_back(integer("delivery.tail_messages", HOLDFAST_FIELD(delivery.tail_messages), 1, 65'536,
                      "Maximum of a user's newest pending messages that are kept in memory.",
                      true));
  t.push_back(integer("delivery.tail_bytes", HOLDFAST_FIELD(delivery.tail_bytes), kKiB, kGiB,
                      "Their size.", true));
  t.push_back(integer("delivery.credit_messages", HOLDFAST_FIELD(delivery.credit_messages), 1,
                      65'536, "Maximum of unacknowledged messages on one connection."));
  t.push_back(integer("delivery.credit_bytes", HOLDFAST_FIELD(delivery.credit_bytes), kKiB, kGiB,
                      "Maximum of their bytes, as written."));
  t.push_back(integer("delivery.fence_bytes", HOLDFAST_FIELD(delivery.fence_bytes), kKiB, kGiB,
                      "Maximum of bytes between two fences (the Pings whose Pongs acknowledge)."));
  t.push_back(integer("delivery.fences", HOLDFAST_FIELD(delivery.fences), 1, 64,
                      "Maximum of unanswered fences on one connection."));
  t.push_back(integer("delivery.first_page_bytes", HOLDFAST_FIELD(delivery.first_page_bytes), kKiB,
                      64 * kMiB,
                      "Bytes of the first page that is read for a connection that catches up. The "
                      "size doubles with each acknowledgement."));
  t.push_back(integer("delivery.executions", HOLDFAST_FIELD(delivery.executions), 16, 1'000'000,
                      "Maximum of executions of the workflows that each worker remembers."));
  t.push_back(integer("delivery.ceiling_ahead_seconds", HOLDFAST_FIELD(delivery.ceiling_ahead), 1,
                      3'600,
                      "Time ahead of the clock for which sequence numbers are reserved on disk."));
}

void add_clients(std::vector<Setting>& t) {
  t.push_back(choice("websocket.frame", HOLDFAST_FIELD(websocket.frame),
                     "Frame of a message for clients without a subprotocol: `{\"Payload\":\"…\"}` "
                     "or the bare text.",
                     true));
  t.push_back(
      texts("websocket.allowed_origins", HOLDFAST_FIELD(websocket.allowed_origins), kOrigin,
            "Origins of web pages that may log in, get tokens and connect, besides the gateway's "
            "own: `https://app.example.com`. Any scheme works (`capacitor://localhost`, or "
            "`file://` for pages of Cordova and Electron). `*` allows every page.",
            true));
  t.push_back(
      integer("websocket.connection_seconds_max", HOLDFAST_FIELD(delivery.connection_age), 0,
              365 * kDaySeconds,
              "Maximum age of a connection. In the last tenth of it, the connection is closed with "
              "1001, and the client reconnects with a new token. 0 means unlimited.",
              true));
  t.push_back(text("tokens.service_name", HOLDFAST_FIELD(tokens.service_name), kServiceName,
                   "Issuer and audience of temporary tokens."));
  t.push_back(integer("tokens.lifetime_seconds", HOLDFAST_FIELD(tokens.lifetime), 1, 3'600,
                      "Lifetime of a temporary token."));
  t.push_back(
      integer("tokens.drift_seconds", HOLDFAST_FIELD(tokens.drift), 0, 300,
              "Time after its expiry for which it is still accepted, because clocks may differ."));
  t.push_back(integer("tokens.max_outstanding", HOLDFAST_FIELD(tokens.max_outstanding), 1, 1'000,
                      "Maximum of unused temporary tokens of one user. Further ones get 429."));
}

constexpr std::pair<std::string_view, identity::SigningAlgorithm> kAlgorithms[] = {
    {"RS256", identity::SigningAlgorithm::rs256},
    {"ES256", identity::SigningAlgorithm::es256},
    {"EdDSA", identity::SigningAlgorithm::eddsa},
};

identity::IssuerOptions issuer_of(const Json& object) {
  const auto text = [&object](const char* name) { return object.value(name, std::string()); };
  identity::IssuerOptions out;
  out.issuer = text("issuer");
  out.audiences = object["audience"].get<std::vector<std::string>>();
  if (object.contains("algorithms")) {
    out.algorithms.clear();
    for (const auto& [name, algorithm] : kAlgorithms) {
      const Json& named = object["algorithms"];
      if (std::ranges::find(named, Json(name)) != named.end()) out.algorithms.push_back(algorithm);
    }
  }
  out.user_id_claim = object.value("user_id_claim", out.user_id_claim);
  out.user_id_prefix = text("user_id_prefix");
  out.token_use = text("token_use");
  out.jwks_url = text("jwks_url");
  out.jwks_file = text("jwks_file");
  out.ca_file = text("ca_file");
  return out;
}

Json issuer_json(const identity::IssuerOptions& issuer) {
  Json algorithms = Json::array();
  for (const auto& [name, algorithm] : kAlgorithms) {
    if (std::ranges::find(issuer.algorithms, algorithm) != issuer.algorithms.end()) {
      algorithms.push_back(name);
    }
  }
  Json out = {{"issuer", issuer.issuer},
              {"audience", issuer.audiences},
              {"algorithms", std::move(algorithms)},
              {"user_id_claim", issuer.user_id_claim},
              {"user_id_prefix", issuer.user_id_prefix}};
  const auto put = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  put("token_use", issuer.token_use);
  put("jwks_url", issuer.jwks_url);
  put("jwks_file", issuer.jwks_file);
  put("ca_file", issuer.ca_file);
  return out;
}

Setting issuers_setting() {
  Setting s = member("identity.issuers", SettingType::objects);
  s.doc =
      "Other OpenID Connect issuers whose ID tokens `GET /tokens` accepts. Each is an object with "
      "`issuer`, `audience` (a list of client ids) and `user_id_prefix`. Optional members: "
      "`algorithms` (default [\"RS256\"]; also ES256, EdDSA), `user_id_claim` (default sub), "
      "`token_use`, `jwks_url` or `jwks_file` (default: by discovery), `ca_file`.";
  Setting algorithms = member("algorithms", SettingType::texts);
  for (const auto& [name, algorithm] : kAlgorithms) algorithms.choices.push_back(name);
  s.fields = {member("issuer", SettingType::text),         member("audience", SettingType::texts),
              member("user_id_prefix", SettingType::text), std::move(algorithms),
              member("user_id_claim", SettingType::text),  member("token_use", SettingType::text),
              member("jwks_url", SettingType::text),       member("jwks_file", SettingType::text),
              member("ca_file", SettingType::text)};
  s.fields[0].required = s.fields[1].required = s.fields[2].required = true;
  s.refuse_object = [](const Json& issuer) {
    return identity::refuse_issuers({issuer_of(issuer)});
  };
  s.read = [](const Config& config) {
    Json out = Json::array();
    for (const auto& issuer : config.identity.issuers) out.push_back(issuer_json(issuer));
    return out;
  };
  s.write = [](Config& config, const Json& value) {
    config.identity.issuers.clear();
    for (const Json& object : value) config.identity.issuers.push_back(issuer_of(object));
  };
  return s;
}

void add_issuers(std::vector<Setting>& t) {
  t.push_back(issuers_setting());
  t.push_back(integer("identity.jwks_refresh_seconds", HOLDFAST_FIELD(identity.jwks_refresh), 60,
                      kDaySeconds,
                      "Interval at which the issuers' keys are read again. An unknown key id reads "
                      "them too, at most once a minute."));
  t.push_back(integer(
      "identity.jwks_timeout_ms", HOLDFAST_FIELD(identity.jwks_timeout), 100, 30'000,
      "Time that reading keys may take. A token that needs them waits up to a second longer."));
}

void add_users(std::vector<Setting>& t) {
  t.push_back(integer("user_pool.id_token_lifetime_seconds",
                      HOLDFAST_FIELD(user_pool.id_token_lifetime), 300, kDaySeconds,
                      "Lifetime of ID and access tokens.", true));
  t.push_back(integer("user_pool.refresh_token_lifetime_seconds",
                      HOLDFAST_FIELD(user_pool.refresh_token_lifetime), 3'600, 3'650 * kDaySeconds,
                      "Lifetime of a refresh token.", true));
  t.push_back(integer("user_pool.refresh_tokens_per_user",
                      HOLDFAST_FIELD(user_pool.refresh_tokens_per_user), 1, 100'000,
                      "Maximum of logins of one user. A further one ends the oldest.", true));
  t.push_back(boolean("user_pool.refresh_token_rotation",
                      HOLDFAST_FIELD(user_pool.refresh_token_rotation),
                      "Each refresh replaces the refresh token. Reuse of a replaced one ends the "
                      "login. Clients must refresh with `GetTokensFromRefreshToken`.",
                      true));
  t.push_back(integer("user_pool.refresh_token_grace_seconds",
                      HOLDFAST_FIELD(user_pool.refresh_token_grace), 0, 60,
                      "Time for which a replaced refresh token still returns its successor, for "
                      "clients that lost the answer.",
                      true));
  t.push_back(integer("user_pool.session_lifetime_seconds",
                      HOLDFAST_FIELD(user_pool.session_lifetime), 60, 900,
                      "Time that a client has to respond to a login's challenge.", true));
  t.push_back(integer("user_pool.temporary_password_lifetime_seconds",
                      HOLDFAST_FIELD(user_pool.temporary_password_lifetime), 60, 365 * kDaySeconds,
                      "Lifetime of a temporary password.", true));
  t.push_back(boolean(
      "user_pool.srp_enabled", HOLDFAST_FIELD(user_pool.srp_enabled),
      "Allow SRP logins, and keep the verifiers that they need. Verifiers are sealed. If stolen "
      "together with the keys, they make guessing passwords faster than the passwords' hashes do.",
      true));
  t.push_back(boolean("user_pool.password_auth_enabled",
                      HOLDFAST_FIELD(user_pool.password_auth_enabled),
                      "Let clients log in with the password itself (`USER_PASSWORD_AUTH`), as "
                      "`holdfast auth` does. Off: clients need SRP or signed calls.",
                      true));
  t.push_back(boolean("user_pool.self_sign_up", HOLDFAST_FIELD(user_pool.self_sign_up),
                      "Let anybody sign up. This needs a way to send codes.", true));
  t.push_back(integer("user_pool.sign_ups_per_minute", HOLDFAST_FIELD(sign_ups.per_minute), 1,
                      60'000,
                      "Maximum of sign-ups per minute. One client's address may make an eighth of "
                      "them. Further ones get LimitExceededException.",
                      true));
  t.push_back(integer("user_pool.unconfirmed_lifetime_seconds",
                      HOLDFAST_FIELD(sign_ups.unconfirmed_lifetime), 3'600, 365 * kDaySeconds,
                      "Time that a sign-up may stay unconfirmed. Then the user is removed.", true));
  Setting code_command =
      texts("user_pool.code_command", HOLDFAST_FIELD(codes.command), kWord,
            "Program and arguments that send a confirmation code. It runs without a shell, reads "
            "one JSON object (`purpose`, `code`, `username`, `userId`, `attributes`) and exits 0 "
            "after it has sent the code.");
  // Whoever sends mail or text messages may need a password there.
  code_command.secret = true;
  t.push_back(std::move(code_command));
  t.push_back(integer("user_pool.code_command_timeout_ms", HOLDFAST_FIELD(codes.command_timeout),
                      100, 60'000, "Time that the program may take. Then it is killed."));
  t.push_back(boolean("user_pool.code_to_log", HOLDFAST_FIELD(codes.to_log),
                      "Write confirmation codes to the log, for development only."));
  t.push_back(integer("user_pool.code_lifetime_seconds", HOLDFAST_FIELD(user_pool.code_lifetime),
                      60, kDaySeconds, "Lifetime of a confirmation code.", true));
  t.push_back(integer("user_pool.code_attempts", HOLDFAST_FIELD(user_pool.code_attempts), 1, 20,
                      "Number of wrong answers that invalidate a code.", true));
  t.push_back(boolean("user_pool.prevent_user_existence_errors",
                      HOLDFAST_FIELD(user_pool.prevent_user_existence_errors),
                      "Answer an unknown user like a wrong password.", true));
}

void add_passwords(std::vector<Setting>& t) {
  t.push_back(integer("user_pool.password_min_length",
                      HOLDFAST_FIELD(user_pool.password_min_length), 6, 99,
                      "Minimum length of a password, in characters.", true));
  t.push_back(boolean("user_pool.password_require_lowercase",
                      HOLDFAST_FIELD(user_pool.password_require_lowercase),
                      "Passwords need a lower-case letter.", true));
  t.push_back(boolean("user_pool.password_require_uppercase",
                      HOLDFAST_FIELD(user_pool.password_require_uppercase),
                      "Passwords need an upper-case letter.", true));
  t.push_back(boolean("user_pool.password_require_numbers",
                      HOLDFAST_FIELD(user_pool.password_require_numbers), "Passwords need a digit.",
                      true));
  t.push_back(boolean("user_pool.password_require_symbols",
                      HOLDFAST_FIELD(user_pool.password_require_symbols),
                      "Passwords need a symbol.", true));
  t.push_back(boolean("user_pool.password_refuse_common",
                      HOLDFAST_FIELD(user_pool.password_refuse_common),
                      "Refuse common passwords (a list of 3 000), and passwords made of the user's "
                      "name or a name of the service.",
                      true));
  t.push_back(integer("auth.hash_threads", HOLDFAST_FIELD(auth.passwords.threads), 1, 64,
                      "Threads that hash passwords (Argon2id) and sign tokens."));
  t.push_back(
      integer("auth.hash_queue", HOLDFAST_FIELD(auth.passwords.queue), 1, 10'000,
              "Maximum of passwords that wait for such a thread. One client's address may have an "
              "eighth of them, an access key half. Further ones get TooManyRequestsException. The "
              "operators' passwords have a separate queue of the same length."));
  t.push_back(integer("auth.hash_iterations", HOLDFAST_FIELD(auth.passwords.iterations), 1, 64,
                      "Passes of Argon2id over its memory, for new passwords. After you change it, "
                      "existing users keep the old cost until they change their password, so "
                      "response times can reveal which names exist."));
  t.push_back(integer("auth.hash_memory_kib", HOLDFAST_FIELD(auth.passwords.memory_kib), 1'024,
                      4 * kMiB,
                      "Memory of one Argon2id run in KiB, for new passwords. A change has the same "
                      "effect on response times as one of `hash_iterations`."));
  t.push_back(integer("auth.lockout_names", HOLDFAST_FIELD(auth.lockout_names), 100, 10'000'000,
                      "Maximum of usernames whose failed logins and codes are remembered. Unknown "
                      "names have a separate table of the same size."));
}

void add_instance(std::vector<Setting>& t) {
  t.push_back(boolean("keys.rotation_enabled", HOLDFAST_FIELD(keys.rotation_enabled),
                      "Make a new data key automatically when the current one is old."));
  t.push_back(integer("keys.rotation_period_seconds", HOLDFAST_FIELD(keys.rotation_period), 3'600,
                      3'650 * kDaySeconds, "Maximum age of a data key."));
  t.push_back(boolean("keys.signing_rotation_enabled",
                      HOLDFAST_FIELD(signing_keys.rotation_enabled),
                      "Make a new signing key for the user pool's tokens automatically when the "
                      "current one is old. The new key is published for ten minutes before it "
                      "signs. The old one is removed a day later."));
  t.push_back(integer("keys.signing_rotation_period_seconds",
                      HOLDFAST_FIELD(signing_keys.rotation_period), kDaySeconds,
                      3'650 * kDaySeconds, "Maximum age of a signing key."));
  t.push_back(integer("storage.queue_slots", HOLDFAST_FIELD(storage.queue_slots), 64, 10'000'000,
                      "Maximum of messages that wait to be committed. Further ones get 503. A user "
                      "or an access key may have an eighth."));
  t.push_back(integer(
      "storage.queue_bytes", HOLDFAST_FIELD(storage.queue_bytes), 16 * kMiB, 64 * kGiB,
      "Maximum of their bytes. A user or an access key may have an eighth, or one message."));
  t.push_back(integer("storage.database_bytes_max", HOLDFAST_FIELD(storage.database_bytes_max), 0,
                      std::numeric_limits<std::int64_t>::max(),
                      "Maximum size of the database. Beyond it, messages get 503. 0 means limited "
                      "only by the disk.",
                      true));
  t.push_back(integer("storage.disk_free_min", HOLDFAST_FIELD(storage.disk_free_min), 0,
                      1'024 * kGiB,
                      "Free space that messages leave on the disk, so that everything else still "
                      "works. Below it, messages get 503. On a disk smaller than eight times this, "
                      "it is an eighth of the disk. 0 does not check the disk.",
                      true));
  t.push_back(integer("storage.hang_after_ms", HOLDFAST_FIELD(storage.hang_after), 100, 600'000,
                      "Time without an answer after which the store counts as hanging. /readyz is "
                      "then 503, and requests that have waited as long get 503."));
  t.push_back(integer("storage.page_bytes_per_batch", HOLDFAST_FIELD(storage.page_bytes_per_batch),
                      64 * kKiB, kGiB,
                      "Maximum of bytes that page reads take between two commits."));
  t.push_back(integer("storage.batch_operations", HOLDFAST_FIELD(storage.batch_operations), 1,
                      1'000'000, "Maximum of operations in one commit."));
  t.push_back(integer("storage.dead_letters_max", HOLDFAST_FIELD(storage.dead_letters_max), 0,
                      1'000'000'000, "Maximum of dead letters. The oldest are deleted first."));
  t.push_back(integer("storage.dead_letters_bytes_max",
                      HOLDFAST_FIELD(storage.dead_letters_bytes_max), 0, 1'024 * kGiB,
                      "Maximum of their bytes."));
  t.push_back(integer(
      "storage.wal_checkpoint_bytes", HOLDFAST_FIELD(storage.wal_checkpoint_bytes), 64 * kKiB,
      64 * kGiB,
      "Size of the write-ahead log above which it is moved into the database even under load."));
  t.push_back(integer("shutdown.drain_seconds", HOLDFAST_FIELD(shutdown.drain), 0, 3'600,
                      "Time that a shutdown waits for clients to acknowledge and to close.", true));
}

void add_console(std::vector<Setting>& t) {
  t.push_back(
      boolean("console.enabled", HOLDFAST_FIELD(console.enabled),
              "Serve the web console at /console/ of the control listener. Its pages may log in "
              "and connect to the gateway like those of `websocket.allowed_origins`."));
  Setting password =
      text("console.password_hash", HOLDFAST_FIELD(console.password_hash), kPasswordHash,
           "Hash of the console's password, made by `holdfast console --hash-password`. Empty: "
           "operators sign in only with the links of `holdfast console`.");
  password.secret = true;
  t.push_back(std::move(password));
  t.push_back(texts("console.allowed_hosts", HOLDFAST_FIELD(console.allowed_hosts), kHost,
                    "Host names of the console and /metrics, besides localhost, the control "
                    "listener's own addresses and `server.control_public_url`. /metrics is also "
                    "served under every IP address."));
}

void add_surroundings(std::vector<Setting>& t) {
  t.push_back(text("aws.partition", HOLDFAST_FIELD(aws.partition), kName, "Partition in ARNs."));
  t.push_back(
      text("aws.region", HOLDFAST_FIELD(aws.region), kName, "Region in signatures and ARNs."));
  t.push_back(
      text("aws.account", HOLDFAST_FIELD(aws.account), kAccount, "Account number in ARNs."));
  t.push_back(text("aws.api_id", HOLDFAST_FIELD(aws.api_id), kName,
                   "API id in the ARNs of routes, which policies use.", true));
  t.push_back(text("aws.stage", HOLDFAST_FIELD(aws.stage), kStage,
                   "Stage, such as `prod` or `$default`. Every route is also served under /STAGE.",
                   true));
  t.push_back(text("aws.stack_name", HOLDFAST_FIELD(aws.stack_name), kStackName,
                   "Name of the stack in the answer of CloudFormation's DescribeStacks.", true));
  t.push_back(text("aws.sample_app_url", HOLDFAST_FIELD(aws.sample_app_url), kUrl,
                   "URL of the sample application in the same answer.", true));
  t.push_back(
      choice("log.level", HOLDFAST_FIELD(log.level), "Lowest level that the log has.", true));
  Setting format = boolean("log.format", HOLDFAST_FIELD(log.json),
                           "Format of the log: one JSON object per line, or text for people.");
  format.type = SettingType::choice;
  format.choices = {"json", "text"};
  format.read = [](const Config& config) { return Json(config.log.json ? "json" : "text"); };
  format.write = [](Config& config, const Json& value) { config.log.json = value == "json"; };
  t.push_back(std::move(format));
  t.push_back(
      boolean("log.access", HOLDFAST_FIELD(log.access), "Write a line for each request.", true));
  t.push_back(
      text("log.audit_file", HOLDFAST_FIELD(log.audit_file), kAnyText,
           "File to which audit events are appended, one JSON object per line, in addition to the "
           "log. It is created with mode 0600 and reopened on SIGHUP. Empty: no file."));
  t.push_back(
      days("audit.keep_days", HOLDFAST_FIELD(audit.keep), 1, 3'650,
           "Time that the database keeps audit records, for `holdfast audit list` and the console.",
           true));
  t.push_back(integer("audit.records_max", HOLDFAST_FIELD(audit.records_max), 1'000, 100'000'000,
                      "Maximum of audit records in the database. The oldest are deleted first."));
}

#undef HOLDFAST_FIELD

std::string quoted_choices(const Setting& setting) {
  std::string out;
  for (const std::string_view choice : setting.choices) {
    if (!out.empty()) out += ", ";
    out += '"' + std::string(choice) + '"';
  }
  return out;
}

std::optional<std::string> refuse_choice(const Setting& setting, const Json& value) {
  if (value.is_string() &&
      std::ranges::find(setting.choices, value.get_ref<const std::string&>()) !=
          setting.choices.end()) {
    return std::nullopt;
  }
  return "must be one of " + quoted_choices(setting);
}

std::optional<std::string> refuse_texts(const Setting& setting, const Json& value) {
  if (!value.is_array()) return "must be an array of strings";
  for (const Json& item : value) {
    if (!item.is_string()) return "must be an array of strings";
    if (!setting.choices.empty()) {
      if (refuse_choice(setting, item)) return "must hold only " + quoted_choices(setting);
    } else if (auto wrong = setting.refuse(item.get_ref<const std::string&>())) {
      return wrong;
    }
  }
  return std::nullopt;
}

// What is wrong with one of the objects, its members named.
std::optional<std::string> refuse_members(const std::vector<Setting>& fields, const Json& object) {
  if (!object.is_object()) return "must be an object";
  for (const auto& [name, value] : object.items()) {
    const auto field = std::ranges::find(fields, name, &Setting::key);
    if (field == fields.end()) return "has no member " + name;
    if (const auto wrong = refuse_value(*field, value)) return name + " " + *wrong;
  }
  for (const Setting& field : fields) {
    if (field.required && !object.contains(field.key)) return "needs " + std::string(field.key);
  }
  return std::nullopt;
}

std::optional<std::string> refuse_objects(const Setting& setting, const Json& value) {
  if (!value.is_array()) return "must be an array of objects";
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto wrong = refuse_members(setting.fields, value[i]);
    if (!wrong) wrong = setting.refuse_object(value[i]);
    if (wrong) {
      return "element " + std::to_string(i + 1) + " " + *wrong;
    }
  }
  return std::nullopt;
}

std::optional<std::string> refuse_integer(const Setting& setting, const Json& value) {
  if (!value.is_number_integer()) return "must be an integer";
  const bool huge = value.is_number_unsigned() &&
                    value.get<std::uint64_t>() >
                        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto number = huge ? std::numeric_limits<std::int64_t>::max() : value.get<std::int64_t>();
  if (huge || number < setting.min || number > setting.max) {
    return "must be between " + std::to_string(setting.min) + " and " + std::to_string(setting.max);
  }
  return std::nullopt;
}

}  // namespace

const std::vector<Setting>& setting_table() {
  static const std::vector<Setting> table = [] {
    std::vector<Setting> t;
    add_server(t);
    add_tls(t);
    add_limits(t);
    add_delivery_waits(t);
    add_delivery_bounds(t);
    add_clients(t);
    add_issuers(t);
    add_users(t);
    add_passwords(t);
    add_instance(t);
    add_console(t);
    add_surroundings(t);
    return t;
  }();
  return table;
}

const Setting* find_setting(std::string_view key) {
  const auto& table = setting_table();
  const auto found = std::ranges::find(table, key, &Setting::key);
  return found == table.end() ? nullptr : &*found;
}

std::optional<std::string> refuse_value(const Setting& setting, const Json& value) {
  switch (setting.type) {
    case SettingType::boolean:
      if (!value.is_boolean()) return "must be true or false";
      return std::nullopt;
    case SettingType::integer:
      return refuse_integer(setting, value);
    case SettingType::text:
      if (!value.is_string()) return "must be a string";
      return setting.refuse(value.get_ref<const std::string&>());
    case SettingType::choice:
      return refuse_choice(setting, value);
    case SettingType::texts:
      return refuse_texts(setting, value);
    case SettingType::objects:
      return refuse_objects(setting, value);
  }
  return "has an unknown type";
}

}  // namespace holdfast::app
