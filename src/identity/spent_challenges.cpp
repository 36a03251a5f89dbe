// Remembers answered login challenges, so that each works only once.

#include <mutex>
#include <set>
#include <utility>

#include <holdfast/identity/spent_challenges.hpp>

namespace holdfast::identity {

struct SpentChallenges::State {
  const Clock& clock;
  const std::size_t capacity;
  std::mutex mutex;
  std::set<std::pair<WallTime, Digest>> challenges;  ///< by expiry
};

SpentChallenges::SpentChallenges(const Clock& clock, std::size_t capacity)
    : state_(new State{.clock = clock, .capacity = capacity, .mutex = {}, .challenges = {}}) {}

SpentChallenges::~SpentChallenges() = default;

SpentChallenges::Outcome SpentChallenges::spend(const Digest& challenge, WallTime expires_at) {
  const std::lock_guard lock(state_->mutex);
  auto& challenges = state_->challenges;
  const WallTime now = state_->clock.wall_now();
  while (!challenges.empty() && challenges.begin()->first <= now) {
    challenges.erase(challenges.begin());
  }
  if (challenges.contains({expires_at, challenge})) return Outcome::spent_before;
  if (challenges.size() >= state_->capacity) return Outcome::full;
  challenges.emplace(expires_at, challenge);
  return Outcome::spent;
}

}  // namespace holdfast::identity
