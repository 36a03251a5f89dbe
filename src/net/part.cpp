#include "part.hpp"

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
// A client without room must not cost a walk along all connections.
constexpr std::size_t kIdleLookedAt = 128;
constexpr std::size_t kRefusedOpenMin = 8;
constexpr std::size_t kRefusedOpenMax = 256;
constexpr std::size_t kConnectionsPerRefused = 8;

}  // namespace

const char* to_string(StatusClass status) noexcept {
  constexpr std::array kNames = {"1xx", "2xx", "3xx", "4xx", "5xx"};
  return kNames[static_cast<std::size_t>(status)];
}

Part::Part(ListenerCore& listener, ShardLoop& loop)
    : listener_(listener), loop_(loop), limits_(listener.options.limits) {}

SteadyTime Part::now() const { return listener_.clock.steady_now(); }

void Part::put(Member& member, Members& list, SteadyTime deadline) {
  if (member.is_linked()) member.unlink();
  list.push_back(member);
  member.list_ = &list;
  member.deadline_ = deadline;
}

void Part::watch(Member& member, SteadyTime deadline) {
  if (member.is_linked() && member.list_ == &watched_) {
    member.deadline_ = deadline;
  } else {
    put(member, watched_, deadline);
  }
}

void Part::idle(Member& member, SteadyTime deadline) { put(member, idle_, deadline); }

void Part::end_idle(Member& member) { put(member, watched_, member.deadline_); }

void Part::rest(Member& member) {
  if (!member.is_linked() || member.list_ != &resting_) put(member, resting_, SteadyTime::max());
}

bool Part::end_longest_idle(std::string_view holder) {
  std::size_t looked_at = 0;
  for (Member& member : idle_) {
    if (!holder.empty() && member.holder() != holder) {
      if (++looked_at == kIdleLookedAt) return false;
      continue;
    }
    member.abort();
    return true;
  }
  return false;
}

// A member may end, and so leave its list, inside the action; it ends no other.
template <class Action>
void Part::for_each(Members& members, Action action) {
  for (auto it = members.begin(); it != members.end();) {
    Member& member = *it;
    ++it;
    action(member);
  }
}

void Part::sweep() {
  const SteadyTime at = now();
  const auto look = [at](Member& member) {
    if (member.deadline_ <= at) member.on_deadline();
  };
  for_each(watched_, look);
  for_each(idle_, look);
  listener_.reserve.refill();
}

void Part::drain() {
  draining_ = true;
  for_each(watched_, [](Member& member) { member.on_drain(); });
  for_each(idle_, [](Member& member) { member.on_drain(); });
  for_each(resting_, [](Member& member) { member.on_drain(); });
}

void Part::close() {
  draining_ = true;
  for_each(watched_, [](Member& member) { member.abort(); });
  for_each(idle_, [](Member& member) { member.abort(); });
  for_each(resting_, [](Member& member) { member.abort(); });
}

void Part::count_response(int status) noexcept {
  constexpr int kClasses = static_cast<int>(StatusClass::last) + 1;
  metrics_.responses.add(static_cast<StatusClass>(std::clamp(status / 100, 1, kClasses) - 1));
}

void Part::report_outbound_limit() {
  metrics_.unread_ended.add();
  ++unread_ended_;
  const SteadyTime at = now();
  if (at < next_unread_line_) return;
  next_unread_line_ = at + kBetweenLines;
  log::warn("outbound_limit_reached", {{"part", listener_.options.name},
                                       {"limit_bytes", limits().outbound_bytes},
                                       {"connections_ended", std::exchange(unread_ended_, 0)}});
}

void Part::report_proxy_header(std::string_view remote, const char* reason) {
  ++proxy_headers_refused_;
  const SteadyTime at = now();
  if (at < next_proxy_line_) return;
  next_proxy_line_ = at + kBetweenLines;
  log::warn("proxy_header_refused",
            {{"part", listener_.options.name},
             {"remote", remote},
             {"reason", reason},
             {"connections_refused", std::exchange(proxy_headers_refused_, 0)}});
}

