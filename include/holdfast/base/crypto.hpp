#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdfast {

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256, with OpenSSL's algorithm fetched once and a context per thread. Any thread.
[[nodiscard]] Digest sha256(std::string_view bytes);
/// HMAC-SHA-256. Any thread.
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view bytes);
/// Compares in a time that depends on the lengths alone.
[[nodiscard]] bool constant_time_equal(std::string_view a, std::string_view b) noexcept;
/// Overwrites before freeing: for keys and passwords.
void wipe(std::string& secret) noexcept;
void wipe(std::span<char> secret) noexcept;
void wipe(Digest& secret) noexcept;

/// The kernel's generator (getrandom(2)): two copies of a process, or of a whole virtual machine,
/// never draw the same. Aborts the process when it gives none. Any thread.
void random_bytes(std::span<std::uint8_t> out);
[[nodiscard]] std::string random_string(std::size_t bytes);
[[nodiscard]] std::uint64_t random_u64();
/// Random bytes for identifiers, which must be unique but are no secrets: out of a block that the
/// thread keeps, because a call of the generator costs more than all else about an identifier. Not
/// for keys, tokens or nonces; a copy of the process would repeat them. Any thread.
void identifier_bytes(std::span<std::uint8_t> out);
[[nodiscard]] std::uint64_t identifier_u64();

[[nodiscard]] inline std::string_view view(const Digest& digest) noexcept {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace holdfast
