#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <limits>
#include <thread>
#include <utility>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/base/private_file.hpp>
#include <holdfast/base/shell.hpp>

#include "await.hpp"
#include "code_command.hpp"
#include "instance.hpp"
#include "restore_files.hpp"
#include "running_gateway.hpp"
#include "store_engines.hpp"

namespace holdfast::app {
namespace {

constexpr Milliseconds kTick{10};
constexpr Milliseconds kHousekeeping{60'000};
constexpr Milliseconds kIssuerTick{1'000};
constexpr Milliseconds kAttemptsTick{1'000};
constexpr Milliseconds kStoreWatch{1'000};
constexpr const char* kStoreHangs = "store_hangs";
constexpr Seconds kAddressKnownFor{180 * 24 * 3'600};
// What a process needs besides its connections: database, log, control connections.
constexpr std::size_t kOtherFiles = 128;
constexpr std::size_t kControlConnections = 64;
// What one client may have of what is bounded for all, where the configuration does not say.
constexpr std::size_t kShares = 8;
constexpr std::size_t kConnectionsPerAddressMin = 16;
// File descriptors that the control listeners keep, to tell of a gateway that has used up the rest.
constexpr std::size_t kControlReserve = 8;
constexpr std::size_t kDecoySecretBytes = 32;
constexpr std::size_t kMessageIdSecretBytes = 32;

// Why a login's connections are closed.
const char* words_of(identity::LoginEnd end) {
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

// The URL under which neighbours reach a listener; empty for a Unix socket, and before it is bound.
std::string reachable_url(const net::Listener& listener, bool secure) {
  const std::string& address = listener.address();
  const bool unreachable = address.empty() || address.starts_with("unix:");
  return unreachable ? std::string() : url_of(address, secure);
}

// Shards share nothing but what is handed over here: each gets its own users.
template <class T, class UserOf>
std::vector<T> of_shard(const std::vector<T>& all, std::size_t shard, std::size_t shards,
                        UserOf user_of) {
  std::vector<T> out;
  for (const T& item : all) {
    if (delivery::home_shard(user_of(item), shards) == shard) out.push_back(item);
  }
  return out;
}

}  // namespace

// An eighth, so that no client can use up all sign-ups of a minute.
std::uint32_t sign_up_share(std::uint32_t per_minute) {
  return std::max<std::uint32_t>(per_minute / 8, 1);
}

namespace {

std::size_t open_files_max() {
  rlimit files{};
  const bool known = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY;
  return known ? files.rlim_cur : std::numeric_limits<std::size_t>::max();
}

// Accepting more connections than there may be files would end in refusals that nobody explains.
// Each of the gateway's listeners gets its share, with some to say no on.
std::size_t connection_limit(const Config& config) {
  const std::size_t files = open_files_max();
  const auto gateways = 1 + static_cast<std::size_t>(std::ranges::count(
                                config.server.listeners, false, &Config::Listener::control));
  const std::size_t all = files > 2 * kOtherFiles ? files - kOtherFiles : files / 2;
  const std::size_t room = std::max<std::size_t>(all / gateways / 9 * 8, 1);
  if (room < config.limits.connections) {
    log::warn("connections_limited_by_open_files",
              {{"configured", config.limits.connections}, {"allowed", room}});
  }
  return std::min(config.limits.connections, room);
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]:");
}

}  // namespace

net::HttpLimits gateway_limits(const Config& config) {
  net::HttpLimits out = config.limits.http;
  out.connections = connection_limit(config);
  out.connections_per_address = config.limits.connections_per_address;
  if (out.connections_per_address == 0) {
    out.connections_per_address = std::max(out.connections / kShares, kConnectionsPerAddressMin);
  }
  out.body_bytes_per_address = config.limits.body_bytes_per_address;
  if (out.body_bytes_per_address == 0) {
    out.body_bytes_per_address = out.body_bytes_in_flight / kShares;
  }
  // Its header section is held twice for a moment.
  out.body_bytes_per_address =
      std::max(out.body_bytes_per_address, config.limits.body_bytes + 2 * out.header_bytes);
  return out;
}

RunningGateway::RunningGateway(GatewayOptions options)
    : options_(std::move(options)),
      config_(options_.config),
      running_(options_.config),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock()),
      started_at_(clock_.wall_now()),
      message_bytes_max_(config_.limits.message_bytes),
      id_token_lifetime_(config_.user_pool.id_token_lifetime),
      unconfirmed_lifetime_(config_.sign_ups.unconfirmed_lifetime),
      audit_keep_(config_.audit.keep) {
  if (!options_.on_fatal) options_.on_fatal = end_process;
}

Result<void> RunningGateway::open() {
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
  const bool elsewhere = !options_.master_key_file.empty();
  auto master = identity::MasterKey::load(
      elsewhere ? options_.master_key_file : directory_->file("master.key"),
      options_.master_key ? options_.master_key->c_str() : nullptr,
      info_.first_start && !elsewhere);
  if (options_.master_key) wipe(*options_.master_key);
  if (!master) return std::unexpected(std::move(master.error()));
  auto audit = AuditLog::open(
      {.file = config_.log.audit_file, .records_max = config_.audit.records_max}, clock_);
  if (!audit) return std::unexpected(std::move(audit.error()));
  audit_ = std::move(*audit);
  // Whoever asks for its health hears that it starts, however long the store takes to recover.
  if (auto done = start_controls(); !done) return done;
  if (auto done = open_store(); !done) return done;
  if (auto done = open_keys(std::move(*master)); !done) return done;
  if (auto done = open_instance(); !done) return done;
  if (auto done = open_attempts(); !done) return done;
  if (auto done = open_root_key(); !done) return done;
  make_mailboxes();
  if (auto done = bind_listeners(); !done) return done;
  make_identity();
  if (auto done = make_services(); !done) return done;
  if (auto done = write_credentials(); !done) return done;
  return start_serving();
}

Result<void> RunningGateway::open_store() {
  auto opened = app::open_store("sqlite:" + directory_->file("holdfast.db"), config_.storage,
                                options_.on_fatal, clock_);
  if (!opened) return std::unexpected(std::move(opened.error()));
  store_ = std::move(opened->store);
  files_ = opened->files;
  const std::string partial = directory_->file("backup.partial");
  // As large as the database, when the process was killed while it was made.
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) unlink((partial + suffix).c_str());
  if (files_ != nullptr) backups_ = std::make_unique<BackupMaker>(*files_, partial, audit_);
  for (std::size_t i = 0; i < shards_->count(); ++i) {
    handles_.push_back(&store_->handles(shards_->at(i)));
  }
  counts_ = api::make_shard_counts(shards_->count());
  audit_->attach(*handles_[0]->audit, first_shard());
  return {};
}

Result<void> RunningGateway::open_keys(identity::MasterKey master) {
  auto ring = await<std::shared_ptr<identity::KeyRing>>(
      first_shard(), [this, master = std::move(master)](auto done) mutable {
        identity::open_key_ring(std::move(master), config_.keys, clock_, *handles_[0]->keys,
                                std::move(done));
      });
  if (!ring) return std::unexpected(std::move(ring.error()));
  ring_ = std::move(*ring);
  box_ = std::make_unique<KeyRingBox>(ring_);

  hasher_ = identity::make_password_hasher(config_.auth.passwords, refusals_);
  identity::TokenSigner::Options signing;
  signing.rotation_enabled = config_.signing_keys.rotation_enabled;
  signing.rotation_period = config_.signing_keys.rotation_period;
  signing.key_bits = options_.signing_key_bits;
  // By reference: it is asked on a shard, and outlives those.
  signing.compute = [this](auto work, auto done) {
    hasher_->compute(std::move(work), {.source = identity::Source::of_operator()}, first_shard(),
                     std::move(done));
  };
  auto signer = await<std::shared_ptr<identity::TokenSigner>>(
      first_shard(), [this, signing = std::move(signing)](auto done) mutable {
        identity::open_token_signer(ring_, std::move(signing), clock_, *handles_[0]->keys,
                                    std::move(done));
      });
  if (!signer) return std::unexpected(std::move(signer.error()));
  signer_ = std::move(*signer);

  auto keys = await<std::shared_ptr<iam::AccessKeys>>(first_shard(), [this](auto done) {
    iam::open_access_keys({.partition = config_.aws.partition, .account = config_.aws.account},
                          clock_, *handles_[0]->access_keys, *box_, std::move(done));
  });
  if (!keys) return std::unexpected(std::move(keys.error()));
  access_keys_ = std::move(*keys);
  return {};
}

Result<void> RunningGateway::open_instance() {
  const auto fact = [this](std::string name, std::string value) {
    return await<std::string>(
        first_shard(), [this, name = std::move(name), value = std::move(value)](auto done) mutable {
          handles_[0]->instance->get_or_set(std::move(name), std::move(value), std::move(done));
        });
  };
  auto pool_id = fact("user_pool_id", make_user_pool_id(config_.aws.region));
  if (!pool_id) return std::unexpected(std::move(pool_id.error()));
  auto client_id = fact("client_id", make_client_id());
  if (!client_id) return std::unexpected(std::move(client_id.error()));
  auto decoy_secret = fact("decoy_secret", hex_encode(random_string(kDecoySecretBytes)));
  if (!decoy_secret) return std::unexpected(std::move(decoy_secret.error()));
  decoy_secret_ = std::move(*decoy_secret);
  auto id_secret = fact("message_id_secret", hex_encode(random_string(kMessageIdSecretBytes)));
  if (!id_secret) return std::unexpected(std::move(id_secret.error()));
  message_id_secret_ = std::move(*id_secret);
  auto audit_secret = fact("audit_secret", hex_encode(random_string(kDecoySecretBytes)));
  if (!audit_secret) return std::unexpected(std::move(audit_secret.error()));
  audit_secret_ = std::move(*audit_secret);
  const auto created_at = fact("created_at", std::to_string(unix_micros(clock_.wall_now())));
  if (!created_at) return std::unexpected(created_at.error());
  std::int64_t created_us = 0;
  std::from_chars(created_at->data(), created_at->data() + created_at->size(), created_us);
  created_at_ = wall_from_micros(created_us);
  info_.user_pool_id = std::move(*pool_id);
  info_.client_id = std::move(*client_id);
  return {};
}

Result<void> RunningGateway::open_attempts() {
  attempts_ =
      std::make_shared<identity::AttemptCounts>(clock_, config_.auth.lockout_names, decoy_secret_);
  attempt_keeper_ =
      std::make_unique<identity::AttemptKeeper>(attempts_, *handles_[0]->attempts, clock_);
  return await<void>(first_shard(), [this](auto done) { attempt_keeper_->load(std::move(done)); });
}

// At the first start alone: who has deleted the last key wants none.
Result<void> RunningGateway::open_root_key() {
  constexpr const char* kSettled = "root_key_settled";
  const auto settled = await<std::optional<std::string>>(
      first_shard(), [this](auto done) { handles_[0]->instance->find(kSettled, std::move(done)); });
  if (!settled) return std::unexpected(settled.error());
  if (*settled) return {};
  // A database of an earlier version does not say; its first start has left credentials.
  std::error_code ignored;
  const bool first = info_.first_start || !std::filesystem::exists(info_.credentials_file, ignored);
  if (first && access_keys_->list().empty()) {
    const auto created = await<iam::AccessKeys::Created>(first_shard(), [this](auto done) {
      access_keys_->create({.name = "root", .policy = std::string(iam::kAllowAll)},
                           std::move(done));
    });
    if (!created) return std::unexpected(created.error());
    log::info("root_key_made", {{"id", created->id}});
  }
  const auto kept = await<std::string>(first_shard(), [this](auto done) {
    handles_[0]->instance->get_or_set(kSettled, "true", std::move(done));
  });
  if (!kept) return std::unexpected(kept.error());
  return {};
}

void RunningGateway::make_mailboxes() {
  const delivery::StartState start = store_->take_start_state();
  const std::size_t shards = shards_->count();
  parts_.resize(shards);
  std::vector<delivery::Router::Shard> routes;
  for (std::size_t i = 0; i < shards; ++i) {
    delivery::MailboxesOptions options;
    options.limits = config_.delivery;
    options.shard = i;
    options.shards = shards;
    options.counter_start = start.counter_start;
    options.ceiling = start.ceiling;
    options.message_id_secret = message_id_secret_;
    options.pending = of_shard(start.pending, i, shards,
                               [](const auto& pair) -> const UserId& { return pair.first; });
    options.deduplication =
        of_shard(start.deduplication, i, shards,
                 [](const auto& record) -> const UserId& { return record.user; });
    options.burials = of_shard(start.burials, i, shards,
                               [](const auto& burial) -> const UserId& { return burial.user; });
    options.known_time = start.known_time;
    options.refusals = refusals_;
    parts_[i].mailboxes =
        delivery::make_mailboxes(std::move(options), clock_, shards_->at(i), *handles_[i]->messages,
                                 *handles_[i]->connections);
    routes.push_back({.executor = &shards_->at(i), .mailboxes = parts_[i].mailboxes.get()});
  }
  router_.emplace(std::move(routes));
}

Result<std::shared_ptr<net::TlsServer>> RunningGateway::tls_of(const std::string& address,
                                                               net::TlsServerOptions tls) {
  if (tls.certificate_file.empty() || address.starts_with("unix:")) return nullptr;
  tls.ciphers = config_.tls.files.ciphers;
  auto made = net::make_tls_server(std::move(tls), clock_);
  if (made) tls_.push_back(*made);
  return made;
}

Result<net::ListenerOptions> RunningGateway::listener_options(const Config::Listener& listener) {
  auto proxies = net::TrustedProxies::parse(config_.server.trusted_proxies);
  if (!proxies) return std::unexpected(std::move(proxies.error()));
  auto server = tls_of(listener.address, listener.tls);
  if (!server) return std::unexpected(std::move(server.error()));
  net::ListenerOptions options;
  options.name = listener.control ? "control" : "gateway";
  options.address = listener.address;
  options.tls = std::move(*server);
  options.transport_security = config_.tls.transport_security;
  options.trusted_proxies = std::move(*proxies);
  options.proxy_protocol = listener.proxy_protocol;
  options.refusals = refusals_;
  give_up_what_hangs(options);
  return options;
}

// Passwords and tokens can be read on the way: whoever wants that says so.
void RunningGateway::warn_unencrypted(const Config::Listener& configured,
                                      const std::string& address) const {
  const Config::Server& server = config_.server;
  const bool encrypted = !configured.tls.certificate_file.empty() || address.starts_with("unix:");
  if (encrypted || is_loopback(address) || !server.trusted_proxies.empty() ||
      server.plain_http_intended) {
    return;
  }
  log::warn(configured.control ? "control_listening_unencrypted" : "listening_unencrypted",
            {{"address", address}});
}

Result<void> RunningGateway::bind_gateway(const Config::Listener& configured) {
  auto options = listener_options(configured);
  if (!options) return std::unexpected(std::move(options.error()));
  options->limits = gateway_limits(config_);
  const std::string& mode = config_.server.unix_socket_mode;
  std::from_chars(mode.data(), mode.data() + mode.size(), options->unix_mode, 8);
  options->access_log = config_.log.access;
  const bool secure = options->tls != nullptr;
  auto listener = net::make_listener(std::move(*options), *shards_, clock_);
  auto bound = listener->bind();
  if (bound) warn_unencrypted(configured, listener->address());
  std::string url = reachable_url(*listener, secure);
  gateways_.push_back(
      {.parts = configured.parts, .url = std::move(url), .listener = std::move(listener)});
  return bound;
}

Result<void> RunningGateway::bind_control(const Config::Listener& configured) {
  auto options = listener_options(configured);
  if (!options) return std::unexpected(std::move(options.error()));
  options->limits.connections = kControlConnections;
  options->limits.connections_per_address = kControlConnections / 2;
  options->access_log = false;
  options->reserved_descriptors =
      std::clamp<std::size_t>(open_files_max() / kShares, 1, kControlReserve);
  const bool secure = options->tls != nullptr;
  controls_.push_back(net::make_listener(std::move(*options), *shards_, clock_));
  auto bound = controls_.back()->bind();
  if (bound) warn_unencrypted(configured, controls_.back()->address());
  std::string url = reachable_url(*controls_.back(), secure);
  if (!url.empty()) control_urls_.push_back(std::move(url));
  return bound;
}

Result<void> RunningGateway::start_controls() {
  shards_ = net::make_shards(worker_count(config_));
  control_service_ = control::make_control_service([this] { return state(); }, {metrics_route()},
                                                   [this] { return notes(); });
  const Config::Server& server = config_.server;
  Config::Listener first;
  first.address = server.control_listen;
  first.control = true;
  if (config_.tls.control) first.tls = config_.tls.files;
  if (auto done = bind_control(first); !done) return done;
  for (const Config::Listener& more : server.listeners) {
    if (!more.control) continue;
    if (auto done = bind_control(more); !done) return done;
  }
  info_.control_address = controls_.front()->address();
  shards_->start();
  for (const auto& control : controls_) {
    if (auto started = control->start(control_service_); !started) return started;
  }
  return {};
}

control::ControlRoute RunningGateway::metrics_route() {
  auto route = control::make_metrics_route(
      [this] { return state(); },
      {.router = [this]() -> const delivery::Router& { return *router_; },
       .process = [this] { return process_status(); },
       .counts = [this] { return counts_; },
       .refusals = refusals_});
  route.serves_host = control::make_host_check(control_hosts());
  return route;
}

Result<void> RunningGateway::bind_local() {
  // One left behind by a crash: the directory's lock says that nobody serves it.
  unlink(info_.control_socket.c_str());
  net::ListenerOptions local;
  local.name = "local";
  local.address = "unix:" + info_.control_socket;
  local.limits.connections = kControlConnections;
  local.access_log = false;
  give_up_what_hangs(local);
  local_ = net::make_listener(std::move(local), *shards_, clock_);
  if (auto bound = local_->bind(); !bound) return bound;
  // Before it accepts: who may open the file may do everything.
  if (chmod(info_.control_socket.c_str(), S_IRUSR | S_IWUSR) != 0) {
    return fail(Errc::io, "cannot protect " + info_.control_socket, info_.control_socket);
  }
  return {};
}

Result<void> RunningGateway::bind_listeners() {
  const Config::Server& server = config_.server;
  const net::TlsServerOptions& tls = config_.tls.files;
  Config::Listener first;
  first.address = server.listen;
  first.parts = server.parts;
  first.proxy_protocol = server.proxy_protocol;
  first.tls = tls;
  if (auto done = bind_gateway(first); !done) return done;
  for (const Config::Listener& more : server.listeners) {
    if (more.control) continue;
    if (auto done = bind_gateway(more); !done) return done;
  }
  if (auto done = bind_local(); !done) return done;
  info_.address = gateways_.front().listener->address();
  info_.url = server.public_url;
  if (info_.url.empty()) {
    const bool secure = !tls.certificate_file.empty() && !server.listen.starts_with("unix:");
    info_.url = url_of(info_.address, secure);
  }
  return {};
}

void RunningGateway::make_identity() {
  code_sender_ = make_code_sender({.command = config_.codes.command,
                                   .timeout = config_.codes.command_timeout,
                                   .to_log = config_.codes.to_log,
                                   .refusals = refusals_,
                                   .audit = audit_});
  const auto spent_challenges = std::make_shared<identity::SpentChallenges>(clock_);
  const std::uint32_t sign_ups = config_.sign_ups.per_minute;
  sign_up_rate_ = std::make_shared<RateShares>(
      RateShares::Options{
          .bound = Bound::sign_ups, .capacity = sign_ups, .share = sign_up_share(sign_ups)},
      refusals_);
  failed_logins_ = std::make_shared<RateShares>(
      RateShares::Options{.bound = Bound::failed_logins,
                          .share = config_.limits.failed_logins_per_address_per_minute},
      refusals_);
  failed_refreshes_ = std::make_shared<RateShares>(
      RateShares::Options{.bound = Bound::failed_refreshes,
                          .share = config_.limits.failed_logins_per_address_per_minute},
      refusals_);
  identity::UserPoolOptions options = config_.user_pool;
  options.pool_id = info_.user_pool_id;
  options.client_id = info_.client_id;
  options.issuer = issuer();
  options.decoy_secret = decoy_secret_;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    ShardParts& part = parts_[i];
    storage::StoreHandles& handles = *handles_[i];
    part.verifier = iam::make_sigv4_verifier(
        {.region = config_.aws.region, .presigned_max = config_.limits.presigned_max}, clock_,
        access_keys_);
    part.pool = identity::make_user_pool(
        options, {.clock = clock_,
                  .executor = shards_->at(i),
                  .users = *handles.users,
                  .refresh_tokens = *handles.refresh_tokens,
                  .codes = *handles.codes,
                  .known_addresses = *handles.known_addresses,
                  .ring = ring_,
                  .signer = signer_,
                  .hasher = hasher_,
                  .attempts = attempts_,
                  .spent_challenges = spent_challenges,
                  .sign_up_rate = sign_up_rate_,
                  .failed_logins = failed_logins_,
                  .failed_refreshes = failed_refreshes_,
                  .code_sender = code_sender_,
                  .on_logins_ended = [this](const identity::EndedLogins& ended) {
                    end_connections(ended);
                  }});
    part.generator =
        identity::make_generator(config_.tokens, clock_, ring_, *handles.users, *handles.tokens);
    part.authorizer =
        identity::make_authorizer(config_.tokens, clock_, ring_, *handles.users, *handles.tokens);
  }
}

void RunningGateway::end_connections(const identity::EndedLogins& ended) {
  router_->close_logins(ended.sub, ended.which, delivery::CloseReason::access_ended,
                        words_of(ended.why));
  if (ended.why == identity::LoginEnd::deleted) router_->bury(ended.sub, "user_deleted");
  if (ended.why == identity::LoginEnd::disabled) router_->bury(ended.sub, "user_disabled");
}

Result<void> RunningGateway::make_issuers() {
  if (config_.identity.issuers.empty()) return {};
  std::vector<identity::IssuerParts> parts;
  for (const identity::IssuerOptions& options : config_.identity.issuers) {
    if (options.issuer == issuer()) {
      return fail(Errc::invalid_argument,
                  "identity.issuers: " + options.issuer + " is the issuer of the own user pool",
                  "identity.issuers");
    }
    IssuerDocumentsOptions reading{.ca_file = options.ca_file,
                                   .timeout = config_.identity.jwks_timeout};
    if (!options.ca_file.empty()) {
      // Each fetch reads it again; one that is not there is known at once.
      auto authorities = read_document_file(options.ca_file, kAuthoritiesBytesMax);
      if (!authorities) return std::unexpected(std::move(authorities.error()));
    }
    std::string jwks;
    if (!options.jwks_file.empty()) {
      auto text = read_document_file(options.jwks_file, reading.bytes_max);
      if (!text) return std::unexpected(std::move(text.error()));
      jwks = std::move(*text);
    }
    issuer_readers_.push_back(make_issuer_reader(std::move(reading)));
    parts.push_back(
        {.options = options, .documents = issuer_readers_.back(), .jwks = std::move(jwks)});
  }
  identity::IssuerKeysOptions keys;
  keys.refresh = config_.identity.jwks_refresh;
  keys.wait_max = config_.identity.jwks_timeout + kIssuerTick;
  auto issuers = identity::make_issuers(std::move(parts), keys, clock_);
  if (!issuers) return std::unexpected(std::move(issuers.error()));
  issuers_ = std::move(*issuers);
  return {};
}

Result<void> RunningGateway::make_services() {
  if (auto done = make_issuers(); !done) return done;
  api::GatewayParts parts{.clock = clock_,
                          .router = *router_,
                          .id_tokens = identity::make_id_token_verifier(
                              {.issuer = issuer(), .audience = info_.client_id}, signer_, clock_),
                          .signer = signer_,
                          .shards = {},
                          .draining = &draining_,
                          .issuers = issuers_,
                          .counts = counts_,
                          .refusals = refusals_,
                          .audit = audit_,
                          .audit_name = audit_name()};
  control::LocalControlParts local{
      .clock = clock_,
      .router = *router_,
      .messages = {},
      .access_keys = access_keys_,
      .key_ring = ring_,
      .signer = signer_,
      .keys_executor = first_shard(),
      .state = [this] { return state(); },
      .process = [this] { return process_status(); },
      .user_pools = {},
      .user_pool_id = info_.user_pool_id,
      .backups = backups_.get(),
      .message_bytes_max = [this] { return message_bytes_max_.load(); },
      .console = make_console(),
      .audit = audit_,
      .audit_records = {},
      .audit_name = audit_name()};
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    parts.shards.push_back({.verifier = parts_[i].verifier.get(),
                            .pool = parts_[i].pool.get(),
                            .generator = parts_[i].generator.get(),
                            .authorizer = parts_[i].authorizer.get()});
    local.messages.push_back(handles_[i]->messages.get());
    local.user_pools.push_back(parts_[i].pool.get());
    local.audit_records.push_back(handles_[i]->audit.get());
  }
  std::vector<api::ServedParts> served;
  served.reserve(gateways_.size());
  for (const GatewayListener& gateway : gateways_) served.push_back(gateway.parts);
  services_ = api::make_gateway_services(api_options(config_), std::move(parts), served);
  const std::shared_ptr<control::Console> console = local.console;
  local_service_ = control::make_local_control_service(std::move(local));
  if (console != nullptr) control_service_->add(console->routes(local_service_));
  return {};
}

Result<void> RunningGateway::reload_certificates() {
  Result<void> out;
  for (const auto& tls : tls_) {
    auto reloaded = tls->reload();
    if (!reloaded && out) out = std::move(reloaded);
  }
  return out;
}

std::string RunningGateway::separate_ingest_url() const {
  const auto takes_messages = [](const GatewayListener& listener) { return listener.parts.ingest; };
  if (std::ranges::all_of(gateways_, takes_messages)) return {};
  std::string socket;
  for (const GatewayListener& gateway : gateways_) {
    if (!takes_messages(gateway)) continue;
    if (!gateway.url.empty()) return gateway.url;
    // A Unix socket is for this machine alone: only where nothing else takes messages.
    if (socket.empty()) socket = gateway.listener->address();
  }
  return socket;
}

Result<void> RunningGateway::write_credentials() {
  std::vector<ShellVariable> variables;
  const auto keys = access_keys_->list();
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
  if (std::string ingest = separate_ingest_url(); !ingest.empty()) {
    variables.emplace_back("HOLDFAST_INGEST_URL", std::move(ingest));
  }
  const auto lines = export_lines(variables);
  if (!lines) return std::unexpected(lines.error());
  return write_private_file(info_.credentials_file, *lines);
}

Result<void> RunningGateway::start_serving() {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    net::Shard& shard = shards_->at(i);
    delivery::Mailboxes* const mailboxes = parts_[i].mailboxes.get();
    shard.post([&shard, mailboxes] { shard.every(kTick, [mailboxes] { mailboxes->tick(); }); });
  }
  net::Shard& first = shards_->at(0);
  first.post([this, &first] {
    if (issuers_ != nullptr) {
      issuers_->tick();
      first.every(kIssuerTick, [this] { issuers_->tick(); });
    }
    signer_->maintain();
    first.every(kHousekeeping, [this] {
      ring_->maintain();
      signer_->maintain();
      attempt_keeper_->forget_idle();
      sweep_tokens();
      sweep_audit();
    });
    first.every(kAttemptsTick, [this] { attempt_keeper_->write(); });
    first.every(kStoreWatch, [this] { watch_store(); });
  });
  if (auto started = local_->start(local_service_); !started) return started;
  // Whoever reads that the gateway listens finds it ready.
  ready_ = true;
  for (std::size_t i = 0; i < gateways_.size(); ++i) {
    auto started = gateways_[i].listener->start(services_->all()[i]);
    if (!started) return started;
  }
  return {};
}

void RunningGateway::sweep_tokens() {
  const auto swept = [](const Result<void>& result) {
    if (!result) log::warn("token_sweep_failed", {{"reason", result.error().message}});
  };
  const WallTime now = clock_.wall_now();
  handles_[0]->tokens->sweep(now - config_.tokens.drift, swept);
  // Access tokens are held against the row of their login, and outlive its refresh token.
  handles_[0]->refresh_tokens->sweep(now - id_token_lifetime_, swept);
  handles_[0]->codes->sweep(now, swept);
  handles_[0]->known_addresses->sweep(now - kAddressKnownFor, swept);
  handles_[0]->users->sweep_unconfirmed(now - unconfirmed_lifetime_, swept);
}

void RunningGateway::sweep_audit() {
  handles_[0]->audit->sweep(clock_.wall_now() - audit_keep_, [this](const Result<bool>& more) {
    if (!more) return log::warn("audit_sweep_failed", {{"reason", more.error().message}});
    if (*more && !draining_) sweep_audit();
  });
}

// People type passwords where a name belongs, so a name that may be nobody's does not go into a log
// as it is.
std::function<std::string(std::string_view)> RunningGateway::audit_name() const {
  return [secret = audit_secret_](std::string_view name) {
    const Digest hash = hmac_sha256(secret, identity::fold_username(name));
    return "name_hash:" + hex_encode(view(hash)).substr(0, 16);
  };
}

control::State RunningGateway::state() const {
  if (draining_) return control::State::draining;
  if (!ready_) return control::State::starting;
  const storage::StoreStats store = store_->stats();
  if (!store.writable) return control::State::store_failed;
  if (hangs(store)) return control::State::store_hangs;
  return control::State::ready;
}

bool RunningGateway::hangs(const storage::StoreStats& store) const {
  return store.oldest_wait >= config_.storage.hang_after;
}

// The store is not asked before it is there: a request that comes earlier waits.
void RunningGateway::give_up_what_hangs(net::ListenerOptions& options) const {
  options.answer_patience = config_.storage.hang_after;
  options.gives_up = [this]() -> const char* {
    return ready_ && hangs(store_->stats()) ? kStoreHangs : nullptr;
  };
}

void RunningGateway::watch_store() {
  const storage::StoreStats store = store_->stats();
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
  if (!ready_ || files_ == nullptr) return out;
  const storage::FileStats files = files_->file_stats();
  if (files.disk_low) out.emplace_back("disk_low");
  if (files.disk_full) out.emplace_back("messages_refused");
  if (files.missing > 0) out.emplace_back("messages_missing");
  return out;
}

control::ProcessStatus RunningGateway::process_status() const {
  control::ProcessStatus status;
  status.version = HOLDFAST_VERSION;
  status.started_at = started_at_;
  const storage::StoreStats store = store_->stats();
  const storage::FileStats files = files_ != nullptr ? files_->file_stats() : storage::FileStats{};
  status.store = {.queued = store.queued,
                  .slots = store.slots,
                  .waiting = store.waiting,
                  .transactions = store.transactions,
                  .operations = store.operations,
                  .failed_transactions = store.failed_transactions,
                  .database_bytes = files.database_bytes,
                  .used_bytes = files.used_bytes,
                  .bytes_max = files.bytes_max,
                  .wal_bytes = files.log_bytes,
                  .disk_free_min = files.disk_free_min,
                  .disk_low = files.disk_low,
                  .disk_full = files.disk_full,
                  .damaged = files.damaged,
                  .missing = files.missing,
                  .writable = store.writable,
                  .oldest_wait = store.oldest_wait,
                  .dead_letters = store.dead_letters,
                  .batch = store.batch,
                  .commit = store.commit};
  const auto add = [&status](const char* part, const net::Listener& listener) {
    status.listeners.push_back(
        {.part = part, .address = listener.address(), .stats = listener.stats()});
  };
  for (const GatewayListener& gateway : gateways_) add("gateway", *gateway.listener);
  for (const auto& control : controls_) add("control", *control);
  add("local", *local_);
  for (std::size_t i = 0; i < shards_->count(); ++i) {
    status.loop_lag.push_back(shards_->at(i).lag());
  }
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
