#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/iam/sigv4.hpp>

namespace holdfast::test {

/// A request that owns its parts, to be signed and then spoilt.
struct RequestBuilder {
  std::string method = "POST";
  std::string target = "/message";
  std::vector<std::pair<std::string, std::string>> headers = {{"Host", "127.0.0.1:8080"},
                                                              {"Content-Type", "application/json"}};
  std::string body = R"({"userId":"u","message":"m"})";

  using Run = std::function<void(const iam::SignedRequest&)>;
  void with(const Run& run) const {
    run({.method = method, .target = target, .headers = headers, .body = body});
  }

  std::string* header(std::string_view name) {
    const auto found =
        std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
    return found == headers.end() ? nullptr : &found->second;
  }
  void drop(std::string_view name) {
    std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  }
  void replace(std::string_view name, std::string_view from, std::string_view to) {
    std::string& value = *header(name);
    value.replace(value.find(from), from.size(), to);
  }

  RequestBuilder& sign(const iam::Credentials& credentials, std::string_view region,
                       std::string_view service, WallTime now) {
    std::vector<std::pair<std::string, std::string>> added;
    with([&](const iam::SignedRequest& request) {
      added = iam::sign(request, credentials, region, service, now);
    });
    headers.insert(headers.end(), added.begin(), added.end());
    return *this;
  }

  /// Signs in the query, for `Host` alone.
  RequestBuilder& presign(const iam::Credentials& credentials, std::string_view region,
                          std::string_view service, WallTime now, std::string_view expires) {
    const std::string date = format_iso8601_basic(now);
    const std::string day = date.substr(0, 8);
    const std::string scope =
        day + "/" + std::string(region) + "/" + std::string(service) + "/aws4_request";
    target += target.contains('?') ? "&" : "?";
    target += "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" +
              percent_encode(credentials.access_key_id + "/" + scope) + "&X-Amz-Date=" + date +
              "&X-Amz-Expires=" + std::string(expires) + "&X-Amz-SignedHeaders=host";
    if (!credentials.session_token.empty()) {
      target += "&X-Amz-Security-Token=" + percent_encode(credentials.session_token);
    }
    std::string canonical;
    with([&](const iam::SignedRequest& request) {
      canonical = iam::canonical_request(request, {"host"}, hex_encode(view(sha256(body))));
    });
    Digest key = hmac_sha256("AWS4" + credentials.secret_access_key, day);
    for (const std::string_view part : {region, service, std::string_view("aws4_request")}) {
      key = hmac_sha256(view(key), part);
    }
    const std::string to_sign =
        "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex_encode(view(sha256(canonical)));
    target += "&X-Amz-Signature=" + hex_encode(view(hmac_sha256(view(key), to_sign)));
    return *this;
  }
};

}  // namespace holdfast::test
