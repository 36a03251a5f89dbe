#include <algorithm>

#include "control/gather.hpp"
#include "control/routes.hpp"

namespace holdfast::control {
namespace {

using delivery::ConnectionInfo;

// A shard lists all of its connections: one user's are sought among them.
constexpr std::size_t kConnectionsMax = 1'000'000;

Json to_json(const ConnectionInfo& info) {
  return {{"connectionId", info.id.str()},
          {"userId", info.user.str()},
          {"username", info.username},
          {"remoteAddress", info.remote_address},
          {"userAgent", info.user_agent},
          {"connectedAt", format_iso8601(info.connected_at)},
          {"shard", info.shard}};
}

Json to_json(std::vector<std::vector<ConnectionInfo>> shards, std::size_t limit) {
  std::vector<ConnectionInfo> all;
  for (std::vector<ConnectionInfo>& shard : shards) {
    std::ranges::move(shard, std::back_inserter(all));
  }
  std::ranges::sort(all, {}, [](const ConnectionInfo& info) {
    return std::pair(info.connected_at, std::string_view(info.id.str()));
  });
  if (all.size() > limit) all.resize(limit);
  Json list = Json::array();
  for (const ConnectionInfo& info : all) list.push_back(to_json(info));
  return {{"connections", std::move(list)}};
}

// At most `limit` of a shard's: of one user or of all, the oldest.
std::vector<ConnectionInfo> select(const delivery::Mailboxes& mailboxes,
                                   const std::optional<UserId>& user, std::size_t limit) {
  std::vector<ConnectionInfo> all = mailboxes.connections(kConnectionsMax);
  if (user) std::erase_if(all, [&](const ConnectionInfo& info) { return info.user != *user; });
  std::ranges::sort(all, {}, &ConnectionInfo::connected_at);
  if (all.size() > limit) all.resize(limit);
  return all;
}

}  // namespace

void list_connections(Call call) {
  const auto limit = call.limit();
  if (!limit) return call.respond(json_error(limit.error()));
  std::optional<UserId> user;
  if (const std::string* const text = call.parameter("userId")) user = UserId(*text);
  gather<std::vector<ConnectionInfo>>(
      call.parts.router, call.shard,
      [user = std::move(user), limit = *limit](const delivery::Mailboxes& mailboxes) {
        return select(mailboxes, user, limit);
      },
      [limit = *limit,
       respond = std::move(call.respond)](std::vector<std::vector<ConnectionInfo>> shards) mutable {
        respond(json_answer(to_json(std::move(shards), limit)));
      });
}

}  // namespace holdfast::control
