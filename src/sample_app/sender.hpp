#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/client/backoff.hpp>
#include <holdfast/client/gateway_client.hpp>

#include "outbox.hpp"

namespace holdfast::sample_app {

struct SenderOptions {
  std::size_t jobs_max = 0;
  std::size_t job_bytes_max = 0;
  client::BackoffOptions retry;
};

/// Sends jobs when they fall due, with one thread for each client, until the gateway answers 200 or
/// a permanent refusal. Thread-safe.
class Sender {
 public:
  Sender(SenderOptions options, std::vector<std::unique_ptr<client::GatewayClient>> clients,
         const Clock& clock);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// False when too much waits already.
  [[nodiscard]] bool submit(std::string user_id, std::string text, Seconds wait);
  /// Sends jobs that fall due within `drain`, waits for calls in flight, and logs the others.
  /// Returns the number of jobs that were not sent.
  std::size_t stop(Milliseconds drain);

 private:
  void run(client::GatewayClient& gateway);
  /// Sends one job; when it is to come again, when.
  [[nodiscard]] std::optional<SteadyTime> attempt(client::GatewayClient& gateway, Job& job);
  /// Returns whether there is nothing left to send before the stop.
  [[nodiscard]] bool finished(SteadyTime now) const;
  void wait(std::unique_lock<std::mutex>& lock, SteadyTime now);

  SenderOptions options_;
  const Clock& clock_;
  std::vector<std::unique_ptr<client::GatewayClient>> clients_;

  std::mutex mutex_;
  std::condition_variable wake_;
  Outbox outbox_;
  std::optional<SteadyTime> stop_at_;
  std::vector<std::thread> threads_;
};

}  // namespace holdfast::sample_app
