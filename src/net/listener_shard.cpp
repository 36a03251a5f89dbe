// A listener's sockets on one shard, and the listener's common state.

#include "listener_shard.hpp"

#include <algorithm>
#include <array>
#include <expected>
#include <span>
#include <utility>

#include <fcntl.h>

#include <holdfast/base/log.hpp>

namespace holdfast::net {
namespace {

constexpr std::size_t kLoggedPathBytes = 256;
constexpr Seconds kBetweenLines{10};
// Limits the search, so that a client without room does not cost a walk along all connections.
constexpr std::size_t kIdleLookedAt = 128;
constexpr std::size_t kRefusedOpenMin = 8;
constexpr std::size_t kRefusedOpenMax = 256;
constexpr std::size_t kConnectionsPerRefused = 8;

}  // namespace

const char* to_string(StatusClass status) noexcept {
  constexpr std::array kNames = {"1xx", "2xx", "3xx", "4xx", "5xx"};
  return kNames[static_cast<std::size_t>(status)];
}

ListenerShard::ListenerShard(ListenerState& listener, ShardLoop& loop)
    : listener_(listener), loop_(loop), limits_(listener.options.limits) {}

SteadyTime ListenerShard::now() const { return listener_.clock.steady_now(); }

void ListenerShard::put(SocketOwner& owner, SocketOwners& list, SteadyTime deadline) {
  if (owner.is_linked()) owner.unlink();
  list.push_back(owner);
  owner.list_ = &list;
  owner.deadline_ = deadline;
}

void ListenerShard::watch(SocketOwner& owner, SteadyTime deadline) {
  if (owner.is_linked() && owner.list_ == &watched_) {
    owner.deadline_ = deadline;
  } else {
    put(owner, watched_, deadline);
  }
}

void ListenerShard::idle(SocketOwner& owner, SteadyTime deadline) { put(owner, idle_, deadline); }

void ListenerShard::end_idle(SocketOwner& owner) { put(owner, watched_, owner.deadline_); }

void ListenerShard::rest(SocketOwner& owner) {
  if (!owner.is_linked() || owner.list_ != &resting_) put(owner, resting_, SteadyTime::max());
}

bool ListenerShard::end_longest_idle(std::string_view holder) {
  std::size_t looked_at = 0;
  for (SocketOwner& owner : idle_) {
    if (!holder.empty() && owner.holder() != holder) {
      if (++looked_at == kIdleLookedAt) return false;
      continue;
    }
    owner.abort();
    return true;
  }
  return false;
}

// Calls `action` for each owner. The owner may end inside, and so leave the list; it ends no other.
template <class Action>
void ListenerShard::for_each(SocketOwners& owners, Action action) {
  for (auto it = owners.begin(); it != owners.end();) {
    SocketOwner& owner = *it;
    ++it;
    action(owner);
  }
}

void ListenerShard::sweep() {
  const SteadyTime at = now();
  const auto look = [at](SocketOwner& owner) {
    if (owner.deadline_ <= at) owner.on_deadline();
  };
  for_each(watched_, look);
  for_each(idle_, look);
  listener_.reserve.refill();
}

void ListenerShard::drain() {
  draining_ = true;
  for_each(watched_, [](SocketOwner& owner) { owner.on_drain(); });
  for_each(idle_, [](SocketOwner& owner) { owner.on_drain(); });
  for_each(resting_, [](SocketOwner& owner) { owner.on_drain(); });
}

void ListenerShard::close() {
  draining_ = true;
  for_each(watched_, [](SocketOwner& owner) { owner.abort(); });
  for_each(idle_, [](SocketOwner& owner) { owner.abort(); });
  for_each(resting_, [](SocketOwner& owner) { owner.abort(); });
}

void ListenerShard::count_response(int status) noexcept {
  constexpr int kClasses = static_cast<int>(StatusClass::last) + 1;
  metrics_.responses.add(static_cast<StatusClass>(std::clamp(status / 100, 1, kClasses) - 1));
}

void ListenerShard::report_outbound_limit() {
  metrics_.unread_ended.add();
  ++unread_ended_;
  const SteadyTime at = now();
  if (at < next_unread_line_) return;
  next_unread_line_ = at + kBetweenLines;
  log::warn("outbound_limit_reached", {{"part", listener_.options.name},
                                       {"limit_bytes", limits().outbound_bytes},
                                       {"connections_ended", std::exchange(unread_ended_, 0)}});
}

void ListenerShard::report_proxy_header(std::string_view remote, const char* reason) {
  ++proxy_headers_refused_;
  const SteadyTime at = now();
  if (at < next_proxy_line_) return;
  next_proxy_line_ = at + kBetweenLines;
  log::warn("proxy_header_refused",
            {{"part", listener_.options.name},
             {"remote_address", remote},
             {"reason", reason},
             {"connections_refused", std::exchange(proxy_headers_refused_, 0)}});
}

void ListenerShard::report_failed_handover(const RequestTrace& request) const {
  log::info("handover_failed",
            {{"part", listener_.options.name},
             {"path", std::string_view(request.path).substr(0, kLoggedPathBytes)},
             {"remote_address", request.remote}});
}

const std::string& ListenerShard::date() {
  const WallTime at = listener_.clock.wall_now();
  const std::int64_t second = unix_seconds(at);
  if (second != date_second_) {
    date_second_ = second;
    date_ = format_http_date(at);
  }
  return date_;
}

ListenerState::ListenerState(ListenerOptions listener_options, ShardSet& all_shards,
                             const Clock& clock_source)
    : options(std::move(listener_options)),
      clock(clock_source),
      is_unix(options.address.starts_with("unix:")),
      connections_max(options.limits.connections),
      body_bytes_max(options.limits.body_bytes_in_flight),
      access_log(options.access_log),
      connection_shares({.bound = Bound::connections,
                         .capacity = 0,
                         .share = options.limits.connections_per_address}),
      body_shares({.bound = Bound::body_bytes,
                   .capacity = 0,
                   .share = options.limits.body_bytes_per_address}),
      reserve(options.reserved_descriptors) {
  for (std::size_t i = 0; i < all_shards.count(); ++i) {
    shards.push_back(std::make_unique<ListenerShard>(*this, all_shards.at(i)));
  }
  declare_metrics();
}

std::size_t ListenerState::refused_open_max() const noexcept {
  const std::size_t bound = connections_max;
  if (bound == 0) return kRefusedOpenMax;
  return std::clamp(bound / kConnectionsPerRefused, kRefusedOpenMin, kRefusedOpenMax);
}

void DescriptorReserve::refill() {
  if (wanted_ == 0) return;
  const std::lock_guard lock(mutex_);
  while (spare_.size() < wanted_) {
    UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd) return;
    spare_.push_back(std::move(fd));
  }
}