void Part::report_failed_handover(const RequestTrace& request) const {
  log::info("handover_failed",
            {{"part", listener_.options.name},
             {"path", std::string_view(request.path).substr(0, kLoggedPathBytes)},
             {"remote", request.remote}});
}

const std::string& Part::date() {
  const WallTime at = listener_.clock.wall_now();
  const std::int64_t second = unix_seconds(at);
  if (second != date_second_) {
    date_second_ = second;
    date_ = format_http_date(at);
  }
  return date_;
}

ListenerCore::ListenerCore(ListenerOptions listener_options, ShardSet& shards,
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
  for (std::size_t i = 0; i < shards.count(); ++i) {
    parts.push_back(std::make_unique<Part>(*this, shards.at(i)));
  }
  declare_metrics();
}

std::size_t ListenerCore::refused_open_max() const noexcept {
  const std::size_t bound = connections_max;
  if (bound == 0) return kRefusedOpenMax;
  return std::clamp(bound / kConnectionsPerRefused, kRefusedOpenMin, kRefusedOpenMax);
}

void DescriptorReserve::refill() {
  if (wanted_ == 0) return;
  const std::lock_guard lock(mutex_);
  while (held_.size() < wanted_) {
    UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd) return;
    held_.push_back(std::move(fd));
  }
}

bool DescriptorReserve::let_go_of_one() {
  const std::lock_guard lock(mutex_);
  if (held_.empty()) return false;
  held_.pop_back();
  return true;
}

bool BodyShare::resize(std::size_t bytes, std::string_view holder, Bound bound) {
  if (bytes < held_) release();
  if (bytes == held_) return true;
  const std::size_t more = bytes - std::exchange(held_, bytes);
  const std::size_t all = listener_.body_bytes += more;
  if (all > listener_.body_bytes_max) {
    listener_.note_refusal(bound, BoundScope::all);
    return false;
  }
  if (holder.empty()) return true;
  std::expected<void, BoundScope> held;
  if (share_.amount() > 0) {
    held = share_.add(more);
  } else if (auto taken = listener_.body_shares.take(holder, bytes)) {
    share_ = std::move(*taken);
  } else {
    held = std::unexpected(taken.error());
  }
  if (!held) listener_.note_refusal(bound, held.error());
  return held.has_value();
}

void BodyShare::release() noexcept {
  listener_.body_bytes -= std::exchange(held_, 0);
  share_.reset();
}

bool SocketSlot::admit() noexcept {
  const std::size_t bound = listener_->connections_max;
  admitted_ = ++listener_->admitted <= bound || bound == 0;
  if (!admitted_) --listener_->admitted;
  return admitted_;
}

bool SocketSlot::count_for(std::string holder) {
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

void SocketSlot::reset() noexcept {
  if (!listener_) return;
  // First of all: others wait for a descriptor, too.
  listener_->reserve.refill();
  --listener_->open_sockets;
  if (admitted_) --listener_->admitted;
  if (refused_) --listener_->refused_open;
  share_.reset();
  listener_ = nullptr;
}

void ListenerCore::declare_metrics() {
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

void ListenerCore::collect(MetricCollector& out, const MetricLabels& labels) const {
  metrics.collect(out, labels);
  for (const auto& part : parts) {
    part->metrics().collect(out, labels);
    part->metrics().of_all_listeners.collect(out);
  }
}

ServerStats ListenerCore::stats() const {
  ServerStats out{.open_sockets = open_sockets,
                  .open_websockets = open_websockets,
                  .refused_connections = refused_connections,
                  .body_bytes = body_bytes};
  for (const auto& part : parts) out.requests += part->metrics().requests.read();
  return out;
}

void ListenerCore::log_access(const Access& access) const {
  if (!access_log || !log::enabled(log::Level::info)) return;
  constexpr std::size_t kAlways = 7;
  std::array<log::Field, kAlways + LogFields::kFieldsMax + 1> fields = {
      log::Field("part", options.name),
      log::Field("method", access.method),
      log::Field("path", access.path.substr(0, kLoggedPathBytes)),
      log::Field("status", access.status),
      log::Field("bytes", access.bytes),
      log::Field("duration_us", access.duration.count()),
      log::Field("remote", access.remote)};
  // What a request has none of is left out.
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
