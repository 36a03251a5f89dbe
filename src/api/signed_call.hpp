#pragma once

#include <expected>
#include <string_view>

#include <holdfast/iam/sigv4.hpp>
#include <holdfast/net/http.hpp>

#include "api/context.hpp"

namespace holdfast::api {

/// Who signed `request`, by its shard's verifier.
[[nodiscard]] std::expected<iam::AccessKeyPtr, iam::SignatureError> verify_signature(
    const Context& context, const net::Request& request, std::string_view service);

/// What the key's policies say to `action` on `resource`.
[[nodiscard]] iam::Decision decide(const Context& context, const iam::AccessKey& key,
                                   const net::RequestHead& head, std::string_view action,
                                   std::string_view resource);

/// Whether the key may make one more call now, on this shard; a call that may is counted.
[[nodiscard]] bool keeps_to_rate(const Context& context, const iam::AccessKey& key,
                                 std::size_t shard);

/// Signature, policy and rate of a call of execute-api: who calls, or the answer that refuses.
[[nodiscard]] std::expected<iam::AccessKeyPtr, net::Response> authorize_invoke(
    const Context& context, const net::Request& request, std::string_view action,
    std::string_view resource);

}  // namespace holdfast::api
