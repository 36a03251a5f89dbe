#pragma once

#include <memory>

#include <holdfast/app/config.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/password_hasher.hpp>
#include <holdfast/storage/store.hpp>

#include "key_ring_box.hpp"

namespace holdfast::app {

/// All keys of a gateway. Their changes are made on the executor that they were opened on.
struct KeysPart {
  std::shared_ptr<identity::KeyRing> ring;
  std::unique_ptr<KeyRingBox> box;
  std::shared_ptr<identity::PasswordHasher> hasher;  ///< also makes the signing keys
  std::shared_ptr<identity::TokenSigner> signer;
  std::shared_ptr<iam::AccessKeys> access_keys;
};

struct KeysContext {
  const Config& config;
  const Clock& clock;
  Executor& executor;  ///< the first shard's
  storage::StoreHandles& handles;
  std::shared_ptr<BoundRefusals> refusals;
  unsigned signing_key_bits = 0;
};
/// Opens the keys under `master`, and makes those that a first start needs. Waits for the executor.
[[nodiscard]] Result<KeysPart> open_keys(identity::MasterKey master, const KeysContext& context);

/// Makes the root access key of a new instance, if `is_first`. An operator who deleted the last key
/// does not get another one.
[[nodiscard]] Result<void> settle_root_key(const KeysPart& keys, const KeysContext& context,
                                           bool is_first);

}  // namespace holdfast::app