bool DescriptorReserve::let_go_of_one() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) return false;
  spare_.pop_back();
  return true;
}

bool BodyBudget::resize(std::size_t bytes, std::string_view holder, Bound bound) {
  if (bytes < bytes_) release();
  if (bytes == bytes_) return true;
  const std::size_t more = bytes - std::exchange(bytes_, bytes);
  const std::size_t all = listener_.body_bytes += more;
  if (all > listener_.body_bytes_max) {
    listener_.note_refusal(bound, BoundScope::all);
    return false;
  }
  if (holder.empty()) return true;
  std::expected<void, BoundScope> taken;
  if (share_.amount() > 0) {
    taken = share_.add(more);
  } else if (auto share = listener_.body_shares.take(holder, bytes)) {
    share_ = std::move(*share);
  } else {
    taken = std::unexpected(share.error());
  }
  if (!taken) listener_.note_refusal(bound, taken.error());
  return taken.has_value();
}

void BodyBudget::release() noexcept {
  listener_.body_bytes -= std::exchange(bytes_, 0);
  share_.reset();
}

bool OpenSocketGuard::admit() noexcept {
  const std::size_t bound = listener_->connections_max;
  admitted_ = ++listener_->admitted <= bound || bound == 0;
  if (!admitted_) --listener_->admitted;
  return admitted_;
}

bool OpenSocketGuard::count_for(std::string holder) {
  if (holder == holder_) return true;
  holder_.clear();
  share_.reset();
  if (holder.empty()) return true;
  auto taken = listener_->connection_shares.take(holder);
  if (!taken) return false;
  share_ = std::move(*taken);
  holder_ = std::move(holder);
  return true;
}

void OpenSocketGuard::reset() noexcept {
  if (!listener_) return;
  // Comes first, because others wait for a descriptor.
  listener_->reserve.refill();
  --listener_->open_sockets;
  if (admitted_) --listener_->admitted;
  if (refused_) --listener_->refused_open;
  share_.reset();
  listener_ = nullptr;
}

void ListenerState::declare_metrics() {
  const auto gauge = [this](const char* name, const char* help, MetricReader read) {
    metrics.add(MetricType::gauge, {name, help}, {}, std::move(read));
  };
  gauge("holdfast_open_sockets", "Open sockets of each listener.",
        [this] { return static_cast<double>(open_sockets); });
  gauge("holdfast_open_sockets_limit",
        "Maximum of open sockets of a listener; 0 means no limit of its own.",
        [this] { return static_cast<double>(connections_max); });
  gauge("holdfast_open_websockets", "Open sockets that are WebSockets.",
        [this] { return static_cast<double>(open_websockets); });
  gauge("holdfast_tls_certificate_expiry_seconds",
        "Expiry of the certificate of a listener with TLS, in unix time.",
        [this]() -> std::optional<MetricReading> {
          if (!options.tls) return std::nullopt;
          return static_cast<double>(unix_seconds(options.tls->expires_at()));
        });
  metrics.add(MetricType::counter,
              {"holdfast_sockets_refused_total",
               "Sockets refused because the listener had reached its limit."},
              {}, [this] { return static_cast<double>(refused_connections); });
}

void ListenerState::collect(MetricCollector& out, const MetricLabels& labels) const {
  metrics.collect(out, labels);
  for (const auto& shard : shards) {
    shard->metrics().collect(out, labels);
    shard->metrics().of_all_listeners.collect(out);
  }
}

ServerStats ListenerState::stats() const {
  ServerStats out{.open_sockets = open_sockets,
                  .open_websockets = open_websockets,
                  .refused_connections = refused_connections,
                  .body_bytes = body_bytes};
  for (const auto& shard : shards) out.requests += shard->metrics().requests.read();
  return out;
}

void ListenerState::log_access(const Access& access) const {
  if (!access_log || !log::enabled(log::Level::info)) return;
  constexpr std::size_t kAlways = 7;
  std::array<log::Field, kAlways + LogFields::kFieldsMax + 1> fields = {
      log::Field("part", options.name),
      log::Field("method", access.method),
      log::Field("path", access.path.substr(0, kLoggedPathBytes)),
      log::Field("status", access.status),
      log::Field("bytes", access.bytes),
      log::Field("duration_us", access.duration.count()),
      log::Field("remote_address", access.remote)};
  // Empty fields are left out.
  std::size_t size = kAlways;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) fields[size++] = log::Field(name, value);
  };
  for (std::size_t i = 0; i < access.fields.size(); ++i) {
    add(access.fields.name(i), access.fields.value(i));
  }
  add("refused", access.refused);
  log::write(log::Level::info, log::kAccessEvent, std::span(fields).first(size));
}

}  // namespace holdfast::net
