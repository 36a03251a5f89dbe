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
  std::string data_dir = "./data";  ///< created (0700) if it does not exist; its parent does
  /// The value of `HOLDFAST_MASTER_KEY`: base64 of 32 bytes. nullopt: the file `master.key`.
  std::optional<std::string> master_key;
  /// The value of `HOLDFAST_MASTER_KEY_FILE`: the file with the key. Empty: `master.key` in
  /// `data_dir`, which the first start creates.
  std::string master_key_file;
  const Clock* clock = nullptr;  ///< nullptr: the machine's; outlives the gateway
  /// Called on the store's thread when a commit's outcome is unknown, so that nothing may be
  /// answered any more. Must not return. nullptr ends the process with status 1.
  std::function<void(const std::string&)> on_fatal;
  /// Sets how long a shutdown spreads the closing of connections. nullopt: most of
  /// `shutdown.drain_seconds`.
  std::optional<Milliseconds> close_spread;
  unsigned signing_key_bits = 3072;  ///< of new keys of the user pool's tokens
};

/// The outcome of a reload, by key.
struct ReloadOutcome {
  std::vector<std::string> changed;       ///< now in effect
  std::vector<std::string> need_restart;  ///< changed in the file, and wait for a restart
};

/// Facts of a running gateway, for the code that starts it.
struct GatewayInfo {
  std::string address;          ///< of the gateway's listener, with its real port
  std::string control_address;  ///< of the control listener
  std::string control_socket;   ///< the path of `control.sock`
  std::string url;              ///< `server.public_url`, or made from `address`
  std::string user_pool_id;
  std::string client_id;
  std::string credentials_file;
  bool first_start = false;  ///< this start created the database
  /// This start created `credentials`. They are written last, so an earlier failed start may have
  /// made the database already.
  bool first_credentials = false;
};

/// The whole daemon inside one process, with its threads and sockets. Several may live side by
/// side. Any thread.
class Gateway {
 public:
  /// Stops unless it has been stopped.
  virtual ~Gateway() = default;
  [[nodiscard]] virtual const GatewayInfo& info() const noexcept = 0;
  /// Stops in phases. Refuses new work, and closes the connections with 1001, one by one at random
  /// moments, over most of `shutdown.drain_seconds`. Waits for the acknowledgements, stores the
  /// rest, and closes the remaining connections. Then deletes acknowledged messages, commits,
  /// checkpoints, and ends the threads. Takes at most `shutdown.drain_seconds` and the time of the
  /// last commits. Returns true if nothing was cut short.
  virtual bool stop() = 0;
  /// Reads the certificates' files again, for later connections. A listener with bad files keeps
  /// its certificate; the error names the first such file. Not beside `stop`.
  [[nodiscard]] virtual Result<void> reload_certificates() = 0;
  /// Takes over live values, and returns once they are in effect. `invalid_argument`, without any
  /// change, if they contradict the others. Not beside `stop`.
  [[nodiscard]] virtual Result<ReloadOutcome> reload(const Config& config) = 0;
  /// Returns whether every shard and the store's thread answer within `patience`. A store that
  /// waits for the disk counts as answering. Blocks; not beside `stop`.
  [[nodiscard]] virtual bool alive(Milliseconds patience) = 0;
  /// Returns the longest time of `stop`, without the last commits.
  [[nodiscard]] virtual Seconds drain() const = 0;
};

/// Opens the data directory, creates what a first start needs, and serves. Errors name the file,
/// the key or the address: `io` (cannot be read, written, bound; corrupt), `conflict` (the
/// directory is in use, the database has a newer schema), `not_found` (the master key of an
/// existing database; the database of a used directory), `invalid_argument`.
[[nodiscard]] Result<std::unique_ptr<Gateway>> open_gateway(GatewayOptions options);

}  // namespace holdfast::app
