// Makes the listeners of a gateway and takes their addresses.
#include "listeners.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>

#include "instance.hpp"

namespace holdfast::app {
namespace {

// Reserves files for the database, the log and control connections.
constexpr std::size_t kOtherFiles = 128;
constexpr std::size_t kControlConnections = 64;
// The default share of one client: this part of each limit.
constexpr std::size_t kShares = 8;
constexpr std::size_t kConnectionsPerAddressMin = 16;
// Reserves descriptors for the control listeners, so that they report a gateway that has used up
// the rest.
constexpr std::size_t kControlReserve = 8;

std::size_t open_files_max() {
  rlimit files{};
  const bool known = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY;
  return known ? files.rlim_cur : std::numeric_limits<std::size_t>::max();
}

// Limits connections to the open files of the process. Without it, accepting would fail without an
// explanation. Each listener gets a share, with some for refusals.
std::size_t connection_limit(const Config& config) {
  const std::size_t files = open_files_max();
  const auto gateways = 1 + static_cast<std::size_t>(std::ranges::count(
                                config.server.listeners, false, &Config::Listener::control));
  const std::size_t all = files > 2 * kOtherFiles ? files - kOtherFiles : files / 2;
  const std::size_t room = std::max<std::size_t>(all / gateways / 9 * 8, 1);
  if (room < config.limits.connections) {
    log::warn("connections_limited_by_open_files",
              {{"configured", config.limits.connections}, {"allowed", room}});
  }
  return std::min(config.limits.connections, room);
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]:");
}

// Returns the URL of a listener for other machines; empty for a Unix socket.
std::string reachable_url(const net::Listener& listener, bool secure) {
  const std::string& address = listener.address();
  return address.starts_with("unix:") ? std::string() : url_of(address, secure);
}

// Returns null without a certificate, and for a Unix socket.
Result<std::shared_ptr<net::TlsServer>> make_tls(const ListenersContext& context,
                                                 const Config::Listener& listener) {
  if (listener.tls.certificate_file.empty() || listener.address.starts_with("unix:")) {
    return nullptr;
  }
  net::TlsServerOptions tls = listener.tls;
  tls.ciphers = context.config.tls.files.ciphers;
  return net::make_tls_server(std::move(tls), context.clock);
}

void give_up_what_hangs(const ListenersContext& context, net::ListenerOptions& options) {
  options.answer_patience = context.config.storage.hang_after;
  options.gives_up = context.gives_up;
}

// Makes the options that all listeners but the control socket share.
Result<net::ListenerOptions> listener_options(const ListenersContext& context,
                                              const Config::Listener& listener) {
  auto proxies = net::TrustedProxies::parse(context.config.server.trusted_proxies);
  if (!proxies) return std::unexpected(std::move(proxies.error()));
  auto server = make_tls(context, listener);
  if (!server) return std::unexpected(std::move(server.error()));
  net::ListenerOptions options;
  options.name = listener.control ? "control" : "gateway";
  options.address = listener.address;
  options.tls = std::move(*server);
  options.transport_security = context.config.tls.transport_security;
  options.trusted_proxies = std::move(*proxies);
  options.proxy_protocol = listener.proxy_protocol;
  options.refusals = context.refusals;
  give_up_what_hangs(context, options);
  return options;
}

// Warns about passwords and tokens in clear text, unless the operator wants that.
void warn_unencrypted(const Config::Server& server, const Config::Listener& configured,
                      const std::string& address) {
  const bool encrypted = !configured.tls.certificate_file.empty() || address.starts_with("unix:");
  if (encrypted || is_loopback(address) || !server.trusted_proxies.empty() ||
      server.plain_http_intended) {
    return;
  }
  log::warn(configured.control ? "control_listening_unencrypted" : "listening_unencrypted",
            {{"address", address}});
}

Result<std::unique_ptr<net::Listener>> bind_one(const ListenersContext& context,
                                                const Config::Listener& configured,
                                                net::ListenerOptions options) {
  auto listener = net::make_listener(std::move(options), context.shards, context.clock);
  if (auto bound = listener->bind(); !bound) return std::unexpected(std::move(bound.error()));
  warn_unencrypted(context.config.server, configured, listener->address());
  return listener;
}

Result<void> add_control(const ListenersContext& context, const Config::Listener& configured,
                         ControlListeners& to) {
  auto options = listener_options(context, configured);
  if (!options) return std::unexpected(std::move(options.error()));
  options->limits.connections = kControlConnections;
  options->limits.connections_per_address = kControlConnections / 2;
  options->access_log = false;
  options->reserved_descriptors =
      std::clamp<std::size_t>(open_files_max() / kShares, 1, kControlReserve);
  const std::shared_ptr<net::TlsServer> tls = options->tls;
  auto bound = bind_one(context, configured, std::move(*options));
  if (!bound) return std::unexpected(std::move(bound.error()));
  if (tls != nullptr) to.tls.push_back(tls);
  std::string url = reachable_url(**bound, tls != nullptr);
  if (!url.empty()) to.urls.push_back(std::move(url));
  to.all.push_back(std::move(*bound));
  return {};
}

Result<void> add_gateway(const ListenersContext& context, const Config::Listener& configured,
                         GatewayListeners& to) {
  auto options = listener_options(context, configured);
  if (!options) return std::unexpected(std::move(options.error()));
  options->limits = gateway_limits(context.config);
  const std::string& mode = context.config.server.unix_socket_mode;
  std::from_chars(mode.data(), mode.data() + mode.size(), options->unix_mode, 8);
  options->access_log = context.config.log.access;
  const std::shared_ptr<net::TlsServer> tls = options->tls;
  auto bound = bind_one(context, configured, std::move(*options));
  if (!bound) return std::unexpected(std::move(bound.error()));
  if (tls != nullptr) to.tls.push_back(tls);
  std::string url = reachable_url(**bound, tls != nullptr);
  to.all.push_back(
      {.parts = configured.parts, .url = std::move(url), .listener = std::move(*bound)});
  return {};
}

}  // namespace

