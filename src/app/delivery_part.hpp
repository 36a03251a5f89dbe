#pragma once

#include <memory>
#include <string>
#include <vector>

#include <holdfast/app/config.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/delivery/mailboxes.hpp>
#include <holdfast/delivery/router.hpp>
#include <holdfast/net/server.hpp>
#include <holdfast/storage/store.hpp>

#include "store_part.hpp"

namespace holdfast::app {

/// The mailboxes of all shards, and the way to them.
struct DeliveryPart {
  std::vector<std::unique_ptr<delivery::Mailboxes>> mailboxes;  ///< by shard
  std::unique_ptr<delivery::Router> router;
};

/// Makes the mailboxes from the store's start state, before the shards do anything else with it.
[[nodiscard]] DeliveryPart make_delivery(const delivery::Limits& limits,
                                         const std::string& message_id_secret, const Clock& clock,
                                         net::Shards& shards, StorePart& store,
                                         const std::shared_ptr<BoundRefusals>& refusals);

}  // namespace holdfast::app
