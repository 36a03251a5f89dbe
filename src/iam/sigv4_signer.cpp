// Signs requests with Signature Version 4, for clients.

#include <algorithm>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/iam/sigv4.hpp>

#include "canonical.hpp"

namespace holdfast::iam {
namespace {

std::vector<std::string> sorted_names(std::span<const Header> headers) {
  std::vector<std::string> names;
  for (const auto& header : headers) names.push_back(ascii::to_lower(header.first));
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    if (!out.empty()) out += ';';
    out += name;
  }
  return out;
}

std::string payload_hash(const SignedRequest& request) {
  for (const auto& [name, value] : request.headers) {
    if (ascii::iequals(name, "x-amz-content-sha256")) return std::string(value);
  }
  return hex_encode(view(sha256(request.body)));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> sign(const SignedRequest& request,
                                                      const Credentials& credentials,
                                                      std::string_view region,
                                                      std::string_view service, WallTime now) {
  const std::string date = format_iso8601_basic(now);
  const std::string_view day = std::string_view(date).substr(0, 8);
  std::vector<std::pair<std::string, std::string>> added = {{"X-Amz-Date", date}};
  if (!credentials.session_token.empty()) {
    added.emplace_back("X-Amz-Security-Token", credentials.session_token);
  }
  std::vector<Header> headers(request.headers.begin(), request.headers.end());
  headers.insert(headers.end(), added.begin(), added.end());
  SignedRequest complete = request;
  complete.headers = headers;

  const std::vector<std::string> names = sorted_names(headers);
  const std::string canonical = canonical_request(complete, names, payload_hash(request));
  std::string scope(day);
  for (const std::string_view part : {region, service, kTerminator}) {
    scope += '/';
    scope += part;
  }
  std::string to_sign;
  append_string_to_sign(to_sign, date, scope, sha256(canonical));
  Digest key = derive_signing_key(credentials.secret_access_key, day, region, service);
  const Digest signature = hmac_sha256(view(key), to_sign);
  wipe(key);
  added.emplace_back("Authorization", std::string(kAlgorithm) +
                                          " Credential=" + credentials.access_key_id + "/" + scope +
                                          ", SignedHeaders=" + joined(names) +
                                          ", Signature=" + hex_encode(view(signature)));
  return added;
}

}  // namespace holdfast::iam
