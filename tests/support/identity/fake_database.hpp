#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/executor.hpp>
#include <holdfast/identity/stores.hpp>

namespace holdfast::test {

/// The rows behind the fake stores: what a restart finds again. Handles of several threads may
/// share one. The members are for tests that look or tamper while nothing is under way.
struct FakeIdentityDatabase {
  std::mutex mutex;
  std::map<std::string, identity::User> users;  ///< by sub
  std::vector<identity::TokenStore::Row> tokens;
  std::vector<identity::KeyStore::Row> keys;
  std::vector<identity::RefreshTokenStore::Row> refresh_tokens;  ///< the oldest first
  std::map<std::string, Digest> families;  ///< of refresh tokens that were replaced, by login
  std::vector<identity::CodeStore::Row> codes;
  std::int64_t epoch = 0;
  std::map<std::pair<std::size_t, std::string>, identity::AttemptStore::Row> attempts;
  std::map<std::pair<std::string, Digest>, WallTime> known_addresses;
};

/// The common part of all fake stores. An operation takes effect when it is called, in order, and
/// its completion is posted to the executor. A test can make the next ones fail without effect, or
/// delay completions.
class FakeHandle {
 public:
  FakeHandle(FakeIdentityDatabase& database, Executor& executor)
      : database_(database), executor_(executor) {}

  void fail_next(std::size_t count = 1, Errc code = Errc::unavailable) {
    failures_ = count;
    failure_ = code;
  }
  void hold() { holding_ = true; }
  void release() {
    holding_ = false;
    for (Task& task : std::exchange(held_, {})) executor_.post(std::move(task));
  }
  /// Operations that were called, failed ones included.
  [[nodiscard]] std::size_t calls() const noexcept { return calls_; }

 protected:
  template <class T, class Work>
  void run(Completion<Result<T>> done, Work work) {
    ++calls_;
    Result<T> result = fail(failure_, "told to fail");
    if (failures_ > 0) {
      --failures_;
    } else {
      const std::lock_guard lock(database_.mutex);
      result = work(database_);
    }
    Task task = [done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    };
    if (holding_) {
      held_.push_back(std::move(task));
    } else {
      executor_.post(std::move(task));
    }
  }

 private:
  FakeIdentityDatabase& database_;
  Executor& executor_;
  std::size_t calls_ = 0;
  std::size_t failures_ = 0;
  Errc failure_ = Errc::unavailable;
  bool holding_ = false;
  std::deque<Task> held_;
};

}  // namespace holdfast::test
