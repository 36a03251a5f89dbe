#pragma once

#include <string_view>

#include <holdfast/base/json.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/net/http.hpp>

#include "api/context.hpp"

namespace holdfast::api {

/// Has the audit log hear how an operation of the user pool ended, when it is one that matters to
/// it. `key` signed the call; null: nobody did. `input` is looked at inside the call alone.
[[nodiscard]] net::Responder record_pool_call(const Context& context, std::string_view operation,
                                              const iam::AccessKey* key,
                                              const net::RequestHead& head, const Json& input,
                                              net::Responder respond);

}  // namespace holdfast::api
