#pragma once

#include <utility>
#include <vector>

#include <holdfast/identity/code_sender.hpp>

namespace holdfast::test {

/// Remembers the codes that it was to send. Its completions are posted by the calling thread.
class FakeCodeSender final : public identity::CodeSender {
 public:
  bool ready() const override { return is_ready; }
  void send(identity::CodeMessage message, Executor& executor,
            Completion<Result<void>> done) override {
    Result<void> result;
    if (fails) {
      result = fail(Errc::unavailable, "told to fail");
    } else {
      sent.push_back(std::move(message));
    }
    executor.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

  void stop() override { fails = true; }

  bool is_ready = true;
  bool fails = false;
  std::vector<identity::CodeMessage> sent;
};

}  // namespace holdfast::test
