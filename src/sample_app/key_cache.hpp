#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/client/gateway_client.hpp>
#include <holdfast/identity/id_token.hpp>

namespace holdfast::sample_app {

struct KeyCacheOptions {
  std::string issuer;
  std::string audience;
  std::size_t waiting_max = 1'000;
  Milliseconds refetch_after{60'000};  ///< at most so often for a key id that is not known
  Milliseconds retry_after{1'000};     ///< after a fetch that failed
};

/// Verifies ID tokens against the gateway's keys: fetched when first needed, kept, fetched again
/// when a token names a key that is not among them. The fetch runs on a thread of its own. Any
/// thread.
class KeyCache {
 public:
  KeyCache(KeyCacheOptions options, std::unique_ptr<client::GatewayClient> gateway,
           const Clock& clock);
  ~KeyCache();
  KeyCache(const KeyCache&) = delete;
  KeyCache& operator=(const KeyCache&) = delete;

  /// `done` runs on `executor`. Errors: `expired`, `unauthenticated`; `unavailable` when the keys
  /// cannot be had.
  void verify(std::string token, Executor& executor,
              Completion<Result<identity::IdTokenClaims>> done);
  /// Ends the thread; what waits is answered `unavailable`.
  void stop();

 private:
  struct Keys {
    identity::IdTokenVerifier verifier;
    std::set<std::string> ids;
  };
  struct Waiter {
    std::string token;
    Executor* executor;
    Completion<Result<identity::IdTokenClaims>> done;
  };
  using KeysPtr = std::shared_ptr<const Keys>;

  [[nodiscard]] bool may_fetch(SteadyTime now) const;
  [[nodiscard]] Result<KeysPtr> fetch();
  [[nodiscard]] static Result<identity::IdTokenClaims> check(const KeysPtr& keys,
                                                             const std::string& token);
  static void answer(Waiter waiter, Result<identity::IdTokenClaims> claims);
  void run();

  KeyCacheOptions options_;
  std::unique_ptr<client::GatewayClient> gateway_;
  const Clock& clock_;

  std::mutex mutex_;
  std::condition_variable wake_;
  KeysPtr keys_;
  std::vector<Waiter> waiting_;
  bool fetching_ = false;
  bool stopping_ = false;
  SteadyTime next_fetch_;
  std::thread thread_;
};

}  // namespace holdfast::sample_app
