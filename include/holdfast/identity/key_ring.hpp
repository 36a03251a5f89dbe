#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

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
  /// `HOLDFAST_MASTER_KEY` (base64 of 32 bytes) or the file, which is made (0600, written aside,
  /// fsynced, renamed, its folder fsynced) when `create` and neither exists. Errors: `not_found`,
  /// `io`, `invalid_argument` with the path.
  [[nodiscard]] static Result<MasterKey> load(const std::string& path,
                                              const char* environment_value, bool create);
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

/// What KMS did: data keys under the master key; the newest encrypts, all decrypt. Any thread may
/// seal and open: they read an immutable snapshot.
class KeyRing {
 public:
  virtual ~KeyRing() = default;
  /// version ‖ key id ‖ nonce ‖ ciphertext ‖ tag (AES-256-GCM, the first two as additional data
  /// together with `context`). Error `unavailable` when this process may not spend another nonce of
  /// the key yet.
  [[nodiscard]] virtual Result<std::string> seal(std::string_view plaintext,
                                                 std::string_view context) = 0;
  /// `unauthenticated` for anything but an unchanged seal of the same context under a key of the
  /// ring.
  [[nodiscard]] virtual Result<std::string> open(std::string_view sealed,
                                                 std::string_view context) const = 0;
  /// Makes a new data key; it is used from its commit on. On the executor of the key store's
  /// handle.
  virtual void rotate(Completion<Result<std::uint32_t>> done) = 0;
  /// Rotates when the current key is a year old or near its nonces, and sets nonces aside. Called
  /// once a minute.
  virtual void maintain() = 0;

  struct Options {
    bool rotation_enabled = true;
    Seconds rotation_period{365 * 24 * 3600};
  };
};

/// Loads the ring and makes its first key when there is none. `done` runs on the store handle's
/// executor.
void open_key_ring(MasterKey master, KeyRing::Options options, const Clock& clock, KeyStore& store,
                   Completion<Result<std::shared_ptr<KeyRing>>> done);

}  // namespace holdfast::identity
