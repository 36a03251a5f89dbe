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

/// A thread and its event loop. `post` batches: what one shard posts to another in a loop turn
/// wakes it once.
class Shard : public Executor {
 public:
  /// Runs `task` every `period`, on the shard, until the shard stops. On the shard or before it
  /// runs.
  virtual void every(Milliseconds period, Task task) = 0;
  [[nodiscard]] virtual std::size_t index() const noexcept = 0;
  /// Reads the shard's metrics: how late the tasks of `every` began, which is how long ready work
  /// waits for the loop. Any thread.
  virtual void collect(MetricCollector& out) const = 0;
};

/// The threads of the process that serve connections.
class Shards {
 public:
  virtual ~Shards() = default;
  [[nodiscard]] virtual std::size_t count() const noexcept = 0;
  [[nodiscard]] virtual Shard& at(std::size_t index) noexcept = 0;
  /// Starts the threads.
  virtual void start() = 0;
  /// Lets what is posted run, then ends the threads and joins them. Not on a shard.
  virtual void stop() = 0;
};
[[nodiscard]] std::unique_ptr<Shards> make_shards(std::size_t count);

struct HttpLimits {
  std::size_t header_bytes = 32 << 10;
  std::size_t target_bytes = 8 << 10;
  std::size_t headers = 100;
  /// Open sockets of this listener; 0: no bound of its own. For one more, the one that has waited
  /// longest for a request is ended; without such a one it is answered 503.
  std::size_t connections = 0;
  /// Of these, what one client may have (see `client_share_key`); 0: no bound of its own. Those of
  /// a Unix socket and of a trusted proxy that names no client are not counted.
  std::size_t connections_per_address = 0;
  std::size_t outbound_bytes = 4 << 20;  ///< that may wait for one client to read
  /// Bytes held of requests that have not come whole, of all sockets of this listener; beyond it
  /// 503.
  std::size_t body_bytes_in_flight = 256 << 20;
  std::size_t body_bytes_per_address = 0;  ///< of these, of one client; 0: no bound of its own
  Milliseconds header_timeout{10'000};
  Milliseconds body_timeout{30'000};
  /// Between requests. Longer than the 60 s of usual proxies: the one that ends an idle connection
  /// first must not be the one that cannot repeat a request.
  Milliseconds idle_timeout{75'000};
  /// For an answer to go out; of a stream, for a client that takes nothing.
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
  /// Connections begin with what a trusted proxy says of them (the PROXY protocol, versions 1 and
  /// 2); those of others are refused.
  bool proxy_protocol = false;
  /// For how long an answer over TLS asks browsers to come over TLS alone; 0: it does not ask.
  /// Never asked of `localhost`, whose other ports are other programs'.
  Seconds transport_security{0};
  /// File descriptors that are set aside for this listener's connections when others have used up
  /// the process's.
  std::size_t reserved_descriptors = 0;
  /// Asked of a request that has been without an answer for `answer_patience`, and again each
  /// second: why to give it up with 503, or null to wait on. An answer that comes later is dropped.
  /// Null: all wait.
  std::function<const char*()> gives_up{};
  Milliseconds answer_patience{5'000};
  /// Where to count what bounds refuse; null: nobody reads it.
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
  std::size_t body_bytes = 0;  ///< held, of requests that have not come whole
};

/// One listening socket: accepts, deals the sockets out to the shards, serves HTTP/1.1 and
/// upgrades.
class Listener {
 public:
  virtual ~Listener() = default;
  /// The address that it is bound to, port 0 resolved: `127.0.0.1:40123`.
  [[nodiscard]] virtual const std::string& address() const noexcept = 0;
  /// Takes the address, so that `address` is known. Whoever connects is refused until `start`.
  /// Error `io` with the address.
  [[nodiscard]] virtual Result<void> bind() = 0;
  /// Binds, unless that is done, listens, logs `listening` and accepts. `service`, which is not
  /// null, outlives the shards' run. Once. Error `io` with the address.
  [[nodiscard]] virtual Result<void> start(std::shared_ptr<HttpService> service) = 0;
  /// Accepts no more; answers what is in flight, further requests with 503 and `Connection: close`;
  /// idle connections end. Any thread.
  virtual void drain() = 0;
  /// Ends what is left. Any thread.
  virtual void close() = 0;
  [[nodiscard]] virtual ServerStats stats() const = 0;
  /// Reads the listener's metrics, labelled with its name and address. Any thread.
  virtual void collect(MetricCollector& out) const = 0;
  /// Other limits from now on, also for connections that are open; a wait that has begun keeps its
  /// deadline. Any thread.
  virtual void change_limits(const HttpLimits& limits, bool access_log) = 0;
};
[[nodiscard]] std::unique_ptr<Listener> make_listener(ListenerOptions options, Shards& shards,
                                                      const Clock& clock);

}  // namespace holdfast::net
