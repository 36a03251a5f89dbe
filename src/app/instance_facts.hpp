#pragma once

#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/storage/store.hpp>

namespace holdfast::app {

/// The facts that the first start makes, and that never change.
struct InstanceFacts {
  std::string user_pool_id;
  std::string client_id;
  std::string decoy_secret;
  std::string message_id_secret;
  std::string audit_secret;  ///< names in the audit log are hashed with it
  WallTime created_at;       ///< the creation of the database
};

/// Reads the facts, and makes the missing ones. Waits for `executor`, to which `store` belongs.
[[nodiscard]] Result<InstanceFacts> open_instance(storage::InstanceStore& store, Executor& executor,
                                                  const std::string& region, const Clock& clock);

}  // namespace holdfast::app
