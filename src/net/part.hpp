#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/intrusive/list.hpp>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/histogram.hpp>
#include <holdfast/net/server.hpp>

#include "net/shards.hpp"

namespace holdfast::net {

class ListenerCore;

/// A socket's owner, as its listener's part on that shard sees it. It keeps itself alive until it
/// ends.
class Member : public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~Member() = default;
  /// The moment that it gave to `Part::watch` has passed.
  virtual void on_deadline() = 0;
  /// The listener takes no more requests.
  virtual void on_drain() = 0;
  /// Ends at once.
  virtual void end() = 0;

 private:
  friend class Part;
  SteadyTime deadline_ = SteadyTime::max();
};

/// What a listener has on one shard: its sockets' owners, and their deadlines, which one sweep
/// looks after. On that shard, but for what it has counted.
class Part {
 public:
  /// Written on the shard, read by any thread.
  struct Counted {
    Tally requests;
    std::array<Tally, 5> responses;  ///< by the status's first digit
    Tally http_bytes;
    Tally websocket_bytes;
    Tally refused_upgrades;
    Tally unread_ended;
    Tally failed_handshakes;
  };

  Part(ListenerCore& listener, ShardLoop& loop);

  [[nodiscard]] ListenerCore& listener() const noexcept { return listener_; }
  [[nodiscard]] ShardLoop& loop() const noexcept { return loop_; }
  [[nodiscard]] const HttpLimits& limits() const noexcept { return limits_; }
  void change_limits(const HttpLimits& limits) { limits_ = limits; }
  [[nodiscard]] SteadyTime now() const;
  [[nodiscard]] bool draining() const noexcept { return draining_; }

  /// Sweeps look at a member's deadline from now on.
  void watch(Member& member, SteadyTime deadline);
  /// No deadline: sweeps pass it by.
  void rest(Member& member);
  void sweep();
  void drain();
  void close();
  [[nodiscard]] Counted& counted() noexcept { return counted_; }
  void count_response(int status) noexcept;
  /// A WebSocket was ended for what it has not read; of many, one line tells now and then.
  void report_outbound_limit();
  /// The `Date` header's value, made once a second.
  [[nodiscard]] const std::string& date();

 private:
  using Members = boost::intrusive::list<Member, boost::intrusive::constant_time_size<false>>;

  template <class Action>
  static void for_each(Members& members, Action action);

  // In a cache line that no other shard writes.
  alignas(64) Counted counted_;
  ListenerCore& listener_;
  ShardLoop& loop_;
  HttpLimits limits_;
  Members watched_;
  Members resting_;
  std::string date_;
  std::int64_t date_second_ = -1;
  std::uint64_t unread_ended_ = 0;  ///< since the last line about them
  SteadyTime next_unread_line_ = SteadyTime::min();
  bool draining_ = false;
};

/// What all shards share of one listener. Lives as long as any of its sockets.
class ListenerCore : public std::enable_shared_from_this<ListenerCore> {
 public:
  ListenerCore(ListenerOptions listener_options, ShardSet& shards, const Clock& clock_source,
               std::shared_ptr<HttpService> http_service);

  const ListenerOptions options;
  const Clock& clock;
  const std::shared_ptr<HttpService> service;
  std::vector<std::unique_ptr<Part>> parts;  ///< by shard

  // Of `options`, as changed since.
  std::atomic<std::size_t> connections_max;
  std::atomic<std::size_t> body_bytes_max;  ///< in flight
  std::atomic<bool> access_log;

  std::atomic<std::size_t> open_sockets{0};
  std::atomic<std::size_t> open_websockets{0};
  std::atomic<std::size_t> refused_open{0};
  std::atomic<std::uint64_t> refused_connections{0};
  std::atomic<std::size_t> body_bytes{0};  ///< held, of bodies that have not come whole

  /// Any thread.
  [[nodiscard]] ServerStats stats() const;

  /// One line for each request; never its query or headers.
  struct Access {
    std::string_view method;
    std::string_view path;
    int status = 0;
    std::size_t bytes = 0;
    Microseconds duration{0};
    std::string_view remote;
    std::string_view request_id;     ///< may be empty
    std::string_view refused;        ///< may be empty
    std::string_view access_key_id;  ///< may be empty
  };
  void log_access(const Access& access) const;
};

/// What one request holds of the listener's bound on bodies that have not come whole. The listener
/// outlives it.
class BodyShare {
 public:
  explicit BodyShare(ListenerCore& listener) : listener_(listener) {}
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;
  ~BodyShare() { (void)resize(0); }

  /// Holds so many from now on; false when that is more than the bound leaves.
  [[nodiscard]] bool resize(std::size_t bytes) noexcept {
    if (bytes == held_) return true;
    const std::size_t all = listener_.body_bytes += bytes - held_;  // unsigned: may go down
    const bool more = bytes > held_;
    held_ = bytes;
    return !more || all <= listener_.body_bytes_max;
  }

 private:
  ListenerCore& listener_;
  std::size_t held_ = 0;
};

/// One open socket in the listener's count, wherever it moves.
class SocketSlot {
 public:
  SocketSlot(std::shared_ptr<ListenerCore> listener, bool refused)
      : listener_(std::move(listener)), refused_(refused) {
    ++listener_->open_sockets;
    if (refused_) ++listener_->refused_open;
  }
  SocketSlot(SocketSlot&&) noexcept = default;
  SocketSlot& operator=(SocketSlot&&) = delete;
  ~SocketSlot() {
    if (!listener_) return;
    --listener_->open_sockets;
    if (refused_) --listener_->refused_open;
  }

 private:
  std::shared_ptr<ListenerCore> listener_;
  bool refused_;
};

}  // namespace holdfast::net
