#include "net/part.hpp"

#include <algorithm>
#include <utility>

#include <holdfast/base/log.hpp>

namespace holdfast::net {
namespace {

constexpr std::size_t kLoggedPathBytes = 256;
constexpr Seconds kBetweenUnreadLines{10};

}  // namespace

Part::Part(ListenerCore& listener, ShardLoop& loop)
    : listener_(listener), loop_(loop), limits_(listener.options.limits) {}

SteadyTime Part::now() const { return listener_.clock.steady_now(); }

void Part::watch(Member& member, SteadyTime deadline) {
  if (!member.is_linked()) {
    watched_.push_back(member);
  } else if (member.deadline_ == SteadyTime::max()) {
    member.unlink();
    watched_.push_back(member);
  }
  member.deadline_ = deadline;
}

void Part::rest(Member& member) {
  if (member.is_linked()) member.unlink();
  resting_.push_back(member);
  member.deadline_ = SteadyTime::max();
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
  for_each(watched_, [at](Member& member) {
    if (member.deadline_ <= at) member.on_deadline();
  });
}

void Part::drain() {
  draining_ = true;
  for_each(watched_, [](Member& member) { member.on_drain(); });
  for_each(resting_, [](Member& member) { member.on_drain(); });
}

void Part::close() {
  draining_ = true;
  for_each(watched_, [](Member& member) { member.end(); });
  for_each(resting_, [](Member& member) { member.end(); });
}

void Part::count_response(int status) noexcept {
  const std::size_t last = counted_.responses.size();
  counted_.responses[std::clamp<std::size_t>(static_cast<std::size_t>(status) / 100, 1, last) - 1]
      .add();
}

void Part::report_outbound_limit() {
  counted_.unread_ended.add();
  ++unread_ended_;
  const SteadyTime at = now();
  if (at < next_unread_line_) return;
  next_unread_line_ = at + kBetweenUnreadLines;
  log::warn("outbound_limit_reached", {{"part", listener_.options.name},
                                       {"limit_bytes", limits().outbound_bytes},
                                       {"connections_ended", std::exchange(unread_ended_, 0)}});
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
                           const Clock& clock_source, std::shared_ptr<HttpService> http_service)
    : options(std::move(listener_options)),
      clock(clock_source),
      service(std::move(http_service)),
      connections_max(options.limits.connections),
      body_bytes_max(options.limits.body_bytes_in_flight),
      access_log(options.access_log) {
  for (std::size_t i = 0; i < shards.count(); ++i) {
    parts.push_back(std::make_unique<Part>(*this, shards.at(i)));
  }
}

ServerStats ListenerCore::stats() const {
  ServerStats out;
  out.open_sockets = open_sockets;
  out.open_websockets = open_websockets;
  out.refused_connections = refused_connections;
  out.body_bytes = body_bytes;
  out.sockets_max = options.limits.connections;
  for (const auto& part : parts) {
    const Part::Counted& counted = part->counted();
    out.requests += counted.requests.read();
    for (std::size_t i = 0; i < out.responses.size(); ++i) {
      out.responses[i] += counted.responses[i].read();
    }
    out.http_bytes += counted.http_bytes.read();
    out.websocket_bytes += counted.websocket_bytes.read();
    out.refused_upgrades += counted.refused_upgrades.read();
    out.unread_ended += counted.unread_ended.read();
    out.failed_handshakes += counted.failed_handshakes.read();
  }
  if (options.tls) out.certificate_expires_at = options.tls->expires_at();
  return out;
}

void ListenerCore::log_access(const Access& access) const {
  if (!access_log || !log::enabled(log::Level::info)) return;
  const log::Field part("part", options.name);
  const log::Field method("method", access.method);
  const log::Field path("path", access.path.substr(0, kLoggedPathBytes));
  const log::Field status("status", access.status);
  const log::Field bytes("bytes", access.bytes);
  const log::Field duration("duration_us", access.duration.count());
  const log::Field remote("remote", access.remote);
  const log::Field request_id("request_id", access.request_id);
  const log::Field refused("refused", access.refused);
  const log::Field access_key_id("access_key_id", access.access_key_id);
  constexpr auto level = log::Level::info;
  constexpr auto event = log::kAccessEvent;
  if (!access.access_key_id.empty()) {
    log::write(
        level, event,
        {part, method, path, status, bytes, duration, remote, request_id, refused, access_key_id});
  } else if (!access.refused.empty()) {
    log::write(level, event,
               {part, method, path, status, bytes, duration, remote, request_id, refused});
  } else if (!access.request_id.empty()) {
    log::write(level, event, {part, method, path, status, bytes, duration, remote, request_id});
  } else {
    log::write(level, event, {part, method, path, status, bytes, duration, remote});
  }
}

}  // namespace holdfast::net
