// What a running gateway takes over of another configuration.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include <holdfast/base/log.hpp>

#include "countdown.hpp"
#include "instance.hpp"
#include "running_gateway.hpp"

namespace holdfast::app {
namespace {

constexpr std::chrono::seconds kPatience{5};

}  // namespace

api::GatewayOptions RunningGateway::api_options(const Config& config) const {
  const iam::SignatureTimes& times = config.limits.signature_times;
  return {.aws = config.aws,
          .limits = config.limits.api,
          .websocket = config.websocket,
          .instance = {.pool_id = facts_.user_pool_id,
                       .client_id = facts_.client_id,
                       .issuer = issuer(),
                       .url = info_.url,
                       .origin = origin_of(info_.url),
                       .console_origins = console_origins(),
                       .created_at = facts_.created_at},
          .signature_lifetime = std::max(times.window, times.presigned_max),
          .documentation_url = config.server.documentation_url,
          .acknowledge = config.delivery.acknowledge};
}

Result<ReloadOutcome> RunningGateway::reload(const Config& wanted) {
  const std::lock_guard lock(reload_mutex_);
  auto next = with_live_settings(running_, wanted);
  if (!next) return std::unexpected(std::move(next.error()));
  ReloadOutcome out;
  for (ChangedSetting& changed : changed_settings(running_, wanted)) {
    (changed.live ? out.changed : out.need_restart).push_back(std::move(changed.key));
  }
  running_ = std::move(*next);
  AuditEvent event{.actor = "system", .action = "configuration.reload"};
  for (const std::string& key : out.changed)
    event.target += (event.target.empty() ? "" : ",") + key;
  audit_->record(std::move(event));
  if (auto reopened = audit_->reopen(); !reopened) {
    log::warn("audit_file_failed", {{"reason", reopened.error().message}});
  }
  if (!out.changed.empty() && !apply_live(running_)) {
    return fail(Errc::unavailable, "a shard does not answer: it has not taken over all of it yet");
  }
  return out;
}

// Each shard takes over its own on its own thread; the first has the times of the sweeps as well.
bool RunningGateway::apply_live(const Config& config) {
  log::set_level(config.log.level);
  const net::HttpLimits limits = gateway_limits(config);
  for (const auto& gateway : gateways_.all) {
    gateway.listener->change_limits(limits, config.log.access);
  }
  services_->change_options(api_options(config));
  message_bytes_max_ = config.limits.api.message.message_bytes;
  identity_->change(config);
  store_->change(config.storage);
  const auto next = std::make_shared<const Config>(config);
  const auto countdown = std::make_shared<Countdown>(shards_->count());
  for (std::size_t i = 0; i < shards_->count(); ++i) {
    shards_->at(i).post([this, i, next, countdown] {
      delivery_->mailboxes[i]->change_limits(next->delivery);
      identity_->shards[i].pool->change_rules(next->user_pool);
      if (i == 0) {
        id_token_lifetime_ = next->user_pool.id_token_lifetime;
        unconfirmed_lifetime_ = next->sign_ups.unconfirmed_lifetime;
        audit_keep_ = next->audit.keep;
        sweep_tokens();
        sweep_audit();
      }
      countdown->done();
    });
  }
  return countdown->wait_until(std::chrono::steady_clock::now() + kPatience);
}

}  // namespace holdfast::app
