// Opens the keys of a gateway.
#include "keys_part.hpp"

#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/log.hpp>

#include "await.hpp"

namespace holdfast::app {

Result<KeysPart> open_keys(identity::MasterKey master, const KeysContext& context) {
  const auto part = std::make_shared<KeysPart>();
  auto ring = await<std::shared_ptr<identity::KeyRing>>(
      context.executor, [context, master = std::move(master)](auto done) mutable {
        identity::open_key_ring(std::move(master), context.config.keys, context.clock,
                                *context.handles.keys, std::move(done));
      });
  if (!ring) return std::unexpected(std::move(ring.error()));
  part->ring = std::move(*ring);
  part->box = std::make_unique<KeyRingBox>(part->ring);

  part->hasher = identity::make_password_hasher(context.config.auth.passwords, context.refusals);
  identity::TokenSigner::Options signing;
  signing.rotation = context.config.signing_keys;
  signing.key_bits = context.signing_key_bits;
  // By reference, because it is called on a shard and outlives the shards.
  signing.compute = [hasher = part->hasher.get(), &executor = context.executor](auto work,
                                                                                auto done) {
    hasher->compute(std::move(work), {.source = identity::Source::of_operator()}, executor,
                    std::move(done));
  };
  auto signer = await<std::shared_ptr<identity::TokenSigner>>(
      context.executor,
      [context, part, signing = std::move(signing)](auto done) mutable {
        identity::open_token_signer(part->ring, std::move(signing), context.clock,
                                    *context.handles.keys, std::move(done));
      },
      part);
  if (!signer) return std::unexpected(std::move(signer.error()));
  part->signer = std::move(*signer);

  auto keys = await<std::shared_ptr<iam::AccessKeys>>(
      context.executor,
      [context, part](auto done) {
        iam::open_access_keys(
            {.partition = context.config.aws.partition, .account = context.config.aws.account},
            context.clock, *context.handles.access_keys, *part->box, std::move(done));
      },
      part);
  if (!keys) return std::unexpected(std::move(keys.error()));
  part->access_keys = std::move(*keys);
  return std::move(*part);
}

Result<void> settle_root_key(const KeysPart& keys, const KeysContext& context, bool is_first) {
  constexpr const char* kSettled = "root_key_settled";
  storage::InstanceStore& instance = *context.handles.instance;
  const auto settled = await<std::optional<std::string>>(
      context.executor, [&instance](auto done) { instance.find(kSettled, std::move(done)); });
  if (!settled) return std::unexpected(settled.error());
  if (*settled) return {};
  if (is_first && keys.access_keys->list().empty()) {
    const auto created = await<iam::AccessKeys::Created>(
        context.executor, [access_keys = keys.access_keys](auto done) {
          access_keys->create({.name = "root", .policy = std::string(iam::kAllowAll)},
                              std::move(done));
        });
    if (!created) return std::unexpected(created.error());
    log::info("root_key_made", {{"id", created->id}});
  }
  const auto kept = await<std::string>(context.executor, [&instance](auto done) {
    instance.get_or_set(kSettled, "true", std::move(done));
  });
  if (!kept) return std::unexpected(kept.error());
  return {};
}

}  // namespace holdfast::app
