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
#include <holdfast/delivery/router.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/iam/sigv4.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/issuers.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/temporary_token.hpp>
#include <holdfast/identity/user_pool.hpp>
#include <holdfast/net/server.hpp>
#include <holdfast/storage/file_store.hpp>
#include <holdfast/storage/store.hpp>

#include "audit_log.hpp"
#include "backup_maker.hpp"
#include "data_directory.hpp"
#include "issuer_documents.hpp"
#include "key_ring_box.hpp"

namespace holdfast::app {

/// What each of the gateway's listeners may have: what is configured, its connections lowered to
/// what the limit on open files leaves, and the shares of one client worked out.
[[nodiscard]] net::HttpLimits gateway_limits(const Config& config);
/// Of the sign-ups of a minute, how many one client's address may have.
[[nodiscard]] std::uint32_t sign_up_share(std::uint32_t per_minute);

/// A gateway and all its parts. `open` builds it up step by step, each of which may fail; what was
/// built until then is taken down by the destructor.
class RunningGateway final : public Gateway {
 public:
  explicit RunningGateway(GatewayOptions options);
  ~RunningGateway() override;

  [[nodiscard]] Result<void> open();
  [[nodiscard]] const GatewayInfo& info() const noexcept override { return info_; }
  bool stop() override;
  [[nodiscard]] Result<void> reload_certificates() override;
  [[nodiscard]] Result<ReloadOutcome> reload(const Config& wanted) override;
  [[nodiscard]] bool alive(Milliseconds patience) override;
  [[nodiscard]] Seconds drain() const override;

 private:
  /// What one shard has of its own.
  struct ShardParts {
    std::unique_ptr<delivery::Mailboxes> mailboxes;
    std::unique_ptr<iam::SigV4Verifier> verifier;
    std::unique_ptr<identity::UserPool> pool;
    std::unique_ptr<identity::Generator> generator;
    std::unique_ptr<identity::Authorizer> authorizer;
  };

  [[nodiscard]] Result<void> open_store();
  [[nodiscard]] Result<void> open_keys(identity::MasterKey master);
  [[nodiscard]] Result<void> open_instance();
  [[nodiscard]] Result<void> open_attempts();
  [[nodiscard]] Result<void> open_root_key();
  [[nodiscard]] Result<void> bind_listeners();
  [[nodiscard]] Result<void> bind_gateway(const Config::Listener& listener);
  [[nodiscard]] Result<void> bind_control(const Config::Listener& listener);
  /// What all listeners have in common.
  [[nodiscard]] Result<net::ListenerOptions> listener_options(const Config::Listener& listener);
  void warn_unencrypted(const Config::Listener& configured, const std::string& address) const;
  [[nodiscard]] Result<void> start_controls();
  [[nodiscard]] control::ControlRoute metrics_route();
  [[nodiscard]] Result<void> bind_local();
  /// nullptr without a certificate, and for a Unix socket.
  [[nodiscard]] Result<std::shared_ptr<net::TlsServer>> tls_of(const std::string& address,
                                                               net::TlsServerOptions tls);
  void make_mailboxes();
  void sweep_tokens();
  void sweep_audit();
  [[nodiscard]] bool hangs(const storage::StoreStats& store) const;
  void give_up_what_hangs(net::ListenerOptions& options) const;
  void watch_store();
  [[nodiscard]] std::function<std::string(std::string_view)> audit_name() const;
  void make_identity();
  void end_connections(const identity::EndedLogins& ended);
  [[nodiscard]] Result<void> make_issuers();
  [[nodiscard]] api::GatewayOptions api_options(const Config& config) const;
  [[nodiscard]] Result<void> make_services();
  /// Null where it is switched off.
  [[nodiscard]] std::shared_ptr<control::Console> make_console() const;
  /// The names that the control listeners go by.
  [[nodiscard]] std::vector<std::string> control_hosts() const;
  /// Where the pages of the console come from: the gateway lets them log in and connect.
  [[nodiscard]] std::vector<std::string> console_origins() const;
  [[nodiscard]] Result<void> write_credentials();
  // Where messages are taken when not all listeners take them; empty: under the gateway's URL.
  [[nodiscard]] std::string separate_ingest_url() const;
  [[nodiscard]] Result<void> start_serving();

