// Makes the mailboxes of all shards.
#include "delivery_part.hpp"

#include <cstddef>
#include <utility>

#include <holdfast/delivery/message_store.hpp>

namespace holdfast::app {
namespace {

// Selects a shard's users. Shards share nothing.
template <class T, class UserOf>
std::vector<T> of_shard(const std::vector<T>& all, std::size_t shard, std::size_t shards,
                        UserOf user_of) {
  std::vector<T> out;
  for (const T& item : all) {
    if (delivery::home_shard(user_of(item), shards) == shard) out.push_back(item);
  }
  return out;
}

}  // namespace

DeliveryPart make_delivery(const delivery::Limits& limits, const std::string& message_id_secret,
                           const Clock& clock, net::Shards& shards, StorePart& store,
                           const std::shared_ptr<BoundRefusals>& refusals) {
  DeliveryPart part;
  const delivery::StartState start = store.store->take_start_state();
  std::vector<delivery::Router::Shard> routes;
  for (std::size_t i = 0; i < shards.count(); ++i) {
    delivery::MailboxesOptions options;
    options.limits = limits;
    options.shard = i;
    options.shards = shards.count();
    options.counter_start = start.counter_start;
    options.ceiling = start.ceiling;
    options.message_id_secret = message_id_secret;
    options.pending = of_shard(start.pending, i, shards.count(),
                               [](const auto& pair) -> const UserId& { return pair.first; });
    options.deduplication =
        of_shard(start.deduplication, i, shards.count(),
                 [](const auto& record) -> const UserId& { return record.user; });
    options.pending_purges =
        of_shard(start.pending_purges, i, shards.count(),
                 [](const auto& purge) -> const UserId& { return purge.user; });
    options.known_time = start.known_time;
    options.refusals = refusals;
    const storage::StoreHandles& handles = *store.handles[i];
    part.mailboxes.push_back(delivery::make_mailboxes(std::move(options), clock, shards.at(i),
                                                      *handles.messages, *handles.connections));
    routes.push_back({.executor = &shards.at(i), .mailboxes = part.mailboxes.back().get()});
  }
  part.router = std::make_unique<delivery::Router>(std::move(routes));
  return part;
}

}  // namespace holdfast::app
