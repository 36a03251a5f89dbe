// Accepts connections and deals them out to the shards.

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <boost/asio/basic_waitable_timer.hpp>
#include <unistd.h>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/log.hpp>

#include "http_connection.hpp"
#include "listener_shard.hpp"
#include "socket_io.hpp"

namespace holdfast::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
// Without descriptors, connections wait in the kernel's queue. Accepting again at once would spin.
constexpr Milliseconds kAcceptPause{50};
constexpr Milliseconds kSweepPeriodMin{5};
constexpr Milliseconds kSweepPeriodMax{500};

// Returns the period of sweeps. Deadlines are kept to a quarter of the shortest.
Milliseconds sweep_period(const HttpLimits& limits) {
  const Milliseconds shortest =
      std::min({limits.header_timeout, limits.body_timeout, limits.idle_timeout,
                limits.write_timeout, limits.close_timeout});
  return std::clamp(shortest / 4, kSweepPeriodMin, kSweepPeriodMax);
}

/// An accepted socket on its way to a shard with room for it.
struct Arrival {
  Accepted accepted;
  OpenSocketGuard slot;
  bool trusted = false;          ///< the peer is a trusted proxy
  std::size_t shards_asked = 0;  ///< those without room
};

void open_connection(ListenerShard& shard, Arrival arrival, const char* refused) {
  const auto connection = std::make_shared<HttpConnection>(
      shard, std::move(arrival.accepted.fd), std::move(arrival.accepted.remote_address),
      arrival.trusted, std::move(arrival.slot));
  if (refused != nullptr) {
    connection->refuse(refused);
  } else {
    connection->start();
  }
}

void refuse(ListenerShard& shard, Arrival arrival, BoundScope scope) {
  ListenerState& state = shard.listener();
  ++state.refused_connections;
  state.note_refusal(Bound::connections, scope);
  // Answering a crowd would use up the descriptors that the limit protects.
  if (state.refused_open >= state.refused_open_max()) return;
  arrival.slot.set_refused();
  open_connection(
      shard, std::move(arrival),
      scope == BoundScope::all ? "limits.connections" : "limits.connections_per_address");
}

// Admits the socket, or asks the next shard for room. On `shard`.
void admit(ListenerShard& shard, Arrival arrival) {
  ListenerState& state = shard.listener();
  const std::string holder = state.is_unix || arrival.trusted
                                 ? std::string()
                                 : client_share_key(arrival.accepted.remote_address);
  bool shared = arrival.slot.count_for(holder);
  if (!shared && shard.end_longest_idle(holder)) shared = arrival.slot.count_for(holder);
  bool admitted = shared && arrival.slot.admit();
  if (shared && !admitted && shard.end_longest_idle()) admitted = arrival.slot.admit();
  if (admitted) return open_connection(shard, std::move(arrival), nullptr);
  if (++arrival.shards_asked == state.shards.size()) {
    return refuse(shard, std::move(arrival), shared ? BoundScope::all : BoundScope::share);
  }
  ListenerShard& next = *state.shards[(shard.loop().index() + 1) % state.shards.size()];
  next.loop().post(
      [&next, arrival = std::move(arrival)]() mutable { admit(next, std::move(arrival)); });
}

/// Owns the listening socket, on its shard. Deals accepted sockets out to all shards in turn.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  /// Any thread. `listening` listens already.
  Acceptor(std::shared_ptr<ListenerState> state, ListeningSocket listening)
      : state_(std::move(state)),
        listening_(std::move(listening)),
        socket_(state_->shards.front()->loop().context().get_executor()),
        timer_(state_->shards.front()->loop().context().get_executor()) {}

  // This and all that follows runs on the shard, whose reactor takes no locks.
  void start() {
    ErrorCode ec;
    socket_.assign(asio::generic::stream_protocol(AF_INET, 0), listening_.fd.get(), ec);
    if (ec) return pause(ec.value());
    (void)listening_.fd.release();
    wait();
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    // Unlinking after the close could remove the file of another process that has taken the path.
    if (!listening_.unix_path.empty()) ::unlink(listening_.unix_path.c_str());
    ErrorCode ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

 private:
  void wait() {
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](ErrorCode ec) {
      if (!ec && !self->stopped_) self->accept();
    });
  }

  void accept() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      Accepted accepted = accept_one(socket_.native_handle());
      if (accepted.fd) {
        deal(std::move(accepted));
        exhausted_ = false;
        continue;
      }
      if (accepted.error == EAGAIN || accepted.error == EWOULDBLOCK) break;
      if (accepted.error == ECONNABORTED || accepted.error == EINTR) continue;
      if ((accepted.error == EMFILE || accepted.error == ENFILE) && make_room()) continue;
      return pause(accepted.error);
    }
    wait();
  }

  // Returns whether there may be a descriptor now.
  bool make_room() {
    return state_->reserve.let_go_of_one() || state_->shards.front()->end_longest_idle();
  }

  void pause(int error) {
    if (!std::exchange(exhausted_, true)) {
      log::warn("accept_paused", {{"part", state_->options.name},
                                  {"reason", std::generic_category().message(error)}});
    }
    timer_.expires_after(kAcceptPause);
    timer_.async_wait([self = shared_from_this()](ErrorCode ec) {
      if (ec || self->stopped_) return;
      self->socket_.is_open() ? self->accept() : self->start();
    });
  }

  void deal(Accepted accepted) {
    ListenerShard& shard = *state_->shards[next_++ % state_->shards.size()];
    const TrustedProxies& proxies = state_->options.trusted_proxies;
    const bool trusted = !proxies.empty() && proxies.trusts(accepted.remote_address);
    Arrival arrival{
        .accepted = std::move(accepted), .slot = OpenSocketGuard(state_), .trusted = trusted};
    shard.loop().post(
        [&shard, arrival = std::move(arrival)]() mutable { admit(shard, std::move(arrival)); });
  }

  std::shared_ptr<ListenerState> state_;
  ListeningSocket listening_;  ///< without its descriptor once `socket_` has it
  Socket socket_;
  Timer timer_;
  std::size_t next_ = 0;
  bool exhausted_ = false;
  bool stopped_ = false;
};

