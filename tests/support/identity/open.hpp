#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/key_ring.hpp>

#include "support/base/manual_executor.hpp"
#include "support/identity/fake_stores.hpp"

/// Opens keys at once, where the store's completions run on a manual executor.
namespace holdfast::test {

inline identity::MasterKey master_key(char fill = 'm') {
  return identity::MasterKey(std::string(32, fill));
}

inline Result<std::shared_ptr<identity::KeyRing>> open_ring(
    ManualExecutor& executor, const Clock& clock, identity::KeyStore& store,
    identity::KeyRing::Options options = {}, identity::MasterKey master = master_key()) {
  std::optional<Result<std::shared_ptr<identity::KeyRing>>> out;
  identity::open_key_ring(std::move(master), options, clock, store,
                          [&](auto result) { out = std::move(result); });
  executor.run();
  return std::move(out.value());
}

inline Result<std::shared_ptr<identity::TokenSigner>> open_signer(
    ManualExecutor& executor, const Clock& clock, identity::KeyStore& store,
    std::shared_ptr<identity::KeyRing> ring, identity::TokenSigner::Options options = {}) {
  std::optional<Result<std::shared_ptr<identity::TokenSigner>>> out;
  options.key_bits = 2048;  // quicker to make
  identity::open_token_signer(std::move(ring), std::move(options), clock, store,
                              [&](auto result) { out = std::move(result); });
  executor.run();
  return std::move(out.value());
}

}  // namespace holdfast::test
