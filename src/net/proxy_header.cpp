// Reads the PROXY protocol.

#include "proxy_header.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <holdfast/net/trusted_proxies.hpp>

#include "addresses.hpp"

namespace holdfast::net {
namespace {

using State = ProxyHeader::State;
using namespace std::string_view_literals;

constexpr std::string_view kStart1 = "PROXY ";
constexpr std::size_t kBytesMax1 = 107;
constexpr std::string_view kStart2 = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kFixedBytes2 = 16;
constexpr std::uint8_t kSslType = 0x20;
constexpr std::uint8_t kSslClient = 0x01;
constexpr std::size_t kSslFixedBytes = 5;

ProxyHeader bad() { return {.state = State::bad}; }

bool could_become(std::string_view bytes, std::string_view start) {
  return bytes.substr(0, start.size()) == start.substr(0, bytes.size());
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && stop == end && port <= 65'535 &&
         (text == "0" || !text.starts_with('0'));
}

ProxyHeader read_text(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kBytesMax1).find("\r\n");
  if (end == bytes.npos) return bytes.size() < kBytesMax1 ? ProxyHeader{} : bad();
  std::string_view rest = bytes.substr(kStart1.size(), end - kStart1.size());
  ProxyHeader out{.state = State::done, .size = end + 2};
  const bool bare = rest == "UNKNOWN" || rest.starts_with("UNKNOWN ");
  if (bare) {
    out.address = kUnknownAddress;
    return out;
  }
  std::array<std::string_view, 5> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t space = i + 1 < words.size() ? rest.find(' ') : rest.size();
    if (space == rest.npos) return bad();
    words[i] = rest.substr(0, space);
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  const auto source = parse_ip(words[1]);
  const auto target = parse_ip(words[2]);
  const bool four = words[0] == "TCP4";
  if ((!four && words[0] != "TCP6") || !source || !target || source->v4 != four ||
      target->v4 != four || !is_port(words[3]) || !is_port(words[4])) {
    return bad();
  }
  out.address = format_ip(source->bytes);
  return out;
}

std::size_t big_endian_16(std::string_view bytes) {
  return static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[0])) << 8 |
         static_cast<std::uint8_t>(bytes[1]);
}

// Reads the type, length and value of each field. Returns whether all of them fit (section 2.2).
bool read_values(std::string_view rest, ProxyHeader& out) {
  while (!rest.empty()) {
    if (rest.size() < 3) return false;
    const auto type = static_cast<std::uint8_t>(rest.front());
    const std::size_t length = big_endian_16(rest.substr(1));
    rest.remove_prefix(3);
    if (length > rest.size()) return false;
    if (type == kSslType) {
      if (length < kSslFixedBytes) return false;
      out.secure = (static_cast<std::uint8_t>(rest.front()) & kSslClient) != 0;
    }
    rest.remove_prefix(length);
  }
  return true;
}

IpBytes mapped(std::string_view four) {
  IpBytes out = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
  std::copy_n(four.begin(), 4, out.begin() + 12);
  return out;
}

ProxyHeader read_binary(std::string_view bytes) {
  if (bytes.size() < kFixedBytes2) return {};
  const auto command = static_cast<std::uint8_t>(bytes[12]);
  const auto family = static_cast<std::uint8_t>(bytes[13]) >> 4;
  const auto protocol = static_cast<std::uint8_t>(bytes[13]) & 0x0f;
  const std::size_t length = big_endian_16(bytes.substr(14));
  if ((command != 0x20 && command != 0x21) || family > 3 || protocol > 2 ||
      kFixedBytes2 + length > ProxyHeader::kBytesMax) {
    return bad();
  }
  if (bytes.size() < kFixedBytes2 + length) return {};
  ProxyHeader out{.state = State::done, .size = kFixedBytes2 + length};
  // The proxy checks by itself, so the addresses do not count.
  if (command == 0x20) return out;
  constexpr std::array<std::size_t, 4> kAddressBytes = {0, 12, 36, 216};
  std::string_view rest = bytes.substr(kFixedBytes2, length);
  if (rest.size() < kAddressBytes[family]) return bad();
  out.address = kUnknownAddress;
  if (protocol == 1 && family == 1) out.address = format_ip(mapped(rest));
  if (protocol == 1 && family == 2) {
    IpBytes address{};
    std::copy_n(rest.begin(), address.size(), address.begin());
    out.address = format_ip(address);
  }
  rest.remove_prefix(kAddressBytes[family]);
  // The place of the values is defined by the family.
  if (family != 0 && !read_values(rest, out)) return bad();
  return out;
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes) {
  if (could_become(bytes, kStart1)) {
    return bytes.size() < kStart1.size() ? ProxyHeader{} : read_text(bytes);
  }
  if (could_become(bytes, kStart2)) {
    return bytes.size() < kStart2.size() ? ProxyHeader{} : read_binary(bytes);
  }
  return bad();
}

}  // namespace holdfast::net
