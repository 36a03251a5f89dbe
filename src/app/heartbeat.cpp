// Asks whether every shard and the store's thread answer.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "countdown.hpp"
#include "running_gateway.hpp"

namespace holdfast::app {

bool RunningGateway::alive(Milliseconds patience) {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + patience;
  const auto shards = std::make_shared<Countdown>(shards_->count());
  for (std::size_t i = 0; i < shards_->count(); ++i) {
    shards_->at(i).post([shards] { shards->done(); });
  }
  const auto store = std::make_shared<Countdown>(1);
  store_->store->probe([store] { store->done(); });
  if (!shards->wait_until(deadline)) return false;
  // A restart makes no disk quicker, so a thread that waits for it counts as alive.
  constexpr Milliseconds kLook{20};
  do {
    const auto next = std::min(deadline, steady_clock::now() + kLook);
    if (store->wait_until(next) || store_->store->stats().blocked) return true;
  } while (steady_clock::now() < deadline);
  return false;
}

}  // namespace holdfast::app
