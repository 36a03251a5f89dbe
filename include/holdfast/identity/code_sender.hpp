#pragma once

#include <string>

#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/stores.hpp>
#include <holdfast/identity/user.hpp>

namespace holdfast::identity {

/// A confirmation code on its way to its user.
struct CodeMessage {
  CodeStore::Purpose purpose = CodeStore::Purpose::sign_up;
  std::string code;  ///< eight digits
  User user;
  /// The code has no recipient. It takes the same steps as others, and is dropped at the end.
  bool for_unknown_user = false;
};
/// Sends confirmation codes. Any thread.
class CodeSender {
 public:
  virtual ~CodeSender() = default;
  /// Returns whether codes can be sent.
  [[nodiscard]] virtual bool ready() const = 0;
  /// Answers on `executor` when the code is on its way, or that it is not: `too_many_requests`
  /// while too many are waiting, `unavailable` otherwise.
  virtual void send(CodeMessage message, Executor& executor, Completion<Result<void>> done) = 0;
  /// Ends running commands. Waiting and later calls get `unavailable`. Call it while the executors
  /// live. Repeated calls do nothing.
  virtual void stop() = 0;
};

}  // namespace holdfast::identity
