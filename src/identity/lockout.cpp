#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>

#include <holdfast/identity/user_pool.hpp>

namespace holdfast::identity {
namespace {

constexpr int kFreeFailures = 5;
constexpr Seconds kLongestLock{15 * 60};
constexpr Seconds kForgottenAfter{15 * 60};

Seconds lock_after(int failures) {
  if (failures < kFreeFailures) return Seconds(0);
  const int exponent = std::min(failures - kFreeFailures, 10);  // 2^10 s is over the longest lock
  return std::min(Seconds(1 << exponent), kLongestLock);
}

struct Record {
  std::string name;
  int failures = 0;
  SteadyTime last_attempt;

  [[nodiscard]] bool locked(SteadyTime now) const {
    return now < last_attempt + lock_after(failures);
  }
  [[nodiscard]] bool idle(SteadyTime now) const { return now >= last_attempt + kForgottenAfter; }
};

}  // namespace

struct Lockout::State {
  const Clock& clock;
  const std::size_t capacity;
  std::mutex mutex;
  std::list<Record> records;  ///< by last attempt, oldest first
  std::unordered_map<std::string_view, std::list<Record>::iterator> by_name;

  void forget(std::list<Record>::iterator record) {
    by_name.erase(record->name);
    records.erase(record);
  }
};

Lockout::Lockout(const Clock& clock, std::size_t capacity)
    : state_(new State{
          .clock = clock, .capacity = capacity, .mutex = {}, .records = {}, .by_name = {}}) {}

Lockout::~Lockout() = default;

Lockout::Attempt Lockout::begin(const std::string& folded_username) {
  const std::lock_guard lock(state_->mutex);
  auto& records = state_->records;
  const SteadyTime now = state_->clock.steady_now();
  while (!records.empty() && records.front().idle(now)) state_->forget(records.begin());
  auto found = state_->by_name.find(folded_username);
  if (found == state_->by_name.end()) {
    // Forgetting a name that is still watched would give its guesser more tries. Every record was
    // paid for with a hash, so that this is reached only by a flood that the hasher's queue is
    // turning away as well.
    if (records.size() >= state_->capacity) return Attempt::full;
    records.push_back({.name = folded_username, .failures = 0, .last_attempt = now});
    found = state_->by_name.emplace(records.back().name, std::prev(records.end())).first;
  }
  Record& record = *found->second;
  if (record.locked(now)) return Attempt::locked;
  ++record.failures;
  record.last_attempt = now;
  records.splice(records.end(), records, found->second);
  return Attempt::admitted;
}

void Lockout::succeeded(const std::string& folded_username) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->by_name.find(folded_username);
  if (found != state_->by_name.end()) state_->forget(found->second);
}

void Lockout::withdrawn(const std::string& folded_username) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->by_name.find(folded_username);
  if (found == state_->by_name.end()) return;
  if (--found->second->failures == 0) state_->forget(found->second);
}

}  // namespace holdfast::identity
