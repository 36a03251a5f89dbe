#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/api/options.hpp>
#include <holdfast/base/sender_quota.hpp>
#include <holdfast/delivery/message.hpp>

#include "json_body.hpp"

namespace holdfast::api {

/// The body of `POST /message`.
[[nodiscard]] std::expected<delivery::SendRequest, BodyFault> read_message(
    std::string_view body, const Limits& limits, const SenderQuotaPtr& caller);
/// The body of `POST /messages`: all entries, or the first fault.
[[nodiscard]] std::expected<std::vector<delivery::SendRequest>, BodyFault> read_messages(
    std::string_view body, const Limits& limits, const SenderQuotaPtr& caller);

}  // namespace holdfast::api
