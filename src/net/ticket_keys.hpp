#pragma once

#include <array>
#include <mutex>
#include <optional>

#include <openssl/ssl.h>

#include <holdfast/base/clock.hpp>

namespace holdfast::net {

/// The keys that seal a TLS context's session tickets. There is a new one each day, and the one
/// before still opens. Whoever steals a key can read the sessions resumed under it, so keys are
/// short-lived (RFC 5077 section 5.5). Any thread.
class TicketKeys {
 public:
  static constexpr Seconds kLifetime{24 * 3600};

  /// Gives the context keys of its own, which end with it. `clock` outlives it.
  static void give(SSL_CTX* context, const Clock& clock);

  explicit TicketKeys(const Clock& clock) : clock_(clock) {}
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

 private:
  struct Key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{};
    std::array<unsigned char, 32> mac{};
    SteadyTime made{};
  };

  static int use(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                 EVP_MAC_CTX* mac, int sealing);
  [[nodiscard]] std::optional<Key> key_to_seal();
  /// Returns the key of this name, and whether a new ticket is due.
  [[nodiscard]] std::optional<std::pair<Key, bool>> key_named(const unsigned char* name);
  bool renew();

  const Clock& clock_;
  std::mutex mutex_;
  std::optional<Key> current_;
  std::optional<Key> previous_;
};

}  // namespace holdfast::net
