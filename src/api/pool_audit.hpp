#pragma once

#include <string_view>

#include <holdfast/base/json.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// Has the audit log hear how an operation of the user pool ended, when it is one that matters to
/// it. `key` signed the call; null: nobody did. `input` is looked at inside the call alone.
[[nodiscard]] net::Responder record_pool_call(const Context& context, std::string_view operation,
                                              const iam::AccessKey* key,
                                              const net::RequestHead& head, const Json& input,
                                              net::Responder respond);

/// Has it hear that an operation came with a signature that was refused: of what came with it,
/// nothing is believed.
void record_refused_signature(const Context& context, std::string_view operation,
                              const net::RequestHead& head, const net::Response& refused);

}  // namespace holdfast::api
