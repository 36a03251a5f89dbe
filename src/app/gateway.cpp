// Makes the parts of a gateway, connects them, and tells how they are.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include <unistd.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/base/private_file.hpp>
#include <holdfast/base/shell.hpp>
#include <holdfast/identity/ended_logins.hpp>

#include "restore_files.hpp"
#include "running_gateway.hpp"

namespace holdfast::app {
namespace {

constexpr Milliseconds kTick{10};
constexpr Milliseconds kHousekeeping{60'000};
constexpr Milliseconds kAttemptsTick{1'000};
constexpr Milliseconds kStoreWatch{1'000};
constexpr const char* kStoreHangs = "store_hangs";
constexpr Seconds kAddressKnownFor{180 * 24 * 3'600};

// Why a login's connections are closed.
const char* to_text(identity::LoginEnd end) {
  switch (end) {
    case identity::LoginEnd::disabled:
      return "user disabled";
    case identity::LoginEnd::deleted:
      return "user deleted";
    case identity::LoginEnd::signed_out:
      return "signed out everywhere";
    case identity::LoginEnd::password_changed:
      return "password changed";
    case identity::LoginEnd::revoked:
    case identity::LoginEnd::token_reused:
      return "login revoked";
    case identity::LoginEnd::too_many:
      return "too many logins";
  }
  return "access ended";
}

void end_process(const std::string& reason) {
  log::error("store_outcome_unknown", {{"reason", reason}});
  log::stop();
  // Nothing may be answered any more: no destructor runs, no buffer is flushed to a client.
  _exit(EXIT_FAILURE);
}

std::size_t worker_count(const Config& config) {
  if (config.server.workers > 0) return config.server.workers;
  return std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

// An empty database in the place of a lost one would look like a working system without its users.
std::unexpected<Error> missing_database(const DataDirectory& directory) {
  const std::string database = directory.file("holdfast.db");
  std::string others = directory.file("credentials");
  std::error_code ignored;
  if (const auto key = directory.file("master.key"); std::filesystem::exists(key, ignored)) {
    others += " and " + key;
  }
  return fail(Errc::not_found,
              database + " is missing, but " + directory.file("credentials") +
                  " is of an earlier run: put the database back, or, to begin anew without its "
                  "users, keys and messages, remove " +
                  others,
              database);
}

}  // namespace

RunningGateway::RunningGateway(GatewayOptions options)
    : options_(std::move(options)),
      config_(options_.config),
      running_(options_.config),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock()),
      started_at_(clock_.wall_now()),
      message_bytes_max_(config_.limits.api.message.message_bytes),
      id_token_lifetime_(config_.user_pool.id_token_lifetime),
      unconfirmed_lifetime_(config_.sign_ups.unconfirmed_lifetime),
      audit_keep_(config_.audit.keep) {
  if (!options_.on_fatal) options_.on_fatal = end_process;
}

// The controls serve first: whoever asks for its health hears that it starts, however long the
// store takes to recover.
Result<void> RunningGateway::open() {
  auto master = open_directory();
  if (!master) return std::unexpected(std::move(master.error()));
  if (auto done = start_controls(); !done) return done;
  if (auto done = open_store(std::move(*master)); !done) return done;
  if (auto done = bind_listeners(); !done) return done;
  if (auto done = make_identity(); !done) return done;
  make_services();
  if (auto done = write_credentials(); !done) return done;
  return start_serving();
}

Result<identity::MasterKey> RunningGateway::open_directory() {
  auto directory = DataDirectory::open(options_.data_dir);
  if (!directory) return std::unexpected(std::move(directory.error()));
  directory_ = std::move(*directory);
  info_.credentials_file = directory_->file("credentials");
  info_.control_socket = directory_->file("control.sock");
  std::error_code ignored;
  info_.first_start = !std::filesystem::exists(directory_->file("holdfast.db"), ignored);
  info_.first_credentials = !std::filesystem::exists(info_.credentials_file, ignored);
  // Between the old database and the restored one there was none.
  if (const auto left = directory_->file(kRestoring);
      info_.first_start && std::filesystem::exists(left, ignored)) {
    return fail(
        Errc::not_found,
        directory_->file("holdfast.db") + " is missing: a restore was cut short; run it again",
        left);
  }
  // It is written once all else is there: a first start that was cut short leaves none.
  if (info_.first_start && std::filesystem::exists(info_.credentials_file, ignored)) {
    return missing_database(*directory_);
  }

  // A database without its master key must not get another one: nothing in it would open.
  const bool is_configured = !options_.master_key_file.empty();
  auto master = identity::MasterKey::load(
      is_configured ? options_.master_key_file : directory_->file("master.key"),
      options_.master_key ? options_.master_key->c_str() : nullptr,
      info_.first_start && !is_configured ? identity::MasterKey::Missing::create
                                          : identity::MasterKey::Missing::fail);
  if (options_.master_key) wipe(*options_.master_key);
  if (!master) return master;
  auto audit = AuditLog::open(
      {.file = config_.log.audit_file, .records_max = config_.audit.records_max}, clock_);
  if (!audit) return std::unexpected(std::move(audit.error()));
  audit_ = std::move(*audit);
  return master;
}

// The store is not asked before it is there: a request that comes earlier waits.
ListenersContext RunningGateway::listeners_context() {
  return {.config = config_,
          .clock = clock_,
          .shards = *shards_,
          .refusals = refusals_,
          .gives_up = [this]() -> const char* {
            return ready_ && hangs(store_->store->stats()) ? kStoreHangs : nullptr;
          }};
}

Result<void> RunningGateway::start_controls() {
  shards_ = net::make_shards(worker_count(config_));
  route_metrics_ = api::make_route_metrics(shards_->count());
  control_service_ = control::make_control_service([this] { return state(); }, {metrics_route()},
                                                   [this] { return notes(); });
  auto controls = bind_controls(listeners_context());
  if (!controls) return std::unexpected(std::move(controls.error()));
  controls_ = std::move(*controls);
  info_.control_address = controls_.all.front()->address();
  shards_->start();
  for (const auto& control : controls_.all) {
    if (auto started = control->start(control_service_); !started) return started;
  }
  return {};
}

control::ControlRoute RunningGateway::metrics_route() {
  auto route = control::make_metrics_route(
      [this] { return state(); }, {.collect = [this](MetricCollector& out) { collect(out); },
                                   .process = [this] { return process_status(); }});
  route.serves_host = control::make_host_check(control_hosts());
  return route;
}

Result<void> RunningGateway::open_store(identity::MasterKey master) {
  auto store =
      open_store_part(*directory_, config_.storage, options_.on_fatal, clock_, *shards_, audit_);
  if (!store) return std::unexpected(std::move(store.error()));
  store_.emplace(std::move(*store));
  const KeysContext context{.config = config_,
                            .clock = clock_,
                            .executor = first_shard(),
                            .handles = first_handles(),
                            .refusals = refusals_,
                            .signing_key_bits = options_.signing_key_bits};
  auto keys = open_keys(std::move(master), context);
  if (!keys) return std::unexpected(std::move(keys.error()));
  keys_.emplace(std::move(*keys));
  auto facts = open_instance(*first_handles().instance, first_shard(), config_.aws.region, clock_);
  if (!facts) return std::unexpected(std::move(facts.error()));
  facts_ = std::move(*facts);
  info_.user_pool_id = facts_.user_pool_id;
  info_.client_id = facts_.client_id;
  // A database of an earlier version does not say; its first start has left credentials.
  std::error_code ignored;
  const bool is_first =
      info_.first_start || !std::filesystem::exists(info_.credentials_file, ignored);
  if (auto settled = settle_root_key(*keys_, context, is_first); !settled) return settled;
  delivery_.emplace(make_delivery(config_.delivery, facts_.message_id_secret, clock_, *shards_,
                                  *store_, refusals_));
  return {};
}

Result<void> RunningGateway::bind_listeners() {
  auto gateways = bind_gateways(listeners_context());
  if (!gateways) return std::unexpected(std::move(gateways.error()));
  gateways_ = std::move(*gateways);
  auto local = bind_local(listeners_context(), info_.control_socket);
  if (!local) return std::unexpected(std::move(local.error()));
  local_ = std::move(*local);
  info_.address = gateways_.all.front().listener->address();
  info_.url = gateways_.url(config_.server);
  return {};
}

Result<void> RunningGateway::make_identity() {
  auto identity = open_identity(
      {.config = config_,
       .clock = clock_,
       .shards = *shards_,
       .store = *store_,
       .keys = *keys_,
       .facts = facts_,
       .issuer = issuer(),
       .refusals = refusals_,
       .audit = audit_,
       .on_logins_ended = [this](const identity::EndedLogins& ended) { end_connections(ended); }});
  if (!identity) return std::unexpected(std::move(identity.error()));
  identity_.emplace(std::move(*identity));
  return {};
}

void RunningGateway::end_connections(const identity::EndedLogins& ended) {
  delivery_->router->close_logins(ended.sub, ended.which, delivery::CloseReason::access_ended,
                                  to_text(ended.why));
  if (ended.why == identity::LoginEnd::deleted)
    delivery_->router->move_to_dead_letters(ended.sub, "user_deleted");
  if (ended.why == identity::LoginEnd::disabled)
    delivery_->router->move_to_dead_letters(ended.sub, "user_disabled");
}

void RunningGateway::make_services() {
  api::GatewayParts parts{
      .clock = clock_,
      .router = *delivery_->router,
      .id_tokens = std::make_shared<identity::IdTokenVerifier>(
          identity::PoolAudience{.issuer = issuer(), .audience = facts_.client_id}, keys_->signer,
          clock_),
      .signer = keys_->signer,
      .shards = {},
      .draining = &draining_,
      .issuers = identity_->issuers,
      .metrics = route_metrics_,
      .refusals = refusals_,
      .audit = audit_,
      .audit_name = audit_name()};
  control::LocalControlParts local{
      .clock = clock_,
      .router = *delivery_->router,
      .messages = {},
      .access_keys = keys_->access_keys,
      .key_ring = keys_->ring,
      .signer = keys_->signer,
      .keys_executor = first_shard(),
      .state = [this] { return state(); },
      .process = [this] { return process_status(); },
      .user_pools = {},
      .user_pool_id = facts_.user_pool_id,
      .backups = store_->backups.get(),
      .message_bytes_max = [this] { return message_bytes_max_.load(); },
      .console = make_console(),
      .audit = audit_,
      .audit_records = {},
      .audit_name = audit_name(),
      .collect = [this](MetricCollector& out) { collect(out); }};
  for (const IdentityPart::Shard& shard : identity_->shards) {
    parts.shards.push_back({.verifier = shard.verifier.get(),
                            .pool = shard.pool.get(),
                            .generator = shard.generator.get(),
                            .authorizer = shard.authorizer.get()});
    local.user_pools.push_back(shard.pool.get());
  }
  for (storage::StoreHandles* const handles : store_->handles) {
    local.messages.push_back(handles->messages.get());
    local.audit_records.push_back(handles->audit.get());
  }
  std::vector<api::ServedParts> served;
  served.reserve(gateways_.all.size());
  for (const auto& gateway : gateways_.all) served.push_back(gateway.parts);
  services_ =
      std::make_unique<api::GatewayServices>(api_options(config_), std::move(parts), served);
  const std::shared_ptr<control::Console> console = local.console;
  local_service_ = control::make_local_control_service(std::move(local));
  if (console != nullptr) control_service_->add(console->routes(local_service_));
}

Result<void> RunningGateway::reload_certificates() {
  Result<void> out;
  for (const auto* const listeners : {&controls_.tls, &gateways_.tls}) {
    for (const auto& tls : *listeners) {
      auto reloaded = tls->reload();
      if (!reloaded && out) out = std::move(reloaded);
    }
  }
  return out;
}

Result<void> RunningGateway::write_credentials() {
  std::vector<ShellVariable> variables;
  const auto keys = keys_->access_keys->list();
  const auto root = std::ranges::find(keys, "root", [](const auto& key) { return key->name; });
  if (root != keys.end()) {
    variables.emplace_back("AWS_ACCESS_KEY_ID", (*root)->id);
    variables.emplace_back("AWS_SECRET_ACCESS_KEY", (*root)->secret);
  }
  variables.emplace_back("AWS_DEFAULT_REGION", config_.aws.region);
  variables.emplace_back("AWS_REGION", config_.aws.region);
  variables.emplace_back("HOLDFAST_USER_POOL_ID", info_.user_pool_id);
  variables.emplace_back("HOLDFAST_CLIENT_ID", info_.client_id);
  variables.emplace_back("HOLDFAST_URL", info_.url);
  if (std::string ingest = gateways_.separate_ingest_url(); !ingest.empty()) {
    variables.emplace_back("HOLDFAST_INGEST_URL", std::move(ingest));
  }
  const auto lines = export_lines(variables);
  if (!lines) return std::unexpected(lines.error());
  return write_private_file(info_.credentials_file, *lines);
}

Result<void> RunningGateway::start_serving() {
  for (std::size_t i = 0; i < shards_->count(); ++i) {
    net::Shard& shard = shards_->at(i);
    delivery::Mailboxes* const mailboxes = delivery_->mailboxes[i].get();
    shard.post([&shard, mailboxes] { shard.every(kTick, [mailboxes] { mailboxes->tick(); }); });
  }
  net::Shard& first = shards_->at(0);
  first.post([this, &first] {
    if (identity_->issuers != nullptr) {
      identity_->issuers->tick();
      first.every(kIssuerTick, [this] { identity_->issuers->tick(); });
    }
    keys_->signer->maintain();
    first.every(kHousekeeping, [this] {
      keys_->ring->maintain();
      keys_->signer->maintain();
      identity_->attempt_keeper->forget_idle();
      sweep_tokens();
      sweep_audit();
    });
    first.every(kAttemptsTick, [this] { identity_->attempt_keeper->write(); });
    first.every(kStoreWatch, [this] { watch_store(); });
  });
  if (auto started = local_->start(local_service_); !started) return started;
  // Whoever reads that the gateway listens finds it ready.
  ready_ = true;
  for (std::size_t i = 0; i < gateways_.all.size(); ++i) {
    auto started = gateways_.all[i].listener->start(services_->all()[i]);
    if (!started) return started;
  }
  return {};
}

void RunningGateway::sweep_tokens() {
  const auto swept = [](const Result<void>& result) {
    if (!result) log::warn("token_sweep_failed", {{"reason", result.error().message}});
  };
  const WallTime now = clock_.wall_now();
  const storage::StoreHandles& handles = first_handles();
  handles.tokens->sweep(now - config_.tokens.drift, swept);
  // Access tokens are held against the row of their login, and outlive its refresh token.
  handles.refresh_tokens->sweep(now - id_token_lifetime_, swept);
  handles.codes->sweep(now, swept);
  handles.known_addresses->sweep(now - kAddressKnownFor, swept);
  handles.users->sweep_unconfirmed(now - unconfirmed_lifetime_, swept);
}

void RunningGateway::sweep_audit() {
  first_handles().audit->sweep(clock_.wall_now() - audit_keep_, [this](const Result<bool>& more) {
    if (!more) return log::warn("audit_sweep_failed", {{"reason", more.error().message}});
    if (*more && !draining_) sweep_audit();
  });
}

// People type passwords where a name belongs, so a name that may be nobody's does not go into a log
// as it is.
std::function<std::string(std::string_view)> RunningGateway::audit_name() const {
  return [&secret = facts_.audit_secret](std::string_view name) {
    const Digest hash = hmac_sha256(secret, identity::fold_username(name));
    return "name_hash:" + hex_encode(view(hash)).substr(0, 16);
  };
}

control::State RunningGateway::state() const {
  if (draining_) return control::State::draining;
  if (!ready_) return control::State::starting;
  const storage::StoreStats store = store_->store->stats();
  if (!store.writable) return control::State::store_failed;
  if (hangs(store)) return control::State::store_hangs;
  return control::State::ready;
}

bool RunningGateway::hangs(const storage::StoreStats& store) const {
  return store.oldest_wait >= config_.storage.hang_after;
}

void RunningGateway::watch_store() {
  const storage::StoreStats store = store_->store->stats();
  const bool now = hangs(store);
  if (std::exchange(store_hangs_, now) == now) return;
  if (now) {
    log::error(kStoreHangs, {{"waited_ms", store.oldest_wait.count()}});
  } else {
    log::info("store_goes_on");
  }
}

std::vector<std::string> RunningGateway::notes() const {
  std::vector<std::string> out;
  if (!ready_) return out;
  if (store_->files == nullptr) return out;
  const storage::FileMetrics& files = store_->files->file_metrics();
  if (files.disk_low.read() != 0) out.emplace_back("disk_low");
  if (files.disk_full.read() != 0) out.emplace_back("messages_refused");
  if (files.missing.read() > 0) out.emplace_back("messages_missing");
  return out;
}

void RunningGateway::collect(MetricCollector& out) const {
  for (const auto& mailboxes : delivery_->mailboxes) mailboxes->metrics().collect(out);
  store_->store->collect(out);
  for (const auto& gateway : gateways_.all) gateway.listener->collect(out);
  for (const auto& control : controls_.all) control->collect(out);
  local_->collect(out);
  for (const auto& routes : *route_metrics_) routes->collect(out);
  refusals_->collect(out);
  for (std::size_t i = 0; i < shards_->count(); ++i) shards_->at(i).collect(out);
}

control::ProcessStatus RunningGateway::process_status() const {
  control::ProcessStatus status;
  status.version = HOLDFAST_VERSION;
  status.started_at = started_at_;
  const auto add = [&status](const char* part, const net::Listener& listener) {
    status.listeners.push_back(
        {.part = part, .address = listener.address(), .stats = listener.stats()});
  };
  for (const auto& gateway : gateways_.all) add("gateway", *gateway.listener);
  for (const auto& control : controls_.all) add("control", *control);
  add("local", *local_);
  std::error_code ignored;
  const auto disk = std::filesystem::space(options_.data_dir, ignored);
  if (!ignored) {
    status.disk_bytes = disk.capacity;
    status.disk_free_bytes = disk.available;
  }
  return status;
}

Result<std::unique_ptr<Gateway>> open_gateway(GatewayOptions options) {
  auto gateway = std::make_unique<RunningGateway>(std::move(options));
  auto opened = gateway->open();
  if (opened) return gateway;
  Error& error = opened.error();
  // Who reads it sees one line, which must name the place.
  if (!error.message.contains(error.where)) error.message = error.where + ": " + error.message;
  return std::unexpected(std::move(error));
}

}  // namespace holdfast::app
