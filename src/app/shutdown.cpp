// The phases of a shutdown.

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <unistd.h>

#include <holdfast/base/log.hpp>

#include "await.hpp"
#include "countdown.hpp"
#include "running_gateway.hpp"

namespace holdfast::app {
namespace {

using std::chrono::steady_clock;

constexpr Milliseconds kLeastRest{1'000};
constexpr Milliseconds kLeastForDeletes{250};

// Waits until no sockets are open. Only their count says that the last answer has left.
bool wait_until_empty(const net::Listener& listener, steady_clock::time_point deadline) {
  constexpr std::chrono::milliseconds kLook{5};
  while (listener.stats().open_sockets > 0) {
    if (steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

}  // namespace

RunningGateway::~RunningGateway() {
  if (ready_) {
    stop();
  } else {
    stop_parts();
  }
}

Seconds RunningGateway::drain() const {
  const std::lock_guard lock(reload_mutex_);
  return running_.shutdown.drain;
}

bool RunningGateway::stop() {
  if (!ready_ || draining_.exchange(true)) return true;
  // Uses the machine's clock, so that a shutdown ends also where the injected time stands still.
  const Seconds longest = drain();
  const auto deadline = steady_clock::now() + longest;
  log::info("stopping", {{"drain_seconds", longest.count()}});
  // Requests that wait for an issuer's keys would delay the shutdown.
  if (identity_->issuers != nullptr) identity_->issuers->stop();
  for (const auto& gateway : gateways_.all) gateway.listener->drain();
  close_gradually(longest);
  const bool drained = each_mailboxes(&delivery::Mailboxes::drain, deadline);
  // The store runs all that it was handed before it stopped. Acknowledged messages are handed over,
  // even without time for anything else.
  const auto handed = std::max(deadline, steady_clock::now() + kLeastForDeletes);
  const bool closed = each_mailboxes(&delivery::Mailboxes::close_connections, handed);
  const bool emptied = std::ranges::all_of(gateways_.all, [deadline](const auto& gateway) {
    return wait_until_empty(*gateway.listener, deadline);
  });
  log::info("stopped_serving", {{"drained", drained}, {"closed", closed}, {"emptied", emptied}});
  stop_parts();
  log::info("stopped");
  return drained && closed && emptied;
}

// Leaves a quarter of the time, and at least a second, for the later phases. So a short drain
// closes all connections at once.
void RunningGateway::close_gradually(Milliseconds drain) {
  const Milliseconds rest = std::max(drain / 4, kLeastRest);
  const Milliseconds spread =
      options_.close_spread.value_or(std::max(drain - rest, Milliseconds(0)));
  if (spread.count() <= 0) return;
  const auto phase = [spread](delivery::Mailboxes& mailboxes, Task done) {
    mailboxes.close_gradually(spread, std::move(done));
  };
  // The last fences get half of the rest. Clients that remain are closed with the others.
  each_mailboxes(phase, steady_clock::now() + spread + rest / 2);
}

bool RunningGateway::each_mailboxes(const MailboxesPhase& phase,
                                    std::chrono::steady_clock::time_point deadline) {
  const auto countdown = std::make_shared<Countdown>(shards_->count());
  for (std::size_t i = 0; i < shards_->count(); ++i) {
    delivery::Mailboxes* const mailboxes = delivery_->mailboxes[i].get();
    shards_->at(i).post(
        [mailboxes, phase, countdown] { phase(*mailboxes, [countdown] { countdown->done(); }); });
  }
  return countdown->wait_until(deadline);
}

// Writes the counts of the last second.
void RunningGateway::keep_attempts() {
  if (!ready_) return;
  const auto kept = await<void>(
      first_shard(), [this](auto done) { identity_->attempt_keeper->finish(std::move(done)); });
  if (!kept) log::warn("attempts_not_kept", {{"reason", kept.error().message}});
}

// Stops producers of work before its consumers: sockets, then the threads that answer shards (the
// hasher, the code sender, the store), then the shards.
void RunningGateway::stop_parts() {
  for (const auto& gateway : gateways_.all) gateway.listener->close();
  for (const auto& control : controls_.all) control->close();
  if (local_ != nullptr) local_->close();
  if (local_ != nullptr) unlink(info_.control_socket.c_str());
  if (keys_) keys_->hasher->stop();
  if (identity_) identity_->code_sender->stop();
  if (identity_ && identity_->issuers != nullptr) identity_->issuers->stop();
  keep_attempts();
  if (store_) store_->store->stop();
  if (shards_ != nullptr) shards_->stop();
  if (!identity_) return;
  for (const auto& reader : identity_->readers) reader->stop();
}

}  // namespace holdfast::app
