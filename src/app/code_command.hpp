#pragma once

#include <memory>
#include <string>
#include <vector>

#include <holdfast/base/audit.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/identity/code_sender.hpp>

namespace holdfast::app {

struct CodeSenderOptions {
  /// A program and its arguments, run without a shell. Empty: none.
  std::vector<std::string> command{};
  Milliseconds timeout{10'000};
  std::size_t queue = 64;                     ///< codes waiting; one more is refused
  bool to_log = false;                        ///< for development
  std::shared_ptr<BoundRefusals> refusals{};  ///< counts refusals; null: nobody reads them
  std::shared_ptr<Audit> audit{};             ///< records each code that is not sent; may be null
};

/// Sends each code by running the command, one at a time, on a thread of its own. Its standard
/// input is one JSON object: `purpose` (`sign_up`, `verify_email`, …), `code`, `username`,
/// `userId`, `attributes`. Exit status 0 means that the code is on its way. Its output is dropped,
/// and it does not get our variables (`HOLDFAST_…`, `AWS_…`). With `to_log`, codes are also written
/// to the log.
[[nodiscard]] std::shared_ptr<identity::CodeSender> make_code_sender(CodeSenderOptions options);

}  // namespace holdfast::app
