#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <holdfast/api/service.hpp>
#include <holdfast/app/config.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/net/server.hpp>

namespace holdfast::app {

/// Returns the limits of each of the gateway's listeners. Connections are lowered to what the limit
/// on open files leaves, and the shares of one client are computed.
[[nodiscard]] net::HttpLimits gateway_limits(const Config& config);

struct ListenersContext {
  const Config& config;
  const Clock& clock;
  net::Shards& shards;
  std::shared_ptr<BoundRefusals> refusals;
  std::function<const char*()> gives_up;  ///< see `net::ListenerOptions`
};

/// The listeners of health, metrics and the console.
struct ControlListeners {
  std::vector<std::shared_ptr<net::TlsServer>> tls;
  std::vector<std::unique_ptr<net::Listener>> all;  ///< `server.control_listen` first
  std::vector<std::string> urls;                    ///< of those that are no Unix sockets
};
/// Takes the addresses. Errors: `io`, `invalid_argument`, each with the address or the file.
[[nodiscard]] Result<ControlListeners> bind_controls(const ListenersContext& context);

/// The listeners of the gateway's routes.
struct GatewayListeners {
  struct One {
    api::ServedParts parts;
    std::string url;  ///< empty for a Unix socket
    std::unique_ptr<net::Listener> listener;
  };
  std::vector<std::shared_ptr<net::TlsServer>> tls;
  std::vector<One> all;  ///< `server.listen` first

  /// Returns the URL of `server.listen`, or `server.public_url` if that is set.
  [[nodiscard]] std::string url(const Config::Server& server) const;
  /// Returns the URL for messages if not all listeners take them; empty: the gateway's URL.
  [[nodiscard]] std::string separate_ingest_url() const;
};
/// Takes the addresses. Errors as of `bind_controls`.
[[nodiscard]] Result<GatewayListeners> bind_gateways(const ListenersContext& context);

/// Takes the control socket `path`, for this process's user alone.
[[nodiscard]] Result<std::unique_ptr<net::Listener>> bind_local(const ListenersContext& context,
                                                                const std::string& path);

}  // namespace holdfast::app
