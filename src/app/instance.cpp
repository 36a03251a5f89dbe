// Makes the names and URLs of an instance.

#include "instance.hpp"

#include <string_view>

#include <holdfast/base/crypto.hpp>

namespace holdfast::app {
namespace {

constexpr std::string_view kLowerAndDigits = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kLettersAndDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::string random_of(std::string_view alphabet, std::size_t count) {
  std::string out;
  const std::size_t fair = 256 - 256 % alphabet.size();
  while (out.size() < count) {
    for (const char c : random_string(count)) {
      const auto byte = static_cast<unsigned char>(c);
      // Bytes above the last whole multiple would favour the beginning of the alphabet.
      if (byte < fair && out.size() < count) out += alphabet[byte % alphabet.size()];
    }
  }
  return out;
}

}  // namespace

std::string make_user_pool_id(const std::string& region) {
  return region + "_" + random_of(kLettersAndDigits, 9);
}

std::string make_client_id() { return random_of(kLowerAndDigits, 26); }

std::string url_of(const std::string& address, bool secure) {
  const auto colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  // The address of every interface is no address to connect to.
  if (host == "0.0.0.0" || host == "*") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return (secure ? "https://" : "http://") + host + address.substr(colon);
}

std::string origin_of(const std::string& url) {
  const auto host = url.find("//");
  if (host == std::string::npos) return url;
  return url.substr(0, url.find('/', host + 2));
}

}  // namespace holdfast::app
