#include "code_command.hpp"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
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
#include <holdfast/base/process.hpp>

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

// Our own secrets are none of the command's: a master key or root credentials given to us by the
// environment stay with us.
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

class CommandSender final : public identity::CodeSender {
 public:
  explicit CommandSender(CodeSenderOptions options) : options_(std::move(options)) {
    if (options_.command.empty()) return;
    thread_ = start_thread("hf-codes", [this] { work(); });
  }
  CommandSender(const CommandSender&) = delete;
  CommandSender& operator=(const CommandSender&) = delete;
  ~CommandSender() override { CommandSender::stop(); }

  void stop() override {
    std::deque<Job> left;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      left.swap(queue_);
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    for (Job& job : left) answer(job, stopping());
  }

  bool ready() const override { return !options_.command.empty() || options_.to_log; }

  void send(CodeMessage message, Executor& executor, Completion<Result<void>> done) override {
    if (options_.to_log && !message.nobodys) {
      log::warn("confirmation_code", {{"purpose", to_string(message.purpose)},
                                      {"username", message.user.username},
                                      {"code", message.code}});
    }
    Job job{.message = std::move(message), .executor = &executor, .done = std::move(done)};
    if (options_.command.empty()) {
      answer(job, options_.to_log ? Result<void>() : fail(Errc::unavailable, "no command"));
      return;
    }
    Result<void> refusal;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        refusal = stopping();
      } else if (job.message.nobodys) {
        // They come as often as strangers like, and must not keep users' codes from waiting.
        if (nobodys_ < options_.queue) return push(std::move(job));
      } else if (queue_.size() - nobodys_ >= options_.queue) {
        refusal = fail(Errc::too_many_requests, "too many codes are waiting");
        if (options_.refusals) options_.refusals->add(Bound::codes, BoundScope::all);
      } else {
        return push(std::move(job));
      }
    }
    tell_not_sent(job.message, AuditOutcome::refused, refusal.error().message);
    answer(job, std::move(refusal));
  }

 private:
  struct Job {
    CodeMessage message;
    Executor* executor;
    Completion<Result<void>> done;
  };

  // Under the mutex.
  void push(Job job) {
    if (job.message.nobodys) ++nobodys_;
    queue_.push_back(std::move(job));
    wake_.notify_one();
  }

  // Where it is not told who exists, no answer says so.
  void tell_not_sent(const CodeMessage& message, AuditOutcome outcome, const std::string& reason) {
    if (!options_.audit || message.nobodys) return;
    options_.audit->record({.actor = "system",
                            .action = "code.deliver",
                            .target = "user:" + message.user.sub.str(),
                            .outcome = outcome,
                            .reason = std::string(to_string(message.purpose)) + ": " + reason});
  }

  static std::unexpected<Error> stopping() {
    return fail(Errc::unavailable, "the sender is stopping");
  }
  static void answer(Job& job, Result<void> result) {
    job.executor->post([done = std::move(job.done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      if (job.message.nobodys) --nobodys_;
      lock.unlock();
      Result<void> result = job.message.nobodys ? Result<void>() : run(job.message);
      if (!result) {
        log::error("code_command_failed", {{"reason", result.error().message}});
        tell_not_sent(job.message, AuditOutcome::failed, result.error().message);
      }
      answer(job, std::move(result));
      lock.lock();
    }
  }

  Result<void> run(const CodeMessage& message) const {
    int ends[2];
    // A pipe, because a command may open its input again by name (/dev/stdin), as no socket lets
    // it.
    if (pipe2(ends, O_CLOEXEC) != 0) {
      return fail(Errc::unavailable, std::string("pipe: ") + std::strerror(errno));
    }
    const UniqueFd theirs(ends[0]);
    UniqueFd ours(ends[1]);
    // Some kilobytes at most, into an empty buffer that takes them all before anybody reads: the
    // write neither waits nor, while we hold the other end, raises a signal.
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
    const auto deadline = SteadyClock::now() + options_.timeout;
    while (!child.exit_code()) {
      const bool late = SteadyClock::now() >= deadline;
      if (late || stopping_) {
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

  const CodeSenderOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  std::size_t nobodys_ = 0;  ///< of those
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::shared_ptr<identity::CodeSender> make_code_sender(CodeSenderOptions options) {
  return std::make_shared<CommandSender>(std::move(options));
}

}  // namespace holdfast::app
