#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <unistd.h>

#include <holdfast/base/log.hpp>

#include "app/late_service.hpp"
#include "app/running_gateway.hpp"

namespace holdfast::app {
namespace {

using std::chrono::steady_clock;

// Counts down from many threads to one that waits with a deadline. Shared, because who waits may be
// gone before the last one is done.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}

  void done() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) changed_.notify_all();
  }
  bool wait_until(steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t left_;
};

// Answers are on their way to sockets; nothing tells when the last has left but the count of them.
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
    take_down();
  }
}

bool RunningGateway::stop() {
  if (!ready_ || draining_.exchange(true)) return true;
  // The machine's clock, not the injected one: a shutdown ends also where time stands still.
  const auto deadline = steady_clock::now() + config_.shutdown.drain;
  log::info("stopping", {{"drain_seconds", config_.shutdown.drain.count()}});
  // Who waits for an issuer's keys would be waited for.
  if (issuers_ != nullptr) issuers_->stop();
  for (const GatewayListener& gateway : gateways_) gateway.listener->drain();
  const bool drained = each_mailboxes(&delivery::Mailboxes::drain, deadline);
  const bool closed = each_mailboxes(&delivery::Mailboxes::close_connections, deadline);
  const bool emptied = std::ranges::all_of(gateways_, [deadline](const GatewayListener& gateway) {
    return wait_until_empty(*gateway.listener, deadline);
  });
  log::info("stopped_serving", {{"drained", drained}, {"closed", closed}, {"emptied", emptied}});
  take_down();
  log::info("stopped");
  return drained && closed && emptied;
}

bool RunningGateway::each_mailboxes(void (delivery::Mailboxes::*phase)(Task),
                                    std::chrono::steady_clock::time_point deadline) {
  const auto countdown = std::make_shared<Countdown>(parts_.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    delivery::Mailboxes* const mailboxes = parts_[i].mailboxes.get();
    shards_->at(i).post(
        [mailboxes, phase, countdown] { (mailboxes->*phase)([countdown] { countdown->done(); }); });
  }
  return countdown->wait_until(deadline);
}

// What hands work to others goes before them: sockets, what answers shards from threads of its own
// (the hasher, the code sender, the store), the shards;
// then what lived on the shards, and only then what their last tasks may hold.
void RunningGateway::take_down() {
  for (const GatewayListener& gateway : gateways_) gateway.listener->close();
  for (const auto& control : controls_) control->close();
  if (local_ != nullptr) local_->close();
  if (local_ != nullptr) unlink(info_.control_socket.c_str());
  if (hasher_ != nullptr) hasher_->stop();
  if (code_sender_ != nullptr) code_sender_->stop();
  if (issuers_ != nullptr) issuers_->stop();
  if (store_ != nullptr) store_->stop();
  if (shards_ != nullptr) shards_->stop();
  for (const auto& reader : issuer_readers_) reader->stop();
  gateways_.clear();
  controls_.clear();
  local_.reset();
  local_service_.reset();
  router_.reset();
  parts_.clear();
  hasher_.reset();
  code_sender_.reset();
  issuers_.reset();
  issuer_readers_.clear();
  access_keys_.reset();
  signer_.reset();
  box_.reset();
  ring_.reset();
  shards_.reset();
  store_.reset();
  directory_.reset();
}

}  // namespace holdfast::app
