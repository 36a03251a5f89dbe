// Keys of keys, storage, shutdown and the console.

#include "setting_rows.hpp"

namespace holdfast::app {

void add_instance(std::vector<Setting>& t) {
  t.push_back(boolean("keys.rotation_enabled", HOLDFAST_FIELD(keys.rotation_enabled),
                      "Make a new data key automatically when the current one is old."));
  t.push_back(integer("keys.rotation_period_seconds", HOLDFAST_FIELD(keys.rotation_period), 3'600,
                      3'650 * kDaySeconds, "Maximum age of a data key."));
  t.push_back(boolean("keys.signing_rotation_enabled", HOLDFAST_FIELD(signing_keys.enabled),
                      "Make a new signing key for the user pool's tokens automatically when the "
                      "current one is old. The new key is published for ten minutes before it "
                      "signs. The old one is removed a day later."));
  t.push_back(integer("keys.signing_rotation_period_seconds", HOLDFAST_FIELD(signing_keys.period),
                      kDaySeconds, 3'650 * kDaySeconds, "Maximum age of a signing key."));
  t.push_back(integer("storage.queue_slots", HOLDFAST_FIELD(storage.store.queue_slots), 64,
                      10'000'000,
                      "Maximum of messages that wait to be committed. Further ones get 503. A user "
                      "or an access key may have an eighth."));
  t.push_back(integer(
      "storage.queue_bytes", HOLDFAST_FIELD(storage.store.queue_bytes), 16 * kMiB, 64 * kGiB,
      "Maximum of their bytes. A user or an access key may have an eighth, or one message."));
  t.push_back(integer("storage.database_bytes_max",
                      HOLDFAST_FIELD(storage.sqlite.database_bytes_max), 0,
                      std::numeric_limits<std::int64_t>::max(),
                      "Maximum size of the database. Beyond it, messages get 503. 0 means limited "
                      "only by the disk.",
                      Live::yes));
  t.push_back(integer("storage.disk_free_min", HOLDFAST_FIELD(storage.sqlite.disk_free_min), 0,
                      1'024 * kGiB,
                      "Free space that messages leave on the disk, so that everything else still "
                      "works. Below it, messages get 503. On a disk smaller than eight times this, "
                      "it is an eighth of the disk. 0 does not check the disk.",
                      Live::yes));
  t.push_back(integer("storage.hang_after_ms", HOLDFAST_FIELD(storage.hang_after), 100, 600'000,
                      "Time without an answer after which the store counts as hanging. /readyz is "
                      "then 503, and requests that have waited as long get 503."));
  t.push_back(integer("storage.page_bytes_per_batch",
                      HOLDFAST_FIELD(storage.store.page_bytes_per_batch), 64 * kKiB, kGiB,
                      "Maximum of bytes that page reads take between two commits."));
  t.push_back(integer("storage.batch_operations", HOLDFAST_FIELD(storage.store.batch_operations), 1,
                      1'000'000, "Maximum of operations in one commit."));
  t.push_back(integer("storage.dead_letters_max", HOLDFAST_FIELD(storage.store.dead_letters_max), 0,
                      1'000'000'000, "Maximum of dead letters. The oldest are deleted first."));
  t.push_back(integer("storage.dead_letters_bytes_max",
                      HOLDFAST_FIELD(storage.store.dead_letters_bytes_max), 0, 1'024 * kGiB,
                      "Maximum of their bytes."));
  t.push_back(integer(
      "storage.wal_checkpoint_bytes", HOLDFAST_FIELD(storage.sqlite.wal_checkpoint_bytes),
      64 * kKiB, 64 * kGiB,
      "Size of the write-ahead log above which it is moved into the database even under load."));
  t.push_back(integer("shutdown.drain_seconds", HOLDFAST_FIELD(shutdown.drain), 0, 3'600,
                      "Time that a shutdown waits for clients to acknowledge and to close.",
                      Live::yes));
}

void add_console(std::vector<Setting>& t) {
  t.push_back(
      boolean("console.enabled", HOLDFAST_FIELD(console.enabled),
              "Serve the web console at /console/ of the control listener. Its pages may log in "
              "and connect to the gateway like those of `websocket.allowed_origins`."));
  Setting password =
      text("console.password_hash", HOLDFAST_FIELD(console.password_hash), kPasswordHash,
           "Hash of the console's password, made by `holdfast console --hash-password`. Empty: "
           "operators sign in only with the links of `holdfast console`.");
  password.secret = true;
  t.push_back(std::move(password));
  t.push_back(texts("console.allowed_hosts", HOLDFAST_FIELD(console.allowed_hosts), kHost,
                    "Host names of the console and /metrics, besides localhost, the control "
                    "listener's own addresses and `server.control_public_url`. /metrics is also "
                    "served under every IP address."));
}

}  // namespace holdfast::app
