#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/sender_quota.hpp>
#include <holdfast/delivery/message.hpp>
#include <holdfast/delivery/send_limits.hpp>

#include "json_body.hpp"

namespace holdfast::api {

struct IngestLimits {
  delivery::SendLimits message;
  std::size_t body_bytes = 1 << 20;
  std::size_t entries = 500;
};

/// The body of `POST /message`.
[[nodiscard]] std::expected<delivery::SendRequest, BodyFault> read_message(
    std::string_view body, const IngestLimits& limits, const SenderQuotaPtr& caller);
/// The body of `POST /messages`: all entries, or the first fault.
[[nodiscard]] std::expected<std::vector<delivery::SendRequest>, BodyFault> read_messages(
    std::string_view body, const IngestLimits& limits, const SenderQuotaPtr& caller);

}  // namespace holdfast::api
