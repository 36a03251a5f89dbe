// Sends confirmation codes by running a command.

#include "code_command.hpp"

#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <holdfast/base/child_process.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/file.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/base/worker_pool.hpp>

namespace holdfast::app {
namespace {

using identity::CodeMessage;
using SteadyClock = std::chrono::steady_clock;

constexpr Milliseconds kPollEvery{20};

std::string input_of(const CodeMessage& message) {
  Json attributes = Json::object();
  for (const auto& [name, value] : message.user.attributes) attributes[name] = value;
  const Json input = {{"purpose", to_string(message.purpose)},
                      {"code", message.code},
                      {"username", message.user.username},
                      {"userId", message.user.sub.str()},
                      {"attributes", std::move(attributes)}};
  return input.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Returns whether a variable is the gateway's own. The command must not get a master key or root
// credentials.
bool is_ours(std::string_view variable) {
  return variable.starts_with("HOLDFAST_") || variable.starts_with("AWS_");
}

std::vector<std::string> childs_environment() {
  std::vector<std::string> out;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_ours(*variable)) out.emplace_back(*variable);
  }
  return out;
}

/// The waiting codes, in order. Codes for unknown users come as often as strangers like, so each
/// kind has the capacity of its own.
class CodeQueue final : public WorkQueue {
 public:
  explicit CodeQueue(std::size_t capacity) : capacity_(capacity) {}

  /// Queues a job. Without room it returns false and leaves the job where it is.
  [[nodiscard]] bool push(bool for_unknown_user, Work::Job& job) {
    const std::size_t same =
        for_unknown_user ? for_unknown_user_ : waiting_.size() - for_unknown_user_;
    if (same >= capacity_) return false;
    waiting_.push_back({.for_unknown_user = for_unknown_user, .work = {.job = std::move(job)}});
    if (for_unknown_user) ++for_unknown_user_;
    return true;
  }
  [[nodiscard]] bool empty() const override { return waiting_.empty(); }
  [[nodiscard]] Work take() override {
    Waiting out = std::move(waiting_.front());
    waiting_.pop_front();
    if (out.for_unknown_user) --for_unknown_user_;
    return std::move(out.work);
  }

 private:
  struct Waiting {
    bool for_unknown_user = false;
    Work work;
  };

  const std::size_t capacity_;
  std::deque<Waiting> waiting_;
  std::size_t for_unknown_user_ = 0;  ///< of those
};

class CommandSender final : public identity::CodeSender {
 public:
  CommandSender(Config::Codes options, std::shared_ptr<BoundRefusals> refusals,
                std::shared_ptr<Audit> audit, std::size_t waiting_max)
      : options_(std::move(options)),
        refusals_(std::move(refusals)),
        audit_(std::move(audit)),
        queue_(waiting_max) {
    if (options_.command.empty()) return;
    pool_.emplace(WorkerPool::Options{.name = "hf-codes",
                                      .stopping = {Errc::unavailable, "the sender is stopping"}},
                  queue_);
  }

  void stop() override {
    if (pool_) pool_->stop();
  }

  bool ready() const override { return !options_.command.empty() || options_.to_log; }

  void send(CodeMessage message, Executor& executor, Completion<Result<void>> done) override {
    if (options_.to_log && !message.for_unknown_user) {
      log::warn("confirmation_code", {{"purpose", to_string(message.purpose)},
                                      {"username", message.user.username},
                                      {"code", message.code}});
    }
    if (!pool_) {
      Result<void> result =
          options_.to_log ? Result<void>() : fail(Errc::unavailable, "no command");
      executor.post([done = std::move(done), result = std::move(result)]() mutable {
        done(std::move(result));
      });
      return;
    }
    const bool for_unknown_user = message.for_unknown_user;
    pool_->submit(job_of(std::move(message), executor, std::move(done)),
                  [&](Work::Job& job) -> const Error* {
                    if (queue_.push(for_unknown_user, job)) return nullptr;
                    if (refusals_ && !for_unknown_user) {
                      refusals_->add(Bound::codes, BoundScope::all);
                    }
                    return &full_error_;
                  });
  }

