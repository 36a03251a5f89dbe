#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <boost/asio/basic_waitable_timer.hpp>
#include <unistd.h>

#include <holdfast/base/log.hpp>

#include "net/http_session.hpp"
#include "net/part.hpp"
#include "net/socket_io.hpp"
#include "net/tls_session.hpp"

namespace holdfast::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
// Without descriptors, connections wait in the kernel's queue; asking again at once would spin.
constexpr Milliseconds kAcceptPause{50};
constexpr std::size_t kRefusedOpenMax = 256;
constexpr Milliseconds kSweepPeriodMin{5};
constexpr Milliseconds kSweepPeriodMax{500};

// Deadlines are kept to a quarter of the shortest.
Milliseconds sweep_period(const HttpLimits& limits) {
  const Milliseconds shortest =
      std::min({limits.header_timeout, limits.body_timeout, limits.idle_timeout,
                limits.write_timeout, limits.close_timeout});
  return std::clamp(shortest / 4, kSweepPeriodMin, kSweepPeriodMax);
}

/// The listening socket on its shard. Deals what it accepts out to all shards in turn.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::shared_ptr<ListenerCore> core, ListeningSocket listening)
      : core_(std::move(core)),
        socket_(core_->parts.front()->loop().context().get_executor()),
        timer_(core_->parts.front()->loop().context().get_executor()),
        unix_path_(std::move(listening.unix_path)) {
    ErrorCode ec;
    socket_.assign(asio::generic::stream_protocol(AF_INET, 0), listening.fd.release(), ec);
  }

  void wait() {
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](ErrorCode ec) {
      if (!ec && self->socket_.is_open()) self->accept();
    });
  }

  void stop() {
    if (!socket_.is_open()) return;
    // Closed first, it would look left behind, and another process might have put its own there.
    if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
    ErrorCode ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

 private:
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
      return pause(accepted.error);
    }
    wait();
  }

  void pause(int error) {
    if (!std::exchange(exhausted_, true)) {
      log::warn("accept_paused",
                {{"part", core_->options.name}, {"error", std::generic_category().message(error)}});
    }
    timer_.expires_after(kAcceptPause);
    timer_.async_wait([self = shared_from_this()](ErrorCode ec) {
      if (!ec && self->socket_.is_open()) self->accept();
    });
  }

  void deal(Accepted accepted) {
    const std::size_t bound = core_->connections_max;
    const bool refused = bound != 0 && core_->open_sockets >= bound + core_->refused_open;
    if (refused) {
      ++core_->refused_connections;
      // Telling a crowd politely would take the descriptors that the bound is there to keep.
      if (core_->refused_open >= kRefusedOpenMax) return;
    }
    Part& part = *core_->parts[next_++ % core_->parts.size()];
    SocketSlot slot(core_, refused);
    part.loop().post(
        [&part, refused, accepted = std::move(accepted), slot = std::move(slot)]() mutable {
          Socket socket(part.loop().context().get_executor());
          ErrorCode ec;
          socket.assign(asio::generic::stream_protocol(AF_INET, 0), accepted.fd.get(), ec);
          if (ec) return;
          (void)accepted.fd.release();
          std::shared_ptr<TlsSession> tls;
          if (const auto& server = part.listener().options.tls) {
            tls = static_cast<TlsFiles&>(*server).make_session(socket.native_handle());
          }
          const auto session =
              std::make_shared<HttpSession>(part, std::move(socket), std::move(tls),
                                            std::move(accepted.remote_address), std::move(slot));
          if (refused) {
            session->refuse();
          } else {
            session->start();
          }
        });
  }

  std::shared_ptr<ListenerCore> core_;
  Socket socket_;
  Timer timer_;
  std::string unix_path_;
  std::size_t next_ = 0;
  bool exhausted_ = false;
};

class TcpListener final : public Listener {
 public:
  TcpListener(ListenerOptions options, ShardSet& shards, const Clock& clock,
              std::shared_ptr<HttpService> service)
      : core_(std::make_shared<ListenerCore>(std::move(options), shards, clock,
                                             std::move(service))) {}
  ~TcpListener() override { close(); }

  [[nodiscard]] const std::string& address() const noexcept override { return address_; }

  // The kernel queues who connects from here on: only listening tells that the port is ours.
  [[nodiscard]] Result<void> bind() override {
    auto listening = listen_on(core_->options.address, core_->options.unix_mode);
    if (!listening) return std::unexpected(std::move(listening.error()));
    address_ = listening->address;
    acceptor_ = std::make_shared<Acceptor>(core_, std::move(*listening));
    return {};
  }

  [[nodiscard]] Result<void> start() override {
    if (!acceptor_) {
      if (auto bound = bind(); !bound) return bound;
    }
    for (const auto& part : core_->parts) {
      part->loop().post([&part = *part, core = core_] {
        part.loop().every(sweep_period(part.limits()), [&part, weak = std::weak_ptr(core)] {
          if (const auto alive = weak.lock()) part.sweep();
        });
        part.loop().at_stop([&part, core] { part.close(); });
      });
    }
    core_->parts.front()->loop().post([acceptor = acceptor_] { acceptor->wait(); });
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

  void change_limits(const HttpLimits& limits, bool access_log) override {
    core_->connections_max = limits.connections;
    core_->body_bytes_max = limits.body_bytes_in_flight;
    core_->access_log = access_log;
    for (const auto& part : core_->parts) {
      part->loop().post([&part = *part, core = core_, limits] { part.change_limits(limits); });
    }
  }

 private:
  void stop_accepting() {
    if (!acceptor_) return;
    core_->parts.front()->loop().post([acceptor = acceptor_] { acceptor->stop(); });
  }

  std::shared_ptr<ListenerCore> core_;
  std::shared_ptr<Acceptor> acceptor_;
  std::string address_;
};

}  // namespace

std::unique_ptr<Listener> make_listener(ListenerOptions options, Shards& shards, const Clock& clock,
                                        std::shared_ptr<HttpService> service) {
  return std::make_unique<TcpListener>(std::move(options), static_cast<ShardSet&>(shards), clock,
                                       std::move(service));
}

}  // namespace holdfast::net
