#pragma once

#include <cstddef>
#include <memory>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/crypto.hpp>

namespace holdfast::identity {

/// Remembers answered challenges until they expire, so that none works twice. Limited in number,
/// shared by the shards, thread-safe.
class SpentChallenges {
 public:
  explicit SpentChallenges(const Clock& clock, std::size_t capacity = 100'000);
  ~SpentChallenges();
  enum class Outcome {
    spent,
    spent_before,
    full,  ///< too many are remembered to take another
  };
  /// A challenge's expiry must be the same each time.
  [[nodiscard]] Outcome spend(const Digest& challenge, WallTime expires_at);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::identity
