#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/identity/attempts.hpp>

namespace holdfast::identity {

/// Whose password work it is, which says when its turn is and what room it has.
struct WorkOwner {
  Source source;
  std::string name{};  ///< the attempted name; work of one name runs one at a time; may be empty
};

/// Hashes with Argon2id (t=2, m=19 MiB, p=1; RFC 9106) on a small pool of its own threads.
/// Thread-safe. Overwrites passwords after use.
///
/// The operator's work has its own lane, which is served first. In the public lane a client's
/// address (an IPv6 address's /64) has an eighth of the room and an access key half of it. Work
/// beyond that is refused before it waits. Waiting clients are served in turn, one piece of work
/// each.
class PasswordHasher {
 public:
  virtual ~PasswordHasher() = default;
  /// The encoded hash. `too_many_requests` when the lane, its owner's share of it, or the name is
  /// taken. `done` runs on `executor`.
  virtual void hash(std::string password, WorkOwner owner, Executor& executor,
                    Completion<Result<std::string>> done) = 0;
  /// Checks `password` against the hash `encoded`. An empty `encoded` takes the same time and
  /// fails.
  virtual void verify(std::string password, std::string encoded, WorkOwner owner,
                      Executor& executor, Completion<Result<bool>> done) = 0;
  /// Runs other work that is too long for a shard, under the same limits. Refused work is destroyed
  /// without running.
  virtual void compute(std::move_only_function<std::string()> work, WorkOwner owner,
                       Executor& executor, Completion<Result<std::string>> done) = 0;
  /// Signs a token, which takes a few milliseconds. Signatures have their own lane, which takes
  /// turns with the public one, so that neither starves the other.
  virtual void sign(std::move_only_function<std::string()> work, Source source, Executor& executor,
                    Completion<Result<std::string>> done) = 0;
  /// Waits for running work. Waiting and later calls get `unavailable`. Call it while the executors
  /// live: pending calls keep their callers alive, which could otherwise be destroyed on a thread
  /// of the pool. Repeated calls do nothing.
  virtual void stop() = 0;
};
struct PasswordHasherOptions {
  std::size_t threads = 1;
  std::size_t queue = 64;  ///< of each lane; signatures have four times the room
  std::uint32_t iterations = 2;
  std::uint32_t memory_kib = 19 * 1024;
};
[[nodiscard]] std::shared_ptr<PasswordHasher> make_password_hasher(
    PasswordHasherOptions options, std::shared_ptr<BoundRefusals> refusals = nullptr);

}  // namespace holdfast::identity
