// Reads the facts of an instance that never change.
#include "instance_facts.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

#include "await.hpp"
#include "instance.hpp"

namespace holdfast::app {
namespace {

constexpr std::size_t kSecretBytes = 32;

std::string make_secret() { return hex_encode(random_string(kSecretBytes)); }

}  // namespace

Result<InstanceFacts> open_instance(storage::InstanceStore& store, Executor& executor,
                                    const std::string& region, const Clock& clock) {
  InstanceFacts facts;
  std::string created_at;
  const struct {
    const char* name;
    std::string value;  // stored if there is none yet
    std::string& to;
  } rows[] = {
      {"user_pool_id", make_user_pool_id(region), facts.user_pool_id},
      {"client_id", make_client_id(), facts.client_id},
      {"decoy_secret", make_secret(), facts.decoy_secret},
      {"message_id_secret", make_secret(), facts.message_id_secret},
      {"audit_secret", make_secret(), facts.audit_secret},
      {"created_at", std::to_string(unix_micros(clock.wall_now())), created_at},
  };
  for (const auto& row : rows) {
    auto kept =
        await<std::string>(executor, [&store, name = row.name, value = row.value](auto done) {
          store.get_or_set(name, value, std::move(done));
        });
    if (!kept) return std::unexpected(std::move(kept.error()));
    row.to = std::move(*kept);
  }
  std::int64_t created_us = 0;
  std::from_chars(created_at.data(), created_at.data() + created_at.size(), created_us);
  facts.created_at = wall_from_micros(created_us);
  return facts;
}

}  // namespace holdfast::app