 private:
  Work::Job job_of(CodeMessage message, Executor& executor, Completion<Result<void>> done) {
    return [this, message = std::move(message), &executor,
            done = std::move(done)](const Error* refusal) mutable -> Task {
      Result<void> result = refusal == nullptr ? deliver(message) : std::unexpected(*refusal);
      if (refusal != nullptr) tell_not_sent(message, AuditOutcome::refused, refusal->message);
      return [&executor, done = std::move(done), result = std::move(result)]() mutable {
        executor.post([done = std::move(done), result = std::move(result)]() mutable {
          done(std::move(result));
        });
      };
    };
  }
  [[nodiscard]] Result<void> deliver(const CodeMessage& message) const {
    if (message.for_unknown_user) return {};
    Result<void> result = run(message);
    if (!result) {
      log::error("code_command_failed", {{"reason", result.error().message}});
      tell_not_sent(message, AuditOutcome::failed, result.error().message);
    }
    return result;
  }

  // Records that a code was not sent. The answer does not say it if names are not revealed.
  void tell_not_sent(const CodeMessage& message, AuditOutcome outcome,
                     const std::string& reason) const {
    if (!audit_ || message.for_unknown_user) return;
    audit_->record({.actor = "system",
                    .action = "code.deliver",
                    .target = "user:" + message.user.sub.str(),
                    .outcome = outcome,
                    .reason = std::string(to_string(message.purpose)) + ": " + reason});
  }

  Result<void> run(const CodeMessage& message) const {
    int ends[2];
    // A pipe, because a command may open its input again by name (/dev/stdin), which no socket
    // allows.
    if (pipe2(ends, O_CLOEXEC) != 0) {
      return fail(Errc::unavailable, std::string("pipe: ") + std::strerror(errno));
    }
    const UniqueFd theirs(ends[0]);
    UniqueFd ours(ends[1]);
    // The input is at most some kilobytes and fits into the empty pipe. So the write neither waits
    // nor, while both ends are open, raises a signal.
    fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    std::string input = input_of(message);
    const auto written = ::write(ours.get(), input.data(), input.size());
    const bool whole = written == static_cast<ssize_t>(input.size());
    wipe(input);
    const int code = errno;
    ours.reset();
    if (!whole) return fail(Errc::unavailable, std::string("write: ") + std::strerror(code));
    auto child = ChildProcess::start(
        {.command = options_.command, .environment = childs_environment(), .input = theirs.get()});
    if (!child) return fail(Errc::unavailable, std::move(child.error().message));
    return await_end(*child);
  }

  Result<void> await_end(ChildProcess& child) const {
    const auto deadline = SteadyClock::now() + options_.command_timeout;
    while (!child.exit_code()) {
      const bool late = SteadyClock::now() >= deadline;
      if (late || pool_->stopping()) {
        child.kill_group();
        return fail(Errc::unavailable, options_.command.front() +
                                           (late ? " took too long" : " was stopped at shutdown"));
      }
      std::this_thread::sleep_for(kPollEvery);
    }
    if (child.exit_code() == 0) return {};
    return fail(Errc::unavailable, options_.command.front() + " ended with status " +
                                       std::to_string(*child.exit_code()));
  }

  const Config::Codes options_;
  const std::shared_ptr<BoundRefusals> refusals_;  ///< null: nobody reads them
  const std::shared_ptr<Audit> audit_;             ///< may be null
  const Error full_error_{Errc::too_many_requests, "too many codes are waiting"};
  CodeQueue queue_;
  std::optional<WorkerPool> pool_;  ///< none without a command
};

}  // namespace

std::shared_ptr<identity::CodeSender> make_code_sender(Config::Codes options,
                                                       std::shared_ptr<BoundRefusals> refusals,
                                                       std::shared_ptr<Audit> audit,
                                                       std::size_t waiting_max) {
  return std::make_shared<CommandSender>(std::move(options), std::move(refusals), std::move(audit),
                                         waiting_max);
}

}  // namespace holdfast::app
