#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <holdfast/base/ids.hpp>

/// Secure Remote Password (RFC 5054, its 3072-bit group) with SHA-256, as Cognito's clients compute
/// it: numbers are hashed as hex of even length, with a zero byte before a set top bit. Pure
/// functions; any thread, but each takes milliseconds.
namespace holdfast::identity {

/// Makes the server's form of a password: the salt (16 bytes, not zero, its top bit clear), then
/// the verifier. Folds `username`.
[[nodiscard]] std::string make_srp_verifier(std::string_view pool_id, std::string_view username,
                                            std::string_view password);
/// Makes the verifier with the given salt.
[[nodiscard]] std::string make_srp_verifier(std::string_view pool_id, std::string_view username,
                                            std::string_view password, const std::string& salt);
/// Makes a verifier for an unknown name: constant for the name, and no password fits it.
[[nodiscard]] std::string make_srp_decoy(std::string_view secret, std::string_view username);

/// The server's side of one login.
struct SrpChallenge {
  std::string salt_hex;
  std::string public_hex;  ///< B
  std::string key;         ///< 16 bytes: what both sides come to
};
/// Makes the server's challenge. nullopt if the client's public number (hex) is invalid, or 0
/// modulo the group's prime. `secret` is random, 32 bytes.
[[nodiscard]] std::optional<SrpChallenge> make_srp_challenge(std::string_view verifier,
                                                             std::string_view client_public_hex,
                                                             std::string_view secret);
/// The proof that the client knows the key: HMAC-SHA-256, raw.
[[nodiscard]] std::string srp_proof(std::string_view key, std::string_view pool_id,
                                    std::string_view user_id, std::string_view secret_block,
                                    std::string_view timestamp);

[[nodiscard]] inline std::string srp_sealing_context(const UserId& sub) {
  return "srp verifier " + sub.str();
}

}  // namespace holdfast::identity
