// The routes that list, show and close connections.

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gather.hpp"
#include "routes.hpp"

namespace holdfast::control {
namespace {

using delivery::ConnectionInfo;

Json to_json(const ConnectionInfo& info) {
  return {{"connectionId", info.id.str()},
          {"userId", info.user.str()},
          {"username", info.username},
          {"remoteAddress", info.remote_address},
          {"userAgent", info.user_agent},
          {"connectedAt", format_iso8601(info.connected_at)},
          {"lastActiveAt", format_iso8601(info.last_active_at)},
          {"shard", info.shard}};
}

// Returns the place where a page ends: microseconds, a dash, and the connection's id.
std::string place_of(const ConnectionInfo& info) {
  return std::to_string(unix_micros(info.connected_at)) + "-" + info.id.str();
}

Result<std::pair<WallTime, ConnectionId>> parse_place(std::string_view text) {
  const std::size_t dash = text.find('-');
  std::int64_t micros = 0;
  const char* const end = text.data() + std::min(dash, text.size());
  const auto [read, error] = std::from_chars(text.data(), end, micros);
  if (dash == std::string_view::npos || error != std::errc() || read != end) {
    return fail(Errc::invalid_argument, "must be the `next` of an earlier answer", "after");
  }
  return std::pair(wall_from_micros(micros), ConnectionId(std::string(text.substr(dash + 1))));
}

Json to_json(std::vector<std::vector<ConnectionInfo>> shards, std::size_t limit) {
  std::vector<ConnectionInfo> all;
  for (std::vector<ConnectionInfo>& shard : shards) {
    std::ranges::move(shard, std::back_inserter(all));
  }
  std::ranges::sort(all, {}, [](const ConnectionInfo& info) {
    return std::pair(info.connected_at, std::string_view(info.id.str()));
  });
  const bool full = all.size() >= limit;
  if (full) all.resize(limit);
  Json list = Json::array();
  for (const ConnectionInfo& info : all) list.push_back(to_json(info));
  return {{"connections", std::move(list)}, {"next", full ? Json(place_of(all.back())) : Json()}};
}

Error no_connection() { return {Errc::not_found, "there is no open connection of this id"}; }

}  // namespace

void list_connections(Call call) {
  const auto limit = call.limit();
  if (!limit) return call.respond(json_error(limit.error()));
  delivery::ConnectionQuery query{.user = {}, .after = {}, .limit = *limit};
  if (const std::string* const text = call.parameter("userId")) query.user = UserId(*text);
  if (const std::string* const text = call.parameter("after")) {
    auto after = parse_place(*text);
    if (!after) return call.respond(json_error(after.error()));
    query.after = std::move(*after);
  }
  gather<std::vector<ConnectionInfo>>(
      call.parts.router, call.shard,
      [query = std::move(query)](const delivery::Mailboxes& mailboxes) {
        return mailboxes.connections(query);
      },
      [limit = *limit,
       respond = std::move(call.respond)](std::vector<std::vector<ConnectionInfo>> shards) mutable {
        respond(json_answer(to_json(std::move(shards), limit)));
      });
}

void show_connection(Call call) {
  call.parts.router.find_connection(
      call.shard, ConnectionId(std::move(call.id)),
      [respond = std::move(call.respond)](const std::optional<ConnectionInfo>& info) mutable {
        respond(info ? json_answer(to_json(*info)) : json_error(no_connection()));
      });
}

void close_connection(Call call) {
  call.parts.router.close_connection(
      call.shard, ConnectionId(std::move(call.id)), delivery::CloseReason::closed_by_operator,
      [respond = std::move(call.respond)](bool closed) mutable {
        respond(closed ? json_answer(Json::object()) : json_error(no_connection()));
      });
}

}  // namespace holdfast::control
