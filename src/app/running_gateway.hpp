#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/api/service.hpp>
#include <holdfast/app/gateway.hpp>
#include <holdfast/control/console.hpp>
#include <holdfast/control/service.hpp>
#include <holdfast/net/server.hpp>

#include "audit_log.hpp"
#include "data_directory.hpp"
#include "delivery_part.hpp"
#include "identity_part.hpp"
#include "instance_facts.hpp"
#include "keys_part.hpp"
#include "listeners.hpp"
#include "store_part.hpp"

namespace holdfast::app {

/// A gateway and all its parts. Each is made by a function of its own, which may fail. The end has
/// two phases: `stop_parts` ends the threads in a written order; then the members are destroyed,
/// the last one first.
class RunningGateway final : public Gateway {
 public:
  explicit RunningGateway(GatewayOptions options);
  ~RunningGateway() override;

  /// Makes the parts and serves. After an error the gateway can only be destroyed.
  [[nodiscard]] Result<void> open();
  [[nodiscard]] const GatewayInfo& info() const noexcept override { return info_; }
  bool stop() override;
  [[nodiscard]] Result<void> reload_certificates() override;
  [[nodiscard]] Result<ReloadOutcome> reload(const Config& wanted) override;
  [[nodiscard]] bool alive(Milliseconds patience) override;
  [[nodiscard]] Seconds drain() const override;

 private:
  [[nodiscard]] Result<identity::MasterKey> open_directory();
  [[nodiscard]] Result<void> start_controls();
  [[nodiscard]] Result<void> open_store(identity::MasterKey master);
  [[nodiscard]] Result<void> bind_listeners();
  [[nodiscard]] Result<void> make_identity();
  void make_services();
  [[nodiscard]] Result<void> write_credentials();
  [[nodiscard]] Result<void> start_serving();

  [[nodiscard]] ListenersContext listeners_context();
  [[nodiscard]] control::ControlRoute metrics_route();
  void sweep_tokens();
  void sweep_audit();
  [[nodiscard]] bool hangs(const storage::StoreStats& store) const;
  void watch_store();
  [[nodiscard]] std::function<std::string(std::string_view)> audit_name() const;
  void end_connections(const identity::EndedLogins& ended);
  [[nodiscard]] api::GatewayOptions api_options(const Config& config) const;
  /// Null where it is switched off.
  [[nodiscard]] std::shared_ptr<control::Console> make_console() const;
  /// The names that the control listeners go by.
  [[nodiscard]] std::vector<std::string> control_hosts() const;
  /// Where the pages of the console come from: the gateway lets them log in and connect.
  [[nodiscard]] std::vector<std::string> console_origins() const;

  [[nodiscard]] Executor& first_shard() { return shards_->at(0); }
  [[nodiscard]] storage::StoreHandles& first_handles() { return *store_->handles.front(); }
  [[nodiscard]] std::string issuer() const { return info_.url + "/" + facts_.user_pool_id; }
  [[nodiscard]] control::State state() const;
  /// Of a process that works all the same.
  [[nodiscard]] std::vector<std::string> notes() const;
  [[nodiscard]] control::ProcessStatus process_status() const;
  /// Reads the metrics of all parts. On any shard, once the gateway is ready.
  void collect(MetricCollector& out) const;
  [[nodiscard]] bool apply_live(const Config& config);

  using MailboxesPhase = std::function<void(delivery::Mailboxes&, Task)>;
  /// Runs `phase` of every shard's mailboxes; whether all were done by `deadline`.
  bool each_mailboxes(const MailboxesPhase& phase, std::chrono::steady_clock::time_point deadline);
  void close_gradually(Milliseconds drain);
  void keep_attempts();
  void stop_parts();

  GatewayOptions options_;
  const Config& config_;  ///< of the start
  mutable std::mutex reload_mutex_;
  Config running_;  ///< with what was reloaded; under the mutex
  const Clock& clock_;
  GatewayInfo info_;
  WallTime started_at_;
  std::atomic<bool> ready_{false};
  std::atomic<bool> draining_{false};
  bool store_hangs_ = false;  ///< on the first shard: whether a line has told so
  std::atomic<std::size_t> message_bytes_max_;
  // The first shard's.
  Seconds id_token_lifetime_{};
  Seconds unconfirmed_lifetime_{};
  Seconds audit_keep_{};
  InstanceFacts facts_;
  const std::shared_ptr<BoundRefusals> refusals_ = std::make_shared<BoundRefusals>();

  // What the last tasks of the shards may hold is above the shards; what lived on them is below.
  std::unique_ptr<DataDirectory> directory_;
  std::shared_ptr<AuditLog> audit_;
  std::optional<StorePart> store_;
  std::unique_ptr<net::Shards> shards_;
  std::shared_ptr<api::ShardRouteMetrics> route_metrics_;
  std::optional<KeysPart> keys_;
  std::optional<IdentityPart> identity_;
  std::optional<DeliveryPart> delivery_;
  std::unique_ptr<api::GatewayServices> services_;
  std::shared_ptr<net::HttpService> local_service_;
  std::shared_ptr<control::ControlService> control_service_;
  std::unique_ptr<net::Listener> local_;
  ControlListeners controls_;
  GatewayListeners gateways_;
};

}  // namespace holdfast::app
