// Parses and prints IP addresses.

#include "addresses.hpp"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace holdfast::net {
namespace {

constexpr IpBytes kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr std::size_t kMappedBytes = 12;

}  // namespace

std::optional<ParsedIp> parse_ip(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> zero_ended{};
  if (text.empty() || text.size() >= zero_ended.size() || text.contains('\0')) return std::nullopt;
  std::memcpy(zero_ended.data(), text.data(), text.size());
  ParsedIp out;
  if (inet_pton(AF_INET6, zero_ended.data(), out.bytes.data()) == 1) return out;
  out = {.bytes = kMapped, .v4 = true};
  if (inet_pton(AF_INET, zero_ended.data(), out.bytes.data() + kMappedBytes) == 1) return out;
  return std::nullopt;
}

std::string format_ip(const IpBytes& bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (std::equal(kMapped.begin(), kMapped.begin() + kMappedBytes, bytes.begin())) {
    inet_ntop(AF_INET, bytes.data() + kMappedBytes, text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  }
  return text.data();
}

}  // namespace holdfast::net
