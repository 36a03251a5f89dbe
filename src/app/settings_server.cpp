// Keys of listeners and TLS.

#include "setting_rows.hpp"

namespace holdfast::app {
namespace {

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

}  // namespace

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
                   Live::yes));
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

}  // namespace holdfast::app
