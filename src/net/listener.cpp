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

#include "http_session.hpp"
#include "part.hpp"
#include "socket_io.hpp"

namespace holdfast::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
// Without descriptors, connections wait in the kernel's queue; asking again at once would spin.
constexpr Milliseconds kAcceptPause{50};
constexpr Milliseconds kSweepPeriodMin{5};
constexpr Milliseconds kSweepPeriodMax{500};

// Deadlines are kept to a quarter of the shortest.
Milliseconds sweep_period(const HttpLimits& limits) {
  const Milliseconds shortest =
      std::min({limits.header_timeout, limits.body_timeout, limits.idle_timeout,
                limits.write_timeout, limits.close_timeout});
  return std::clamp(shortest / 4, kSweepPeriodMin, kSweepPeriodMax);
}

/// A socket that was accepted, on its way to a shard with room for it.
struct Arrival {
  Accepted accepted;
  SocketSlot slot;
  bool trusted = false;         ///< it is a proxy's
  std::size_t parts_asked = 0;  ///< which had no room
};

void open_session(Part& part, Arrival arrival, const char* refused) {
  const auto session = std::make_shared<HttpSession>(part, std::move(arrival.accepted.fd),
                                                     std::move(arrival.accepted.remote_address),
                                                     arrival.trusted, std::move(arrival.slot));
  if (refused != nullptr) {
    session->refuse(refused);
  } else {
    session->start();
  }
}

void refuse(Part& part, Arrival arrival, BoundScope scope) {
  ListenerCore& core = part.listener();
  ++core.refused_connections;
  core.note_refusal(Bound::connections, scope);
  // Telling a crowd politely would take the descriptors that the bound is there to keep.
  if (core.refused_open >= core.refused_open_max()) return;
  arrival.slot.set_refused();
  open_session(part, std::move(arrival),
               scope == BoundScope::all ? "limits.connections" : "limits.connections_per_address");
}

// On the part's shard.
void admit(Part& part, Arrival arrival) {
  ListenerCore& core = part.listener();
  const std::string holder = core.is_unix || arrival.trusted
                                 ? std::string()
                                 : client_share_key(arrival.accepted.remote_address);
  bool shared = arrival.slot.count_for(holder);
  if (!shared && part.end_longest_idle(holder)) shared = arrival.slot.count_for(holder);
  bool admitted = shared && arrival.slot.admit();
  if (shared && !admitted && part.end_longest_idle()) admitted = arrival.slot.admit();
  if (admitted) return open_session(part, std::move(arrival), nullptr);
  if (++arrival.parts_asked == core.parts.size()) {
    return refuse(part, std::move(arrival), shared ? BoundScope::all : BoundScope::share);
  }
  Part& next = *core.parts[(part.loop().index() + 1) % core.parts.size()];
  next.loop().post(
      [&next, arrival = std::move(arrival)]() mutable { admit(next, std::move(arrival)); });
}

