#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <boost/intrusive/list.hpp>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/metrics.hpp>
#include <holdfast/net/server.hpp>

#include "shards.hpp"
#include "socket_io.hpp"

namespace holdfast::net {

class ListenerState;

/// Owns a socket on a shard of its listener. It keeps itself alive until it ends.
class SocketOwner : public boost::intrusive::list_base_hook<
                        boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~SocketOwner() = default;
  /// Called when the deadline that it gave to `ListenerShard::watch` has passed.
  virtual void on_deadline() = 0;
  /// Called when the listener stops taking requests.
  virtual void on_drain() = 0;
  /// Ends at once.
  virtual void abort() = 0;
  /// Returns the client that it counts for; empty: none.
  [[nodiscard]] virtual std::string_view holder() const { return {}; }

 private:
  friend class ListenerShard;
  const void* list_ = nullptr;  ///< the shard's list that it is in
  SteadyTime deadline_ = SteadyTime::max();
};

/// Keeps what the access line tells of a request until its answer is over.
struct RequestTrace {
  std::string method;
  std::string path;
  std::string remote;
  SteadyTime started;
};

/// The class of an HTTP status: 1xx to 5xx.
enum class StatusClass : std::uint8_t {
  informational,
  successful,
  redirection,
  client_error,
  server_error,
  last = server_error,
};
/// `2xx`, the metric's label.
[[nodiscard]] const char* to_string(StatusClass status) noexcept;

/// Counts what a listener does on one shard. Written on that shard, read by any thread. In cache
/// lines that no other shard writes.
struct alignas(64) ListenerShardMetrics : MetricSet {
  static constexpr MetricFamily kBytes{
      "holdfast_outbound_bytes_total",
      "Bytes sent to clients, before TLS: answers and WebSocket frames.",
      {"protocol"}};

  Counter requests;  ///< that came; the metric has those that were answered
  CounterBy<StatusClass> responses{
      *this,
      {"holdfast_http_requests_total",
       "Answered requests, by the class of the status; 1xx is an opened WebSocket.",
       {"status"}},
      to_string};
  Counter http_bytes{*this, kBytes, {"http"}};
  Counter websocket_bytes{*this, kBytes, {"websocket"}};
  Counter unread_ended{*this,
                       {"holdfast_unread_connections_ended_total",
                        "WebSockets ended because the client left too much unread."}};
  Counter failed_handshakes{
      *this, {"holdfast_tls_handshake_failures_total", "TLS handshakes that did not finish."}};
  MetricSet of_all_listeners;
  Counter refused_upgrades{of_all_listeners, kRefusedUpgrades, {"handshake"}};
};

/// Keeps a listener's sockets on one shard, and checks their deadlines in one sweep. Used on that
/// shard alone, except for its metrics.
class ListenerShard {
 public:
  ListenerShard(ListenerState& listener, ShardLoop& loop);

  [[nodiscard]] ListenerState& listener() const noexcept { return listener_; }
  [[nodiscard]] ShardLoop& loop() const noexcept { return loop_; }
  [[nodiscard]] const HttpLimits& limits() const noexcept { return limits_; }
  void change_limits(const HttpLimits& limits) { limits_ = limits; }
  [[nodiscard]] SteadyTime now() const;
  [[nodiscard]] bool draining() const noexcept { return draining_; }

  /// Sets the deadline of an owner.
  void watch(SocketOwner& owner, SteadyTime deadline);
  /// Sets the deadline of an owner that waits for a request. It may be ended to make room.
  void idle(SocketOwner& owner, SteadyTime deadline);
  /// Marks the beginning of an owner's request. The deadline stays.
  void end_idle(SocketOwner& owner);
  /// Removes the deadline of an owner.
  void rest(SocketOwner& owner);
  /// Ends the owner that has been idle longest, of the client `holder` unless that is empty. Looks
  /// only at the first idle ones. Returns false if there is none.
  bool end_longest_idle(std::string_view holder = {});
  void sweep();
  void drain();
  void close();
  [[nodiscard]] ListenerShardMetrics& metrics() noexcept { return metrics_; }
  void count_response(int status) noexcept;
  /// Counts a connection that ended because of unread bytes. Logs one line for many.
  void report_outbound_limit();
  /// Counts a connection without a valid PROXY header. Logs one line for many.
  void report_proxy_header(std::string_view remote, const char* reason);
  /// Logs that a client had gone before its connection was more than a request.
  void report_failed_handover(const RequestTrace& request) const;
  /// Returns the value of the `Date` header, made once a second.
  [[nodiscard]] const std::string& date();

 private:
  using SocketOwners =
      boost::intrusive::list<SocketOwner, boost::intrusive::constant_time_size<false>>;

  template <class Action>
  static void for_each(SocketOwners& owners, Action action);
  static void put(SocketOwner& owner, SocketOwners& list, SteadyTime deadline);

