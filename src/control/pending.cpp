// The routes that list and delete pending messages.

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "routes.hpp"

namespace holdfast::control {
namespace {

constexpr std::size_t kPageBytes = 1 << 20;
constexpr std::string_view kDeletedReason = "deleted";

using UserTotals = std::vector<std::pair<UserId, delivery::PendingTotals>>;

// A full page has a next one, which may turn out to be empty.
Json users_page(const UserTotals& users, std::size_t limit) {
  Json list = Json::array();
  for (const auto& [user, totals] : users) {
    list.push_back(
        {{"userId", user.str()}, {"messages", totals.messages}, {"bytes", totals.bytes}});
  }
  const bool more = users.size() >= limit && !users.empty();
  return {{"users", std::move(list)}, {"next", more ? Json(users.back().first.str()) : Json()}};
}

Json to_json(const delivery::PendingTotals& totals) {
  return {{"messages", totals.messages}, {"bytes", totals.bytes}};
}

Json to_json(const delivery::Message& message) {
  return {{"messageId", message.id.str()},
          {"sequence", message.sequence},
          {"bytes", message.payload.size()},
          {"acceptedAt", format_iso8601(message.accepted_at)},
          {"expiresAt", format_iso8601(message.expires_at)}};
}

Json messages_page(const UserId& user, const delivery::Page& page,
                   const delivery::PendingTotals& totals) {
  Json list = Json::array();
  for (const delivery::MessagePtr& message : page.messages) list.push_back(to_json(*message));
  const bool more = !page.end && !page.messages.empty();
  return {{"userId", user.str()},
          {"messages", std::move(list)},
          {"totals", to_json(totals)},
          {"next", more ? Json(page.messages.back()->sequence) : Json()}};
}

// The user's count is with the home shard, the rows are with the store.
void add_totals(const LocalControlParts& parts, std::size_t shard, UserId user, delivery::Page page,
                net::Responder respond) {
  const delivery::Router::Shard& home = parts.router.shard(parts.router.home(user));
  Executor* const back = parts.router.shard(shard).executor;
  home.executor->post([mailboxes = home.mailboxes, back, user = std::move(user),
                       page = std::move(page), respond = std::move(respond)]() mutable {
    const delivery::PendingTotals totals = mailboxes->pending(user);
    back->post([user = std::move(user), page = std::move(page), totals,
                respond = std::move(respond)]() mutable {
      respond(json_answer(messages_page(user, page, totals)));
    });
  });
}

}  // namespace

void list_pending(Call call) {
  const auto limit = call.limit();
  if (!limit) return call.respond(json_error(limit.error()));
  const std::string* const after = call.parameter("after");
  call.parts.messages[call.shard]->list_pending(
      UserId(after == nullptr ? std::string() : *after), *limit,
      [limit = *limit, respond = std::move(call.respond)](Result<UserTotals> users) mutable {
        if (!users) return respond(json_error(users.error()));
        respond(json_answer(users_page(*users, limit)));
      });
}

void show_pending(Call call) {
  const auto limit = call.limit();
  if (!limit) return call.respond(json_error(limit.error()));
  const auto after = call.sequence("after");
  if (!after) return call.respond(json_error(after.error()));
  UserId user(std::move(call.id));
  delivery::PageQuery query{.user = user,
                            .above = *after,
                            .up_to = std::numeric_limits<Sequence>::max(),
                            .messages = *limit,
                            .bytes = kPageBytes,
                            .expire_above = std::nullopt,
                            .now = call.parts.clock.wall_now(),
                            // An operator who asks why nothing moves must get an answer.
                            .until_read = false};
  call.parts.messages[call.shard]->read_page(
      std::move(query), [&parts = call.parts, shard = call.shard, user = std::move(user),
                         respond = std::move(call.respond)](Result<delivery::Page> page) mutable {
        if (!page) return respond(json_error(page.error()));
        add_totals(parts, shard, std::move(user), std::move(*page), std::move(respond));
      });
}

void delete_pending(Call call) {
  std::optional<MessageId> id;
  if (const std::string* const text = call.parameter("messageId")) {
    id = parse_message_id(*text);
    if (!id) {
      return call.respond(json_error(Error(Errc::invalid_argument, "is not a UUID", "messageId")));
    }
  }
  const std::string* const all = call.parameter("all");
  if (all != nullptr && *all != "true") {
    return call.respond(json_error(Error(Errc::invalid_argument, "must be true", "all")));
  }
  // Deleting all messages needs an explicit `all`.
  if (id.has_value() == (all != nullptr)) {
    return call.respond(json_error(
        Error(Errc::invalid_argument, "must have either `messageId` or `all=true`", "query")));
  }
  call.parts.router.delete_pending(
      call.shard, UserId(std::move(call.id)), id, std::string(kDeletedReason),
      [respond = std::move(call.respond)](const Result<delivery::Deletion>& deleted) mutable {
        if (!deleted) return respond(json_error(deleted.error()));
        respond(
            json_answer({{"deleted", to_json(deleted->moved)}, {"left", to_json(deleted->left)}}));
      });
}

}  // namespace holdfast::control
