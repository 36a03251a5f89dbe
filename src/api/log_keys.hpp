#pragma once

#include <holdfast/net/log_fields.hpp>

namespace holdfast::api {

/// The fields that this module adds to its access lines, in the order in which they stand there.
inline constexpr net::LogKey kLogRequestId{"request_id", 0};
/// Names the operation, where the path does not.
inline constexpr net::LogKey kLogOperation{"operation", 1};
/// The key that signed, or that was claimed.
inline constexpr net::LogKey kLogAccessKeyId{"access_key_id", 2};
/// The user that the call is about.
inline constexpr net::LogKey kLogUserId{"user_id", 3};
inline constexpr net::LogKey kLogMessageId{"message_id", 4};

}  // namespace holdfast::api