  ListenerShardMetrics metrics_;
  ListenerState& listener_;
  ShardLoop& loop_;
  HttpLimits limits_;
  SocketOwners watched_;
  SocketOwners idle_;  ///< the longest first
  SocketOwners resting_;
  std::string date_;
  std::int64_t date_second_ = -1;
  std::uint64_t unread_ended_ = 0;  ///< since the last line about them
  SteadyTime next_unread_line_ = SteadyTime::min();
  std::uint64_t proxy_headers_refused_ = 0;  ///< since the last line about them
  SteadyTime next_proxy_line_ = SteadyTime::min();
  bool draining_ = false;
};

/// Keeps spare file descriptors. One is closed when the process has no other, and opened again as
/// soon as possible. Any thread.
class DescriptorReserve {
 public:
  explicit DescriptorReserve(std::size_t wanted) : wanted_(wanted) { refill(); }

  void refill();
  /// Closes one. Returns false if there is none.
  bool let_go_of_one();

 private:
  const std::size_t wanted_;
  std::mutex mutex_;
  std::vector<UniqueFd> spare_;
};

/// The state of a listener that its shards share. Lives as long as any of its sockets.
class ListenerState : public std::enable_shared_from_this<ListenerState> {
 public:
  ListenerState(ListenerOptions listener_options, ShardSet& all_shards, const Clock& clock_source);

  const ListenerOptions options;
  const Clock& clock;
  std::shared_ptr<HttpService> service;  ///< set before anything is accepted
  const bool is_unix;
  std::vector<std::unique_ptr<ListenerShard>> shards;  ///< by index

  // The live values of `options`.
  std::atomic<std::size_t> connections_max;
  std::atomic<std::size_t> body_bytes_max;  ///< in flight
  std::atomic<bool> access_log;

  std::atomic<std::size_t> open_sockets{0};
  std::atomic<std::size_t> open_websockets{0};
  std::atomic<std::size_t> admitted{0};  ///< of those; the others are on their way, or refused
  std::atomic<std::size_t> refused_open{0};
  std::atomic<std::uint64_t> refused_connections{0};
  std::atomic<std::size_t> body_bytes{0};  ///< of incomplete requests

  Shares connection_shares;
  Shares body_shares;
  DescriptorReserve reserve;
  MetricSet metrics;  ///< of the numbers above, which many threads write

  void note_refusal(Bound bound, BoundScope scope) const {
    if (options.refusals) options.refusals->add(bound, scope);
  }
  /// Returns how many sockets may be open only to get a refusal.
  [[nodiscard]] std::size_t refused_open_max() const noexcept;

  /// Adds up the shards' numbers. Any thread.
  [[nodiscard]] ServerStats stats() const;
  /// Reads the metrics of all shards, with these labels. Any thread.
  void collect(MetricCollector& out, const MetricLabels& labels) const;

  /// The access line of a request. It never has the query or headers.
  struct Access {
    std::string_view method;
    std::string_view path;
    int status = 0;
    std::size_t bytes = 0;
    Microseconds duration{0};
    std::string_view remote;
    const LogFields& fields;
    std::string_view refused;  ///< may be empty
  };
  void log_access(const Access& access) const;

 private:
  void declare_metrics();
};

/// Counts the bytes of one incomplete request against the listener's limits. The listener outlives
/// it.
class BodyBudget {
 public:
  explicit BodyBudget(ListenerState& listener) : listener_(listener) {}
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;
  ~BodyBudget() { release(); }

  /// Changes the bytes that it counts, for the client `holder` unless that is empty. Returns false
  /// if a limit refuses, which is counted under `bound`.
  [[nodiscard]] bool resize(std::size_t bytes, std::string_view holder, Bound bound);
  void release() noexcept;

 private:
  ListenerState& listener_;
  std::size_t bytes_ = 0;
  Shares::Hold share_;
};

/// Counts one open socket in its listener, wherever it moves.
class OpenSocketGuard {
 public:
  explicit OpenSocketGuard(std::shared_ptr<ListenerState> listener)
      : listener_(std::move(listener)) {
    ++listener_->open_sockets;
  }
  OpenSocketGuard(OpenSocketGuard&& other) noexcept
      : listener_(std::move(other.listener_)),
        admitted_(std::exchange(other.admitted_, false)),
        refused_(std::exchange(other.refused_, false)),
        holder_(std::move(other.holder_)),
        share_(std::move(other.share_)) {}
  OpenSocketGuard& operator=(OpenSocketGuard&&) = delete;
  ~OpenSocketGuard() { reset(); }

  /// Takes a place within the listener's limit. Returns false if there is none. Call it once.
  [[nodiscard]] bool admit() noexcept;
  /// Marks a socket that is open only to get a refusal.
  void set_refused() noexcept {
    refused_ = true;
    ++listener_->refused_open;
  }
  /// Counts for this client from now on, and for no other; empty: for none. Returns false if the
  /// client's share is used up; then it counts for none.
  [[nodiscard]] bool count_for(std::string holder);
  [[nodiscard]] const std::string& holder() const noexcept { return holder_; }
  /// Ends the count, since the socket is closed.
  void reset() noexcept;

 private:
  std::shared_ptr<ListenerState> listener_;
  bool admitted_ = false;
  bool refused_ = false;
  std::string holder_;
  Shares::Hold share_;
};

}  // namespace holdfast::net
