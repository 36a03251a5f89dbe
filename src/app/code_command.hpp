#pragma once

#include <cstddef>
#include <memory>

#include <holdfast/app/config.hpp>
#include <holdfast/base/audit.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/identity/code_sender.hpp>

namespace holdfast::app {

/// Codes that may wait; one more is refused.
inline constexpr std::size_t kCodesWaitingMax = 64;

/// Sends each code by running the command, one at a time, on a thread of its own. Its standard
/// input is one JSON object: `purpose` (`sign_up`, `verify_email`, …), `code`, `username`,
/// `userId`, `attributes`. Exit status 0 means that the code is on its way. Its output is dropped,
/// and it does not get our variables (`HOLDFAST_…`, `AWS_…`). With `to_log`, codes are also written
/// to the log. `refusals` counts refusals, and `audit` records each code that is not sent; both may
/// be null.
[[nodiscard]] std::shared_ptr<identity::CodeSender> make_code_sender(
    Config::Codes options, std::shared_ptr<BoundRefusals> refusals = nullptr,
    std::shared_ptr<Audit> audit = nullptr, std::size_t waiting_max = kCodesWaitingMax);

}  // namespace holdfast::app
