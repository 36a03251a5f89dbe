#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/metrics.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/net/http.hpp>
#include <holdfast/net/tls.hpp>
#include <holdfast/net/trusted_proxies.hpp>

namespace holdfast::net {

/// A thread with its event loop. `post` batches: the tasks that one shard posts to another in a
/// loop turn wake it once.
class Shard : public Executor {
 public:
  /// Runs `task` every `period` on the shard, until the shard stops. Call it on the shard, or
  /// before the shard runs.
  virtual void every(Milliseconds period, Task task) = 0;
  [[nodiscard]] virtual std::size_t index() const noexcept = 0;
  /// Reads the shard's metrics: how late the tasks of `every` began, which is how long ready work
  /// waits for the loop. Any thread.
  virtual void collect(MetricCollector& out) const = 0;
};

class ShardSet;

/// The threads of the process that serve connections.
class Shards {
 public:
  virtual ~Shards() = default;
  [[nodiscard]] virtual std::size_t count() const noexcept = 0;
  [[nodiscard]] virtual Shard& at(std::size_t index) noexcept = 0;
  /// Starts the threads.
  virtual void start() = 0;
  /// Runs all posted tasks, then ends the threads and joins them. Not on a shard.
  virtual void stop() = 0;
  /// Returns what listeners need of them.
  [[nodiscard]] virtual ShardSet& set() noexcept = 0;
};
[[nodiscard]] std::unique_ptr<Shards> make_shards(std::size_t count);

struct HttpLimits {
  std::size_t header_bytes = 32 << 10;
  std::size_t target_bytes = 8 << 10;
  std::size_t headers = 100;
  /// Limits the open sockets of this listener; 0: no limit. A further socket ends the one that has
  /// waited longest for a request. If there is none, it is answered 503.
  std::size_t connections = 0;
  /// Limits the sockets of one client (see `client_share_key`); 0: no limit. Sockets of a Unix
  /// socket, and of a trusted proxy that names no client, do not count.
  std::size_t connections_per_address = 0;
  std::size_t outbound_bytes = 4 << 20;  ///< waiting for one client to read
  /// Limits the bytes of incomplete requests, over all sockets of this listener. Beyond it a
  /// request gets 503.
  std::size_t body_bytes_in_flight = 256 << 20;
  std::size_t body_bytes_per_address = 0;  ///< of these, for one client; 0: no limit
  Milliseconds header_timeout{10'000};
  Milliseconds body_timeout{30'000};
  /// Limits the wait between requests. It is longer than the 60 s of usual proxies. A proxy can
  /// repeat a request on another connection, so it should be the one that ends an idle one.
  Milliseconds idle_timeout{75'000};
  /// Limits the sending of an answer; for a stream, the time in which a client takes nothing.
  Milliseconds write_timeout{30'000};
  Milliseconds close_timeout{2'000};  ///< for the peer's Close
};

struct ListenerOptions {
  std::string name;                ///< the log line's `part`: `gateway`, `control`
  std::string address;             ///< `127.0.0.1:8080`, `[::1]:0`, or `unix:/path`
  std::uint32_t unix_mode = 0600;  ///< of a Unix socket's file
  HttpLimits limits;
  bool access_log = true;
  std::shared_ptr<TlsServer> tls{};  ///< null: plain
  TrustedProxies trusted_proxies{};
  /// Expects the PROXY protocol (versions 1 and 2) on connections of trusted proxies. Refuses all
  /// others.
  bool proxy_protocol = false;
  /// Asks browsers to use TLS alone for this long (RFC 6797); 0: does not ask. Never asks
  /// `localhost`, because its other ports belong to other programs.
  Seconds transport_security{0};
  /// Reserves file descriptors for this listener's connections, for when the process has used up
  /// all others.
  std::size_t reserved_descriptors = 0;
  /// Asked about a request that has waited `answer_patience` for its answer, and again each second.
  /// Returns why to give it up with 503, or null to wait on. A later answer is dropped. Empty: all
  /// requests wait.
  std::function<const char*()> gives_up{};
  Milliseconds answer_patience{5'000};
  /// Counts refusals by limit; null: nobody reads them.
  std::shared_ptr<BoundRefusals> refusals{};
};

/// Refused upgrades to a WebSocket. `net` counts those of its own reason, `handshake`; who decides
/// about upgrades counts the others.
inline constexpr MetricFamily kRefusedUpgrades{
    "holdfast_websocket_upgrades_refused_total",
    "Refused upgrades to a WebSocket, by reason; handshake is a wrong method, version or key.",
    {"reason"}};

/// A listener's load, as `status` shows it.
struct ServerStats {
  std::size_t open_sockets = 0;
  std::size_t open_websockets = 0;
  std::uint64_t requests = 0;
  std::uint64_t refused_connections = 0;
  std::size_t body_bytes = 0;  ///< of incomplete requests
};

/// One listening socket. Accepts, deals the sockets out to the shards, serves HTTP/1.1 and
/// upgrades.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Returns the bound address with its real port: `127.0.0.1:40123`.
  [[nodiscard]] virtual const std::string& address() const noexcept = 0;
  /// Takes the address, so that `address` is known. Connections are refused until `start`. Error
  /// `io` with the address.
  [[nodiscard]] virtual Result<void> bind() = 0;
  /// Binds unless that is done, listens, logs `listening` and accepts. Call it once. `service` is
  /// not null and outlives the shards' run. Error `io` with the address.
  [[nodiscard]] virtual Result<void> start(std::shared_ptr<HttpService> service) = 0;
  /// Stops accepting and ends idle connections. Answers requests in flight; further ones get 503
  /// with `Connection: close`. Any thread.
  virtual void drain() = 0;
  /// Ends the remaining connections. Any thread.
  virtual void close() = 0;
  [[nodiscard]] virtual ServerStats stats() const = 0;
  /// Reads the listener's metrics, labelled with its name and address. Any thread.
  virtual void collect(MetricCollector& out) const = 0;
  /// Sets other limits, also for open connections. A wait that has begun keeps its deadline. Any
  /// thread.
  virtual void change_limits(const HttpLimits& limits, bool access_log) = 0;
};
[[nodiscard]] std::unique_ptr<Listener> make_listener(ListenerOptions options, Shards& shards,
                                                      const Clock& clock);

}  // namespace holdfast::net
