#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <holdfast/api/origins.hpp>
#include <holdfast/api/service.hpp>

#include "replays.hpp"
#include "user_rates.hpp"

namespace holdfast::api {

/// The options and parts that every route uses. Immutable; shared by the shards.
struct Context {
  Context(GatewayOptions gateway_options, GatewayParts gateway_parts);

  /// `arn:{partition}:execute-api:{region}:{account}:{apiId}/{stage}/{method_and_path}`.
  [[nodiscard]] std::string execute_api_arn(std::string_view method_and_path) const;
  /// `arn:{partition}:cognito-idp:{region}:{account}:userpool/{pool_id}`.
  [[nodiscard]] std::string user_pool_arn(std::string_view pool_id) const;
  /// `arn:{partition}:cloudformation:{region}:{account}:stack/{name}`, without the id behind it.
  [[nodiscard]] std::string stack_arn_of(std::string_view name) const;
  [[nodiscard]] const GatewayShard& shard(std::size_t index) const { return parts.shards[index]; }
  /// Returns a shard's counters. Call on that shard.
  [[nodiscard]] RouteMetrics& metrics(std::size_t index) const { return *(*parts.metrics)[index]; }
  [[nodiscard]] bool draining() const noexcept {
    return parts.draining != nullptr && parts.draining->load(std::memory_order_relaxed);
  }

  GatewayOptions options;
  GatewayParts parts;
  AllowedOrigins allowed_origins;                           ///< of `options`
  std::shared_ptr<Replays> replays;                         ///< kept across reloads
  std::shared_ptr<std::atomic<std::int64_t>> pool_changes;  ///< by signed calls; kept as well
  std::shared_ptr<UserRates> token_rates;                   ///< of `/tokens`
  std::string message_arn;                                  ///< of `POST /message`
  std::string messages_arn;                                 ///< of `POST /messages`
  std::string tokens_arn;                                   ///< of `POST /tokens`
  std::string stack_arn;  ///< of CloudFormation's stack, with its id
};

}  // namespace holdfast::api
