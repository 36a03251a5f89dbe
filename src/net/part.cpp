#include "net/part.hpp"

#include <utility>

#include <holdfast/base/log.hpp>

namespace holdfast::net {
namespace {

constexpr std::size_t kLoggedPathBytes = 256;

}  // namespace

const HttpLimits& Part::limits() const noexcept { return listener_.options.limits; }

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
    : options(std::move(listener_options)), clock(clock_source), service(std::move(http_service)) {
  for (std::size_t i = 0; i < shards.count(); ++i) {
    parts.push_back(std::make_unique<Part>(*this, shards.at(i)));
  }
}

void ListenerCore::log_access(std::string_view method, std::string_view path, int status,
                              std::size_t bytes, Microseconds duration, std::string_view remote,
                              std::string_view request_id) const {
  if (!options.access_log || !log::enabled(log::Level::info)) return;
  path = path.substr(0, std::min(path.size(), kLoggedPathBytes));
  if (request_id.empty()) {
    log::write(log::Level::info, "access",
               {{"part", options.name},
                {"method", method},
                {"path", path},
                {"status", status},
                {"bytes", bytes},
                {"duration_us", duration.count()},
                {"remote", remote}});
    return;
  }
  log::write(log::Level::info, "access",
             {{"part", options.name},
              {"method", method},
              {"path", path},
              {"status", status},
              {"bytes", bytes},
              {"duration_us", duration.count()},
              {"remote", remote},
              {"request_id", request_id}});
}

}  // namespace holdfast::net
