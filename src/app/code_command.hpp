#pragma once

#include <memory>
#include <string>
#include <vector>

#include <holdfast/base/audit.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/identity/user_pool.hpp>

namespace holdfast::app {

struct CodeSenderOptions {
  /// A program and its arguments, run without a shell; empty: none.
  std::vector<std::string> command{};
  Milliseconds timeout{10'000};
  std::size_t queue = 64;                     ///< codes waiting; one more is refused
  bool to_log = false;                        ///< for development
  std::shared_ptr<BoundRefusals> refusals{};  ///< where to count; null: nobody reads it
  std::shared_ptr<Audit> audit{};             ///< hears of each code that is not sent; may be null
};

/// Sends each code by running the command, one at a time on a thread of its own, with one JSON
/// object on its standard input: `purpose` (`sign_up`, `verify_email`, …), `code`, `username`,
/// `userId`, `attributes`. Exit status 0 says that the code is on its way. What it prints is
/// dropped, and variables of ours (`HOLDFAST_…`, `AWS_…`) are kept from it. With `to_log` codes are
/// (also) written to the log.
[[nodiscard]] std::shared_ptr<identity::CodeSender> make_code_sender(CodeSenderOptions options);

}  // namespace holdfast::app
