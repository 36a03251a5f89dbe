// What a running gateway takes over of another configuration.

#include <algorithm>
#include <chrono>
#include <iterator>
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
  api::GatewayOptions options;
  options.partition = config.aws.partition;
  options.region = config.aws.region;
  options.account = config.aws.account;
  options.api_id = config.aws.api_id;
  options.stage = config.aws.stage;
  options.pool_id = facts_.user_pool_id;
  options.issuer = issuer();
  options.allowed_origins = config.websocket.allowed_origins;
  options.own_origin = origin_of(info_.url);
  std::ranges::move(console_origins(), std::back_inserter(options.allowed_origins));
  options.stack = {.name = config.aws.stack_name,
                   .created_at = facts_.created_at,
                   .client_id = facts_.client_id,
                   .url = info_.url,
                   .sample_app_url = config.aws.sample_app_url};
  options.key_requests_per_second = config.limits.key_requests_per_second;
  options.token_requests_per_second = config.limits.token_requests_per_second;
  options.token_requests_burst = config.limits.token_requests_burst;
  options.signatures_max = config.limits.signatures;
  options.signature_lifetime = std::max(iam::SigV4Options().window, config.limits.presigned_max);
  options.documentation_url = config.server.documentation_url;
  options.message_bytes_max = config.limits.message_bytes;
  options.body_bytes_max = config.limits.body_bytes;
  options.batch_entries_max = config.limits.batch_messages;
  options.frame = config.websocket.frame;
  options.acknowledge = config.delivery.acknowledge;
  return options;
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

// Each shard takes over its own on its own thread.
bool RunningGateway::apply_live(const Config& config) {
  log::set_level(config.log.level);
  const net::HttpLimits limits = gateway_limits(config);
  for (const auto& gateway : gateways_.all) {
    gateway.listener->change_limits(limits, config.log.access);
  }
  services_->change_options(api_options(config));
  message_bytes_max_ = config.limits.message_bytes;
  identity_->change(config);
  store_->change(config.storage);
  const auto countdown = std::make_shared<Countdown>(shards_->count());
  for (std::size_t i = 0; i < shards_->count(); ++i) {
    shards_->at(i).post([this, i, limits = config.delivery, rules = config.user_pool, countdown] {
      delivery_->mailboxes[i]->change_limits(limits);
      identity_->shards[i].pool->change_rules(rules);
      countdown->done();
    });
  }
  first_shard().post([this, lifetime = config.user_pool.id_token_lifetime,
                      unconfirmed = config.sign_ups.unconfirmed_lifetime,
                      audit_keep = config.audit.keep] {
    id_token_lifetime_ = lifetime;
    unconfirmed_lifetime_ = unconfirmed;
    audit_keep_ = audit_keep;
  });
  return countdown->wait_until(std::chrono::steady_clock::now() + kPatience);
}

}  // namespace holdfast::app