class TcpListener final : public Listener {
 public:
  TcpListener(ListenerOptions options, ShardSet& shards, const Clock& clock)
      : state_(std::make_shared<ListenerState>(std::move(options), shards, clock)) {}
  ~TcpListener() override { close(); }

  [[nodiscard]] const std::string& address() const noexcept override { return address_; }

  [[nodiscard]] Result<void> bind() override {
    auto bound = bind_socket(state_->options.address, state_->options.unix_mode);
    if (!bound) return std::unexpected(std::move(bound.error()));
    address_ = bound->address;
    bound_ = std::move(*bound);
    return {};
  }

  [[nodiscard]] Result<void> start(std::shared_ptr<HttpService> service) override {
    HOLDFAST_ASSERT(service && !acceptor_, "listener.starts_once_with_a_service");
    if (!bound_) {
      if (auto bound = bind(); !bound) return bound;
    }
    if (auto listening = listen_on(*bound_); !listening) return listening;
    state_->service = std::move(service);
    acceptor_ = std::make_shared<Acceptor>(state_, std::move(*bound_));
    for (const auto& shard : state_->shards) {
      shard->loop().post([&shard = *shard, state = state_] {
        shard.loop().every(sweep_period(shard.limits()), [&shard, weak = std::weak_ptr(state)] {
          if (const auto alive = weak.lock()) shard.sweep();
        });
        shard.loop().at_stop([&shard, state] { shard.close(); });
      });
    }
    state_->shards.front()->loop().post([acceptor = acceptor_] { acceptor->start(); });
    // The level does not matter: scripts wait for this line and read their port from it.
    log::write(log::Level::info, "listening",
               {{"part", state_->options.name}, {"address", address_}});
    return {};
  }

  void drain() override {
    stop_accepting();
    for (const auto& shard : state_->shards) {
      shard->loop().post([&shard = *shard, state = state_] { shard.drain(); });
    }
  }

  void close() override {
    stop_accepting();
    for (const auto& shard : state_->shards) {
      shard->loop().post([&shard = *shard, state = state_] { shard.close(); });
    }
  }

  [[nodiscard]] ServerStats stats() const override { return state_->stats(); }
  void collect(MetricCollector& out) const override {
    state_->collect(out, {{"listener", state_->options.name}, {"address", address_}});
  }

  void change_limits(const HttpLimits& limits, bool access_log) override {
    state_->connections_max = limits.connections;
    state_->body_bytes_max = limits.body_bytes_in_flight;
    state_->connection_shares.change(0, limits.connections_per_address);
    state_->body_shares.change(0, limits.body_bytes_per_address);
    state_->access_log = access_log;
    for (const auto& shard : state_->shards) {
      shard->loop().post(
          [&shard = *shard, state = state_, limits] { shard.change_limits(limits); });
    }
  }

 private:
  void stop_accepting() {
    if (!acceptor_) {
      if (bound_ && !bound_->unix_path.empty()) ::unlink(bound_->unix_path.c_str());
      bound_.reset();
      return;
    }
    state_->shards.front()->loop().post([acceptor = acceptor_] { acceptor->stop(); });
  }

  std::shared_ptr<ListenerState> state_;
  std::optional<ListeningSocket> bound_;  ///< until it listens
  std::shared_ptr<Acceptor> acceptor_;
  std::string address_;
};

}  // namespace

std::unique_ptr<Listener> make_listener(ListenerOptions options, Shards& shards,
                                        const Clock& clock) {
  return std::make_unique<TcpListener>(std::move(options), shards.set(), clock);
}

}  // namespace holdfast::net
