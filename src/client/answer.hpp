#pragma once

#include <string>

#include <holdfast/base/json.hpp>
#include <holdfast/client/gateway_client.hpp>

namespace holdfast::client {

inline constexpr JsonLimits kAnswerLimits{.depth = 32, .bytes = 16 << 20};

/// A member that is a string; empty when it is missing or something else.
[[nodiscard]] std::string string_member(const Json& object, const char* name);
/// Returns the JSON text of a value. Fails if people typed text that is not UTF-8.
[[nodiscard]] CallResult<std::string> dump(const Json& value);
/// The object that a 2xx answers with; anything else is the error that it says.
[[nodiscard]] CallResult<Json> object_of(const net::Response& response);
[[nodiscard]] std::unexpected<CallError> not_understood();
/// No answer came, or none that can be read; or a WebSocket was refused.
[[nodiscard]] std::unexpected<CallError> no_answer(const Error& error);

}  // namespace holdfast::client
