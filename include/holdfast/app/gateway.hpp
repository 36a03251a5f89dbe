#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/app/config.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>

namespace holdfast::app {

struct GatewayOptions {
  Config config;
  std::string data_dir = "./data";  ///< made (0700) when it does not exist; its parent does
  /// The value of `HOLDFAST_MASTER_KEY`: base64 of 32 bytes; nullopt: the file `master.key`.
  std::optional<std::string> master_key;
  /// The value of `HOLDFAST_MASTER_KEY_FILE`: where the key is; empty: `master.key` in `data_dir`,
  /// which the first start makes.
  std::string master_key_file;
  const Clock* clock = nullptr;  ///< nullptr: the machine's; outlives the gateway
  /// The outcome of a commit is unknown, so that nothing may be answered any more: called on the
  /// store's thread; must not return. nullptr ends the process with status 1.
  std::function<void(const std::string&)> on_fatal;
  /// Over how long a shutdown spreads the closing of connections; nullopt: over most of
  /// `shutdown.drain_seconds`.
  std::optional<Milliseconds> close_spread;
  unsigned signing_key_bits = 3072;  ///< of new keys of the user pool's tokens
};

/// What a reload of the configuration came to, by key.
struct ReloadOutcome {
  std::vector<std::string> changed;       ///< now in effect
  std::vector<std::string> need_restart;  ///< differ from what is in effect, and stay so
};

/// What a running gateway is, for those who start it.
struct GatewayInfo {
  std::string address;          ///< of the gateway's listener, its port resolved
  std::string control_address;  ///< of the control listener
  std::string control_socket;   ///< the path of `control.sock`
  std::string url;              ///< `server.public_url`, or made from `address`
  std::string user_pool_id;
  std::string client_id;
  std::string credentials_file;
  bool first_start = false;  ///< the database was created by this start
  /// `credentials` was created by this start. It is written last: an earlier start that failed, on
  /// a port in use for one, may have made the database already.
  bool first_credentials = false;
};

/// The whole daemon inside one process, threads and sockets included; several may live side by
/// side. Any thread.
class Gateway {
 public:
  /// Stops when it has not been stopped.
  virtual ~Gateway() = default;
  [[nodiscard]] virtual const GatewayInfo& info() const noexcept = 0;
  /// Ends in phases: refuses new work, closes the connections with 1001 one after the other, at
  /// moments of chance over most of `shutdown.drain_seconds`, awaits the acknowledgements of what
  /// was sent and stores the rest, closes what connections are left, deletes what was acknowledged,
  /// commits, checkpoints, and ends the threads. Takes `shutdown.drain_seconds` at most, and the
  /// time of the last commits. True when nothing had to be cut short.
  virtual bool stop() = 0;
  /// Reads the files of the certificates again, for connections that come from then on. A listener
  /// whose files are no good keeps what it has; the error names the first such file. Not beside
  /// `stop`.
  [[nodiscard]] virtual Result<void> reload_certificates() = 0;
  /// Takes over what may change while it runs, and returns once it is in effect. `invalid_argument`
  /// (nothing is changed) where the values that may change do not go with those that stay. Not
  /// beside `stop`.
  [[nodiscard]] virtual Result<ReloadOutcome> reload(const Config& config) = 0;
  /// Whether every shard and the store's thread answer within `patience`. Waiting for the disk
  /// counts as an answer of the store's. Blocks; not beside `stop`.
  [[nodiscard]] virtual bool alive(Milliseconds patience) = 0;
  /// How long `stop` may take at most, without the time of the last commits.
  [[nodiscard]] virtual Seconds drain() const = 0;
};

/// Opens the data directory, creating what a first start needs, and serves. Errors name the file,
/// the key or the address: `io` (cannot be read, written, bound; corrupt), `conflict` (the
/// directory is in use, the database has a newer schema), `not_found` (the master key of a database
/// that exists; the database of a directory that has been used), `invalid_argument`.
[[nodiscard]] Result<std::unique_ptr<Gateway>> open_gateway(GatewayOptions options);

}  // namespace holdfast::app