net::HttpLimits gateway_limits(const Config& config) {
  net::HttpLimits out = config.limits.http;
  out.connections = connection_limit(config);
  out.connections_per_address = config.limits.connections_per_address;
  if (out.connections_per_address == 0) {
    out.connections_per_address = std::max(out.connections / kShares, kConnectionsPerAddressMin);
  }
  out.body_bytes_per_address = config.limits.body_bytes_per_address;
  if (out.body_bytes_per_address == 0) {
    out.body_bytes_per_address = out.body_bytes_in_flight / kShares;
  }
  // Its header section is in memory twice for a moment.
  out.body_bytes_per_address =
      std::max(out.body_bytes_per_address, config.limits.api.body_bytes + 2 * out.header_bytes);
  return out;
}

Result<ControlListeners> bind_controls(const ListenersContext& context) {
  ControlListeners out;
  const Config::Server& server = context.config.server;
  Config::Listener first;
  first.address = server.control_listen;
  first.control = true;
  if (context.config.tls.control) first.tls = context.config.tls.files;
  if (auto done = add_control(context, first, out); !done) return std::unexpected(done.error());
  for (const Config::Listener& more : server.listeners) {
    if (!more.control) continue;
    if (auto done = add_control(context, more, out); !done) return std::unexpected(done.error());
  }
  return out;
}

Result<GatewayListeners> bind_gateways(const ListenersContext& context) {
  GatewayListeners out;
  const Config::Server& server = context.config.server;
  Config::Listener first;
  first.address = server.listen;
  first.parts = server.parts;
  first.proxy_protocol = server.proxy_protocol;
  first.tls = context.config.tls.files;
  if (auto done = add_gateway(context, first, out); !done) return std::unexpected(done.error());
  for (const Config::Listener& more : server.listeners) {
    if (more.control) continue;
    if (auto done = add_gateway(context, more, out); !done) return std::unexpected(done.error());
  }
  return out;
}

Result<std::unique_ptr<net::Listener>> bind_local(const ListenersContext& context,
                                                  const std::string& path) {
  // A crash may have left it. The directory's lock proves that no process serves it.
  unlink(path.c_str());
  net::ListenerOptions options;
  options.name = "local";
  options.address = "unix:" + path;
  options.limits.connections = kControlConnections;
  options.access_log = false;
  give_up_what_hangs(context, options);
  auto local = net::make_listener(std::move(options), context.shards, context.clock);
  if (auto bound = local->bind(); !bound) return std::unexpected(std::move(bound.error()));
  // Comes before it accepts, because the file gives full access.
  if (chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    return fail(Errc::io, "cannot protect " + path, path);
  }
  return local;
}

std::string GatewayListeners::url(const Config::Server& server) const {
  if (!server.public_url.empty()) return server.public_url;
  const One& first = all.front();
  // Also of a Unix socket, because the ids of issuers begin with it.
  return first.url.empty() ? url_of(first.listener->address()) : first.url;
}

std::string GatewayListeners::separate_ingest_url() const {
  const auto takes_messages = [](const One& one) { return one.parts.ingest; };
  if (std::ranges::all_of(all, takes_messages)) return {};
  std::string socket;
  for (const One& one : all) {
    if (!takes_messages(one)) continue;
    if (!one.url.empty()) return one.url;
    // A Unix socket is for this machine alone, so it only counts if nothing else takes messages.
    if (socket.empty()) socket = one.listener->address();
  }
  return socket;
}

}  // namespace holdfast::app
