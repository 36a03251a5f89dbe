// Finds the client behind trusted proxies.

#include <algorithm>
#include <charconv>
#include <optional>

#include <holdfast/base/ascii.hpp>
#include <holdfast/net/trusted_proxies.hpp>

#include "addresses.hpp"

namespace holdfast::net {
namespace {

constexpr unsigned kMappedBits = 96;
// Limits the length of a chain of proxies.
constexpr int kHopsMax = 32;

bool same_bits(const IpBytes& a, const IpBytes& b, unsigned bits) {
  const unsigned whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  const unsigned rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

// Removes the port that some proxies add: `1.2.3.4:5678`, `[::1]:5678`.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  const auto colon = text.find(':');
  return colon != std::string_view::npos && colon == text.rfind(':') ? text.substr(0, colon) : text;
}

/// Walks the elements of all headers of one name, from the last to the first.
class FromTheLast {
 public:
  FromTheLast(const RequestHead& head, std::string_view name) {
    for (const auto& [key, value] : head.headers) {
      if (ascii::iequals(key, name)) values_.push_back(value);
    }
  }
  std::optional<std::string_view> next() {
    if (values_.empty()) return std::nullopt;
    std::string_view& last = values_.back();
    const auto comma = last.rfind(',');
    const std::string_view element = comma == last.npos ? last : last.substr(comma + 1);
    if (comma == last.npos) {
      values_.pop_back();
    } else {
      last = last.substr(0, comma);
    }
    return ascii::trim(element);
  }

 private:
  std::vector<std::string_view> values_;
};

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& networks) {
  TrustedProxies out;
  for (const std::string& text : networks) {
    if (text == "unix") {
      out.unix_ = true;
      continue;
    }
    const auto slash = text.find('/');
    const auto address = parse_ip(std::string_view(text).substr(0, slash));
    unsigned bits = address && address->v4 ? 32 : 128;
    const unsigned bits_max = bits;
    bool good = address.has_value();
    if (slash != std::string::npos) {
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
      good = good && error == std::errc() && stop == end && bits <= bits_max;
    }
    if (!good) {
      return fail(Errc::invalid_argument, "neither an address nor a network: " + text, text);
    }
    out.networks_.push_back(
        {.address = address->bytes, .bits = address->v4 ? bits + kMappedBits : bits});
  }
  return out;
}

bool TrustedProxies::trusts(std::string_view address) const noexcept {
  if (address == "unix") return unix_;
  const auto parsed = parse_ip(address);
  return parsed && std::ranges::any_of(networks_, [&parsed](const Network& network) {
           return same_bits(parsed->bytes, network.address, network.bits);
         });
}

void TrustedProxies::resolve(RequestHead& head) const {
  if (!trusts(head.remote_address)) return;
  FromTheLast schemes(head, "x-forwarded-proto");
  if (const auto scheme = schemes.next()) {
    // Only the last of several is the last proxy's, which has let others' values through.
    head.secure = ascii::iequals(*scheme, "https") && !schemes.next();
  }
  FromTheLast chain(head, "x-forwarded-for");
  auto element = chain.next();
  for (int hops = 0; hops < kHopsMax && element; ++hops, element = chain.next()) {
    const auto client = parse_ip(without_port(*element));
    if (!client) break;
    head.remote_address = format_ip(client->bytes);
    if (!trusts(head.remote_address)) return;
  }
  // Without a client's address, the proxy must not stand in the client's place.
  head.remote_address = kUnknownAddress;
}

}  // namespace holdfast::net
