#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::identity {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 12;
inline constexpr std::size_t kAeadTagBytes = 16;

/// Seals with AES-256-GCM (NIST SP 800-38D) under a random nonce: nonce ‖ ciphertext ‖ tag. At most
/// 2^32 times per key (section 8.3), so only for rare use. Thread-safe.
[[nodiscard]] std::string aead_seal(std::string_view key, std::string_view plaintext,
                                    std::string_view additional_data);
/// nullopt for anything but an unchanged seal under the same key and additional data. Any thread.
[[nodiscard]] std::optional<std::string> aead_open(std::string_view key, std::string_view sealed,
                                                   std::string_view additional_data);

inline constexpr std::size_t kXaesNonceBytes = 24;

/// XAES-256-GCM (C2SP, c2sp.org/XAES-256-GCM) under a random nonce: nonce ‖ ciphertext ‖ tag.
/// Nonces of 192 bits do not repeat, however many seals one key makes. Any thread.
[[nodiscard]] std::string xaes_seal(std::string_view key, std::string_view plaintext,
                                    std::string_view additional_data);
/// Seals under the given nonce.
[[nodiscard]] std::string xaes_seal(std::string_view key, std::string_view nonce,
                                    std::string_view plaintext, std::string_view additional_data);
/// nullopt for anything but an unchanged seal under the same key and additional data. Any thread.
[[nodiscard]] std::optional<std::string> xaes_open(std::string_view key, std::string_view sealed,
                                                   std::string_view additional_data);

}  // namespace holdfast::identity
