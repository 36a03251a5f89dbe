#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <holdfast/app/config.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/iam/sigv4.hpp>
#include <holdfast/identity/attempts.hpp>
#include <holdfast/identity/code_sender.hpp>
#include <holdfast/identity/ended_logins.hpp>
#include <holdfast/identity/issuers.hpp>
#include <holdfast/identity/temporary_token.hpp>
#include <holdfast/identity/user_pool.hpp>
#include <holdfast/net/server.hpp>

#include "audit_log.hpp"
#include "instance_facts.hpp"
#include "issuer_documents.hpp"
#include "keys_part.hpp"
#include "store_part.hpp"

namespace holdfast::app {

inline constexpr Milliseconds kIssuerTick{1'000};

/// Identifies callers: the user pool, the issuers, and the signatures of producers.
struct IdentityPart {
  /// The parts of one shard.
  struct Shard {
    std::unique_ptr<iam::SigV4Verifier> verifier;
    std::unique_ptr<identity::UserPool> pool;
    std::unique_ptr<identity::Generator> generator;
    std::unique_ptr<identity::Authorizer> authorizer;
  };

  std::vector<std::shared_ptr<IssuerReader>> readers;
  std::shared_ptr<identity::Issuers> issuers;  ///< null without other issuers
  std::shared_ptr<identity::CodeSender> code_sender;
  std::shared_ptr<identity::AttemptCounts> attempts;
  std::unique_ptr<identity::AttemptKeeper> attempt_keeper;
  std::shared_ptr<RateShares> sign_up_rate;
  std::shared_ptr<RateShares> failed_logins;
  std::shared_ptr<RateShares> failed_refreshes;
  std::vector<Shard> shards;

  /// Takes over the live rates. Thread-safe.
  void change(const Config& config);
};

struct IdentityContext {
  const Config& config;
  const Clock& clock;
  net::Shards& shards;
  StorePart& store;
  const KeysPart& keys;
  const InstanceFacts& facts;
  std::string issuer;  ///< of the own user pool
  std::shared_ptr<BoundRefusals> refusals;
  std::shared_ptr<AuditLog> audit;
  std::function<void(const identity::EndedLogins&)> on_logins_ended;  ///< on any shard
};
/// Makes all parts. Waits for the first shard. Errors: `io` (an issuer's file cannot be read),
/// `invalid_argument` (a bad issuer), and those of the store.
[[nodiscard]] Result<IdentityPart> open_identity(const IdentityContext& context);

}  // namespace holdfast::app
