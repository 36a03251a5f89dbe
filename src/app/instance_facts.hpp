#pragma once

#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/storage/store.hpp>

namespace holdfast::app {

/// What is made at the first start, and never changes.
struct InstanceFacts {
  std::string user_pool_id;
  std::string client_id;
  std::string decoy_secret;
  std::string message_id_secret;
  std::string audit_secret;  ///< names in the audit log are hashed with it
  WallTime created_at;       ///< when the database came to be
};

/// Reads the facts, and makes those that are missing. Waits for `executor`, whose handle `store`
/// is.
[[nodiscard]] Result<InstanceFacts> open_instance(storage::InstanceStore& store, Executor& executor,
                                                  const std::string& region, const Clock& clock);

}  // namespace holdfast::app
