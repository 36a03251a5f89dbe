#pragma once

#include <string_view>

#include <holdfast/base/json.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// Returns a responder that records the outcome of an audited operation of the user pool. `key`
/// signed the call; null if it is unsigned. Reads `input` only inside this call.
[[nodiscard]] net::Responder record_pool_call(const Context& context, std::string_view operation,
                                              const iam::AccessKey* key,
                                              const net::RequestHead& head, const Json& input,
                                              net::Responder respond);

/// Records an operation whose signature was refused. Trusts nothing of the call.
void record_refused_signature(const Context& context, std::string_view operation,
                              const net::RequestHead& head, const net::Response& refused);

}  // namespace holdfast::api
