#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/api/options.hpp>
#include <holdfast/app/config_report.hpp>
#include <holdfast/app/config_sources.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/delivery/mailboxes.hpp>
#include <holdfast/iam/sigv4.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/issuers.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/identity/password_hasher.hpp>
#include <holdfast/identity/temporary_token.hpp>
#include <holdfast/identity/user_pool_options.hpp>
#include <holdfast/net/server.hpp>
#include <holdfast/sqlite/store.hpp>
#include <holdfast/storage/store.hpp>

namespace holdfast::app {

/// Everything that can be configured, as values. A default-constructed one is the configuration of
/// an empty file; `settings()` names and explains every key.
struct Config {
  /// A listener besides the two that every gateway has.
  struct Listener {
    std::string address;
    api::ServedParts parts;
    bool control = false;  ///< it serves what the control listener does, and no part
    bool proxy_protocol = false;
    net::TlsServerOptions tls;  ///< plain without a certificate
  };

  struct Server {
    std::string listen = "127.0.0.1:8080";
    api::ServedParts parts;  ///< of `listen`
    std::string control_listen = "127.0.0.1:8081";
    std::vector<Listener> listeners;        ///< besides
    std::string unix_socket_mode = "0600";  ///< octal
    std::size_t workers = 0;                ///< 0: one per core
    std::string public_url;                 ///< empty: the listen address
    std::vector<std::string> trusted_proxies;
    bool proxy_protocol = false;       ///< of `listen`
    bool plain_http_intended = false;  ///< no warning about listeners without TLS
    std::string documentation_url;     ///< empty: refusals link nowhere
    std::string control_public_url;    ///< empty: the control listener's address
  } server;

  /// TLS of the TCP listeners; off without a certificate.
  struct Tls {
    net::TlsServerOptions files;
    bool control = false;  ///< the control listener too
    Seconds transport_security{365 * 24 * 3600};
  } tls;

  struct RequestLimits {
    std::size_t connections = 65'536;
    std::size_t connections_per_address = 0;  ///< 0: an eighth
    api::Limits api;
    iam::SignatureTimes signature_times;
    std::uint32_t failed_logins_per_address_per_minute = 60;
    /// Its `connections` and what it has per address are unused here.
    net::HttpLimits http;
    std::size_t body_bytes_per_address = 0;  ///< in flight; 0: an eighth
  } limits;

  delivery::Limits delivery;

  api::WebSocketOptions websocket;

  identity::TemporaryTokenOptions tokens;

  /// Issuers elsewhere.
  struct Identity {
    std::vector<identity::IssuerOptions> issuers;
    /// `wait_max` follows from `jwks_timeout`.
    identity::IssuerKeysOptions keys;
    Milliseconds jwks_timeout{5'000};
  } identity;

  /// `pool_id`, `client_id`, `issuer` and `decoy_secret` are the instance's, not configured.
  identity::UserPoolOptions user_pool;

  struct Auth {
    identity::PasswordHasherOptions passwords;
    std::size_t lockout_names = 100'000;
  } auth;

  /// What strangers may do where they may sign up.
  struct SignUps {
    std::uint32_t per_minute = 60;
    Seconds unconfirmed_lifetime{7 * 24 * 3600};
  } sign_ups;

  /// How confirmation codes reach users.
  struct Codes {
    std::vector<std::string> command;  ///< a program and its arguments; empty: none
    Milliseconds command_timeout{10'000};
    bool to_log = false;  ///< for development
  } codes;

  identity::KeyRing::Options keys;

  identity::TokenSigner::Rotation signing_keys;

  struct Storage {
    storage::StoreOptions store;
    sqlite::FileOptions sqlite;
    Milliseconds hang_after{5'000};
  } storage;

  struct Shutdown {
    Seconds drain{5};
  } shutdown;

  struct Console {
    bool enabled = true;
    std::string password_hash;  ///< empty: links alone let in
    std::vector<std::string> allowed_hosts;
  } console;

  api::AwsNames aws;

  struct Log {
    log::Level level = log::Level::info;
    bool json = true;
    bool access = true;
    std::string audit_file;  ///< empty: none
  } log;

  struct Audit {
    Seconds keep{30 * 24 * 3600};
    std::int64_t records_max = 1'000'000;
  } audit;
};

/// Reads and checks. Errors: `invalid_argument` for an unknown key, a wrong type or a value out of
/// range, `io` for a file that cannot be read; the message names the key, and the file and line or
/// the variable.
[[nodiscard]] Result<Config> load_config(const ConfigSources& sources);

/// The problems of the files that a configuration names.
[[nodiscard]] std::vector<ConfigProblem> examine_config_files(const Config& config);

/// A key that two configurations have different values for.
struct ChangedSetting {
  std::string key;
  bool live = false;  ///< `Gateway::reload` brings it to a running gateway
};
[[nodiscard]] std::vector<ChangedSetting> changed_settings(const Config& before,
                                                           const Config& after);

/// `running` with the values of `wanted` in the place of those that may change while a gateway
/// runs. `invalid_argument` where these do not go with the values that stay.
[[nodiscard]] Result<Config> with_live_settings(const Config& running, const Config& wanted);

/// One key, for documentation and checks.
struct SettingInfo {
  std::string key;   ///< `section.key`
  std::string type;  ///< `boolean`, `integer`, `string`, `array of strings`, `array of objects`
  std::string default_json;
  std::string range;  ///< for people; empty when every value of the type is allowed
  std::string doc;
  bool live = false;  ///< may change while the gateway runs
};
/// Every key, in the order of the documentation.
[[nodiscard]] std::vector<SettingInfo> settings();

/// The text of `config/holdfast.json`: every key with its default, explained.
[[nodiscard]] std::string default_config_text();

}  // namespace holdfast::app