  [[nodiscard]] Executor& first_shard() { return shards_->at(0); }
  [[nodiscard]] std::string issuer() const { return info_.url + "/" + info_.user_pool_id; }
  [[nodiscard]] control::State state() const;
  /// Of a process that works all the same.
  [[nodiscard]] std::vector<std::string> notes() const;
  [[nodiscard]] control::ProcessStatus process_status() const;
  [[nodiscard]] bool apply_live(const Config& config);

  using MailboxesPhase = std::function<void(delivery::Mailboxes&, Task)>;
  /// Runs `phase` of every shard's mailboxes; whether all were done by `deadline`.
  bool each_mailboxes(const MailboxesPhase& phase, std::chrono::steady_clock::time_point deadline);
  void close_gradually(Milliseconds drain);
  void keep_attempts();
  void take_down();

  GatewayOptions options_;
  const Config& config_;  ///< of the start
  mutable std::mutex reload_mutex_;
  Config running_;  ///< with what was reloaded; under the mutex
  const Clock& clock_;
  GatewayInfo info_;
  WallTime started_at_;
  WallTime created_at_;  ///< when the data directory came to be
  std::atomic<bool> ready_{false};
  std::atomic<bool> draining_{false};
  bool store_hangs_ = false;  ///< on the first shard: whether a line has told so
  std::atomic<std::size_t> message_bytes_max_;
  // The first shard's.
  Seconds id_token_lifetime_{};
  Seconds unconfirmed_lifetime_{};
  Seconds audit_keep_{};

  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<storage::Store> store_;
  storage::FileStore* files_ = nullptr;  ///< the store, where it has files
  std::unique_ptr<BackupMaker> backups_;
  std::unique_ptr<net::Shards> shards_;
  std::vector<storage::StoreHandles*> handles_;  // by shard

  std::shared_ptr<identity::KeyRing> ring_;
  std::unique_ptr<KeyRingBox> box_;
  std::shared_ptr<identity::TokenSigner> signer_;
  std::vector<std::shared_ptr<IssuerReader>> issuer_readers_;
  std::shared_ptr<identity::Issuers> issuers_;  ///< null without issuers elsewhere
  std::shared_ptr<iam::AccessKeys> access_keys_;
  std::shared_ptr<identity::PasswordHasher> hasher_;
  std::shared_ptr<identity::CodeSender> code_sender_;
  std::shared_ptr<RateShares> sign_up_rate_;
  std::shared_ptr<RateShares> failed_logins_;
  std::shared_ptr<RateShares> failed_refreshes_;
  std::shared_ptr<identity::AttemptCounts> attempts_;
  std::unique_ptr<identity::AttemptKeeper> attempt_keeper_;
  std::string decoy_secret_;
  std::string message_id_secret_;
  std::shared_ptr<AuditLog> audit_;
  std::string audit_secret_;       ///< names in the audit log are hashed with it; kept for good
  std::vector<ShardParts> parts_;  // by shard
  std::optional<delivery::Router> router_;
  std::shared_ptr<api::ShardCounts> counts_;
  std::shared_ptr<BoundRefusals> refusals_ = std::make_shared<BoundRefusals>();

  /// A listener of the gateway's routes.
  struct GatewayListener {
    api::ServedParts parts;
    std::string url;  ///< empty for a Unix socket
    std::unique_ptr<net::Listener> listener;
  };
  std::vector<std::shared_ptr<net::TlsServer>> tls_;
  std::vector<GatewayListener> gateways_;                 // `server.listen` first
  std::vector<std::unique_ptr<net::Listener>> controls_;  // `server.control_listen` first
  std::shared_ptr<api::GatewayServices> services_;
  std::vector<std::string> control_urls_;  // of those that are no Unix sockets
  std::shared_ptr<control::ControlService> control_service_;
  std::shared_ptr<net::HttpService> local_service_;
  std::unique_ptr<net::Listener> local_;
};

}  // namespace holdfast::app