/// The listening socket on its shard. Deals what it accepts out to all shards in turn.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  /// On any thread. `listening` listens already.
  Acceptor(std::shared_ptr<ListenerCore> core, ListeningSocket listening)
      : core_(std::move(core)),
        listening_(std::move(listening)),
        socket_(core_->parts.front()->loop().context().get_executor()),
        timer_(core_->parts.front()->loop().context().get_executor()) {}

  // On the shard, as are all that follow: its reactor takes no locks.
  void start() {
    ErrorCode ec;
    socket_.assign(asio::generic::stream_protocol(AF_INET, 0), listening_.fd.get(), ec);
    if (ec) return pause(ec.value());
    (void)listening_.fd.release();
    wait();
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    // Closed first, it would look left behind, and another process might have put its own there.
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

  // Whether there may be a descriptor now.
  bool make_room() {
    return core_->reserve.let_go_of_one() || core_->parts.front()->end_longest_idle();
  }

  void pause(int error) {
    if (!std::exchange(exhausted_, true)) {
      log::warn("accept_paused",
                {{"part", core_->options.name}, {"error", std::generic_category().message(error)}});
    }
    timer_.expires_after(kAcceptPause);
    timer_.async_wait([self = shared_from_this()](ErrorCode ec) {
      if (ec || self->stopped_) return;
      self->socket_.is_open() ? self->accept() : self->start();
    });
  }

  void deal(Accepted accepted) {
    Part& part = *core_->parts[next_++ % core_->parts.size()];
    const TrustedProxies& proxies = core_->options.trusted_proxies;
    const bool trusted = !proxies.empty() && proxies.trusts(accepted.remote_address);
    Arrival arrival{.accepted = std::move(accepted), .slot = SocketSlot(core_), .trusted = trusted};
    part.loop().post(
        [&part, arrival = std::move(arrival)]() mutable { admit(part, std::move(arrival)); });
  }

  std::shared_ptr<ListenerCore> core_;
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
      : core_(std::make_shared<ListenerCore>(std::move(options), shards, clock)) {}
  ~TcpListener() override { close(); }

  [[nodiscard]] const std::string& address() const noexcept override { return address_; }

  [[nodiscard]] Result<void> bind() override {
    auto bound = bind_socket(core_->options.address, core_->options.unix_mode);
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
    core_->service = std::move(service);
    acceptor_ = std::make_shared<Acceptor>(core_, std::move(*bound_));
    for (const auto& part : core_->parts) {
      part->loop().post([&part = *part, core = core_] {
        part.loop().every(sweep_period(part.limits()), [&part, weak = std::weak_ptr(core)] {
          if (const auto alive = weak.lock()) part.sweep();
        });
        part.loop().at_stop([&part, core] { part.close(); });
      });
    }
    core_->parts.front()->loop().post([acceptor = acceptor_] { acceptor->start(); });
    // Whatever the level: scripts wait for this line, and learn their port from it.
    log::write(log::Level::info, "listening",
               {{"part", core_->options.name}, {"address", address_}});
    return {};
  }

  void drain() override {
    stop_accepting();
    for (const auto& part : core_->parts) {
      part->loop().post([&part = *part, core = core_] { part.drain(); });
    }
  }

  void close() override {
    stop_accepting();
    for (const auto& part : core_->parts) {
      part->loop().post([&part = *part, core = core_] { part.close(); });
    }
  }

  [[nodiscard]] ServerStats stats() const override { return core_->stats(); }
  void collect(MetricCollector& out) const override {
    core_->collect(out, {{"listener", core_->options.name}, {"address", address_}});
  }

  void change_limits(const HttpLimits& limits, bool access_log) override {
    core_->connections_max = limits.connections;
    core_->body_bytes_max = limits.body_bytes_in_flight;
    core_->connection_shares.change(0, limits.connections_per_address);
    core_->body_shares.change(0, limits.body_bytes_per_address);
    core_->access_log = access_log;
    for (const auto& part : core_->parts) {
      part->loop().post([&part = *part, core = core_, limits] { part.change_limits(limits); });
    }
  }

 private:
  void stop_accepting() {
    if (!acceptor_) {
      if (bound_ && !bound_->unix_path.empty()) ::unlink(bound_->unix_path.c_str());
      bound_.reset();
      return;
    }
    core_->parts.front()->loop().post([acceptor = acceptor_] { acceptor->stop(); });
  }

  std::shared_ptr<ListenerCore> core_;
  std::optional<ListeningSocket> bound_;  ///< until it listens
  std::shared_ptr<Acceptor> acceptor_;
  std::string address_;
};

}  // namespace

std::unique_ptr<Listener> make_listener(ListenerOptions options, Shards& shards,
                                        const Clock& clock) {
  return std::make_unique<TcpListener>(std::move(options), static_cast<ShardSet&>(shards), clock);
}

}  // namespace holdfast::net
