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
  virtual void abort() = 0;
  /// The client that it counts for; empty: none.
  [[nodiscard]] virtual std::string_view holder() const { return {}; }

 private:
  friend class Part;
  const void* list_ = nullptr;  ///< of the part's, the one that it is in
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
struct alignas(64) PartMetrics : MetricSet {
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

/// What a listener has on one shard: its sockets' owners, and their deadlines, which one sweep
/// looks after. On that shard, but for what it has counted.
class Part {
 public:
  Part(ListenerCore& listener, ShardLoop& loop);

  [[nodiscard]] ListenerCore& listener() const noexcept { return listener_; }
  [[nodiscard]] ShardLoop& loop() const noexcept { return loop_; }
  [[nodiscard]] const HttpLimits& limits() const noexcept { return limits_; }
  void change_limits(const HttpLimits& limits) { limits_ = limits; }
  [[nodiscard]] SteadyTime now() const;
  [[nodiscard]] bool draining() const noexcept { return draining_; }

  /// Sweeps look at a member's deadline from now on.
  void watch(Member& member, SteadyTime deadline);
  /// Likewise, for one that waits for a request: it may be ended where there is no room.
  void idle(Member& member, SteadyTime deadline);
  /// Its request has begun; the deadline stays.
  void end_idle(Member& member);
  /// No deadline: sweeps pass it by.
  void rest(Member& member);
  /// Ends the member that has been idle longest; where a client is named, one of that client among
  /// those that have been idle longest. False: there is none.
  bool end_longest_idle(std::string_view holder = {});
  void sweep();
  void drain();
  void close();
  [[nodiscard]] PartMetrics& metrics() noexcept { return metrics_; }
  void count_response(int status) noexcept;
  /// A connection was ended for what it has not read; of many, one line tells now and then.
  void report_outbound_limit();
  /// Likewise of a connection that did not begin as the PROXY protocol has it.
  void report_proxy_header(std::string_view remote, const char* reason);
  /// Logs that a client had gone before its connection was more than a request.
  void report_failed_handover(const RequestTrace& request) const;
  /// The `Date` header's value, made once a second.
  [[nodiscard]] const std::string& date();

 private:
  using Members = boost::intrusive::list<Member, boost::intrusive::constant_time_size<false>>;

  template <class Action>
  static void for_each(Members& members, Action action);
  static void put(Member& member, Members& list, SteadyTime deadline);

  PartMetrics metrics_;
  ListenerCore& listener_;
  ShardLoop& loop_;
  HttpLimits limits_;
  Members watched_;
  Members idle_;  ///< the longest first
  Members resting_;
  std::string date_;
  std::int64_t date_second_ = -1;
  std::uint64_t unread_ended_ = 0;  ///< since the last line about them
  SteadyTime next_unread_line_ = SteadyTime::min();
  std::uint64_t proxy_headers_refused_ = 0;  ///< likewise
  SteadyTime next_proxy_line_ = SteadyTime::min();
  bool draining_ = false;
};

/// File descriptors set aside: let go of when the process has no other, taken back as soon as one
/// is free. Any thread.
class DescriptorReserve {
 public:
  explicit DescriptorReserve(std::size_t wanted) : wanted_(wanted) { refill(); }

  void refill();
  /// False: there is none.
  bool let_go_of_one();

 private:
  const std::size_t wanted_;
  std::mutex mutex_;
  std::vector<UniqueFd> held_;
};

/// What all shards share of one listener. Lives as long as any of its sockets.
class ListenerCore : public std::enable_shared_from_this<ListenerCore> {
 public:
  ListenerCore(ListenerOptions listener_options, ShardSet& shards, const Clock& clock_source);

  const ListenerOptions options;
  const Clock& clock;
  std::shared_ptr<HttpService> service;  ///< set before anything is accepted
  const bool is_unix;
  std::vector<std::unique_ptr<Part>> parts;  ///< by shard

  // Of `options`, as changed since.
  std::atomic<std::size_t> connections_max;
  std::atomic<std::size_t> body_bytes_max;  ///< in flight
  std::atomic<bool> access_log;

  std::atomic<std::size_t> open_sockets{0};
  std::atomic<std::size_t> open_websockets{0};
  std::atomic<std::size_t> admitted{0};  ///< of those; the others are on their way, or refused
  std::atomic<std::size_t> refused_open{0};
  std::atomic<std::uint64_t> refused_connections{0};
  std::atomic<std::size_t> body_bytes{0};  ///< held, of requests that have not come whole

  Shares connection_shares;
  Shares body_shares;
  DescriptorReserve reserve;
  MetricSet metrics;  ///< of the numbers above, which many threads write

  void note_refusal(Bound bound, BoundScope scope) const {
    if (options.refusals) options.refusals->add(bound, scope);
  }
  /// How many sockets may be open at once only to be told that there is no room.
  [[nodiscard]] std::size_t refused_open_max() const noexcept;

  /// Any thread.
  [[nodiscard]] ServerStats stats() const;
  /// Reads the metrics of all shards, with these labels. Any thread.
  void collect(MetricCollector& out, const MetricLabels& labels) const;

  /// One line for each request; never its query or headers.
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

/// What one request holds of the listener's bound on those that have not come whole. The listener
/// outlives it.
class BodyShare {
 public:
  explicit BodyShare(ListenerCore& listener) : listener_(listener) {}
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;
  ~BodyShare() { release(); }

  /// Holds so many from now on, for a client unless `holder` is empty; false when that is more than
  /// the bounds leave, which is counted under `bound`.
  [[nodiscard]] bool resize(std::size_t bytes, std::string_view holder, Bound bound);
  void release() noexcept;

 private:
  ListenerCore& listener_;
  std::size_t held_ = 0;
  Shares::Hold share_;
};

/// One open socket in the listener's counts, wherever it moves.
class SocketSlot {
 public:
  explicit SocketSlot(std::shared_ptr<ListenerCore> listener) : listener_(std::move(listener)) {
    ++listener_->open_sockets;
  }
  SocketSlot(SocketSlot&& other) noexcept
      : listener_(std::move(other.listener_)),
        admitted_(std::exchange(other.admitted_, false)),
        refused_(std::exchange(other.refused_, false)),
        holder_(std::move(other.holder_)),
        share_(std::move(other.share_)) {}
  SocketSlot& operator=(SocketSlot&&) = delete;
  ~SocketSlot() { reset(); }

  /// Whether the listener's bound has room for it; then it takes that. Once.
  [[nodiscard]] bool admit() noexcept;
  /// It is open only to be told that there is no room.
  void set_refused() noexcept {
    refused_ = true;
    ++listener_->refused_open;
  }
  /// Counts for this client from now on, and for no other; empty: for none. False when the client
  /// has its share, which counts it for none.
  [[nodiscard]] bool count_for(std::string holder);
  [[nodiscard]] const std::string& holder() const noexcept { return holder_; }
  /// The socket is closed.
  void reset() noexcept;

 private:
  std::shared_ptr<ListenerCore> listener_;
  bool admitted_ = false;
  bool refused_ = false;
  std::string holder_;
  Shares::Hold share_;
};

}  // namespace holdfast::net
