#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/stores.hpp>

namespace holdfast::identity {

/// The secret that wraps all others: 32 bytes, kept outside the database.
class MasterKey {
 public:
  explicit MasterKey(std::string bytes);
  MasterKey(MasterKey&&) noexcept = default;
  ~MasterKey();
  /// The handling of a missing key. Fail once a database exists, so that a lost key is reported and
  /// not replaced.
  enum class Missing : std::uint8_t { fail, create };
  /// Reads `environment_value` (of `HOLDFAST_MASTER_KEY`) unless it is null, else the file. Both
  /// have base64 of 32 bytes; blanks around it are skipped. A created file has mode 0600; it is
  /// written aside, fsynced and renamed, and its folder is fsynced. Errors, with the path or the
  /// variable's name: `not_found`, `io` (unreadable), `invalid_argument` (not base64 of 32 bytes).
  [[nodiscard]] static Result<MasterKey> load(const std::string& path,
                                              const char* environment_value, Missing missing);
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

/// Keeps data keys under the master key, as KMS does. The newest encrypts, all decrypt. Sealing and
/// opening are thread-safe, because they read an immutable snapshot. `rotate` and `maintain` belong
/// to the executor of the key store's handle. An operation in flight keeps the ring alive; the
/// clock and the handle must outlive it.
class KeyRing {
 public:
  virtual ~KeyRing() = default;
  /// version ‖ key id ‖ nonce ‖ ciphertext ‖ tag: XAES-256-GCM under a key that is derived from the
  /// data key for this context (HKDF-SHA-256, RFC 5869), with the first two and `context` as
  /// additional data.
  [[nodiscard]] virtual Result<std::string> seal(std::string_view plaintext,
                                                 std::string_view context) = 0;
  /// `unauthenticated` for anything but an unchanged seal of the same context under a key of the
  /// ring. Seals of version 1 (AES-256-GCM under the data key itself) still open.
  [[nodiscard]] virtual Result<std::string> open(std::string_view sealed,
                                                 std::string_view context) const = 0;
  /// Seals a token, which is given away and stored nowhere. It no longer opens after the database
  /// was restored from a backup, because nobody knows what was revoked after the backup.
  [[nodiscard]] Result<std::string> seal_token(std::string_view plaintext,
                                               std::string_view context) {
    return seal(plaintext, in_epoch(context));
  }
  [[nodiscard]] Result<std::string> open_token(std::string_view sealed,
                                               std::string_view context) const {
    return open(sealed, in_epoch(context));
  }
  /// Makes a new data key; it is used from its commit on. Answers with its id; who asks while one
  /// is being made gets that one.
  virtual void rotate(Completion<Result<std::uint32_t>> done) = 0;
  /// Rotates when the current key is a year old. Called once a minute.
  virtual void maintain() = 0;

  struct Options {
    bool rotation_enabled = true;  ///< by age
    Seconds rotation_period{365 * 24 * 3600};
  };

 protected:
  std::int64_t epoch_ = 0;  ///< the database's; 0 until it is restored for the first time

 private:
  [[nodiscard]] std::string in_epoch(std::string_view context) const {
    std::string out(context);
    if (epoch_ != 0) out += " of epoch " + std::to_string(epoch_);
    return out;
  }
};

/// Checks that `master` opens every used data key among these rows. Otherwise `invalid_argument`,
/// with the message of `open_key_ring`.
[[nodiscard]] Result<void> check_master_key(const MasterKey& master,
                                            const std::vector<KeyStore::Row>& rows);

/// Loads the ring and makes its first key if there is none. Runs on the store handle's executor,
/// and so does `done`. Errors: `invalid_argument` for another database's master key or a damaged
/// data key; those of the store.
void open_key_ring(MasterKey master, KeyRing::Options options, const Clock& clock, KeyStore& store,
                   Completion<Result<std::shared_ptr<KeyRing>>> done);

}  // namespace holdfast::identity
