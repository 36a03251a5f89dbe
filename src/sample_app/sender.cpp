// Sends due messages to the gateway, with retries.

#include "sender.hpp"

#include <algorithm>
#include <utility>

#include <holdfast/base/ids.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/base/process.hpp>

namespace holdfast::sample_app {
namespace {

// The longest time between two looks at the clock, because the clock may step during a wait.
constexpr Milliseconds kLook{50};

}  // namespace

Sender::Sender(SenderOptions options, std::vector<std::unique_ptr<client::GatewayClient>> clients,
               const Clock& clock)
    : options_(options),
      clock_(clock),
      clients_(std::move(clients)),
      outbox_(options.jobs_max, options.job_bytes_max) {
  threads_.reserve(clients_.size());
  for (const auto& gateway : clients_) {
    threads_.push_back(start_thread("hf-sender-" + std::to_string(threads_.size()),
                                    [this, &gateway] { run(*gateway); }));
  }
}

Sender::~Sender() { stop(Milliseconds(0)); }

bool Sender::submit(std::string user_id, std::string text, Seconds wait) {
  Job job{std::move(user_id), std::move(text), generate_uuid(), clock_.steady_now() + wait};
  {
    const std::lock_guard lock(mutex_);
    if (stop_at_ || !outbox_.push(std::move(job))) return false;
  }
  wake_.notify_one();
  return true;
}

std::size_t Sender::stop(Milliseconds drain) {
  {
    const std::lock_guard lock(mutex_);
    if (!stop_at_) stop_at_ = clock_.steady_now() + drain;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  const std::vector<Job> unsent = outbox_.clear();
  for (const Job& job : unsent) {
    log::warn("message_not_sent", {{"user_id", job.user_id},
                                   {"deduplication_id", job.deduplication_id},
                                   {"attempts", job.attempts},
                                   {"reason", "shutting down"}});
  }
  return unsent.size();
}

void Sender::run(client::GatewayClient& gateway) {
  std::unique_lock lock(mutex_);
  while (true) {
    const SteadyTime now = clock_.steady_now();
    if (finished(now)) return;
    if (auto job = outbox_.take(now)) {
      lock.unlock();
      const auto again = attempt(gateway, *job);
      lock.lock();
      if (again) {
        outbox_.retry(std::move(*job), *again);
      } else {
        outbox_.finish(*job);
      }
      wake_.notify_one();
      continue;
    }
    wait(lock, now);
  }
}

bool Sender::finished(SteadyTime now) const {
  if (!stop_at_) return false;
  const auto next = outbox_.next_due();
  return now > *stop_at_ || !next || *next > *stop_at_;
}

void Sender::wait(std::unique_lock<std::mutex>& lock, SteadyTime now) {
  const auto next = outbox_.next_due();
  if (!next) {
    wake_.wait(lock);
    return;
  }
  wake_.wait_for(lock, std::min<Microseconds>(*next - now, kLook));
}

std::optional<SteadyTime> Sender::attempt(client::GatewayClient& gateway, Job& job) {
  ++job.attempts;
  const auto receipt = gateway.publish({job.user_id, job.text, job.deduplication_id, std::nullopt});
  if (receipt) {
    log::info("message_sent", {{"user_id", job.user_id},
                               {"message_id", receipt->message_id},
                               {"status", receipt->status},
                               {"attempts", job.attempts}});
    return std::nullopt;
  }
  const client::CallError& error = receipt.error();
  if (!error.transient()) {
    log::error("message_refused", {{"user_id", job.user_id},
                                   {"deduplication_id", job.deduplication_id},
                                   {"status", error.status},
                                   {"reason", error.text()}});
    return std::nullopt;
  }
  const Milliseconds pause = client::backoff(options_.retry, job.attempts, error.retry_after);
  log::warn("message_to_be_retried", {{"user_id", job.user_id},
                                      {"deduplication_id", job.deduplication_id},
                                      {"attempts", job.attempts},
                                      {"status", error.status},
                                      {"reason", error.text()},
                                      {"retry_ms", pause.count()}});
  return clock_.steady_now() + pause;
}

}  // namespace holdfast::sample_app
