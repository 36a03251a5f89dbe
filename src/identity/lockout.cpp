#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

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

// From here on more failures lock no longer.
constexpr std::size_t kMostFailures = 15;

struct Record {
  std::string name;
  int failures = 0;
  SteadyTime last_attempt;
  SteadyTime attempt_before;

  [[nodiscard]] bool locked(SteadyTime now) const {
    return now < last_attempt + lock_after(failures);
  }
  [[nodiscard]] bool idle(SteadyTime now) const { return now >= last_attempt + kForgottenAfter; }
};

}  // namespace

struct Lockout::State {
  using Records = std::list<Record>;
  const Clock& clock;
  const std::size_t capacity;
  const WhenFull when_full;
  std::mutex mutex;
  /// By failures, and those by last attempt, oldest first.
  std::array<Records, kMostFailures + 1> records;
  std::unordered_map<std::string_view, Records::iterator> by_name;

  [[nodiscard]] Records& like(const Record& record) {
    return records[std::min(static_cast<std::size_t>(record.failures), kMostFailures)];
  }
  void forget(Records::iterator record) {
    by_name.erase(record->name);
    like(*record).erase(record);
  }
  void forget_idle(SteadyTime now) {
    for (Records& same : records) {
      while (!same.empty() && same.front().idle(now)) forget(same.begin());
    }
  }
  void forget_one() {
    const auto fewest = std::ranges::find_if_not(records, &Records::empty);
    if (fewest != records.end()) forget(fewest->begin());
  }
};

Lockout::Lockout(const Clock& clock, std::size_t capacity, WhenFull when_full)
    : state_(new State{.clock = clock,
                       .capacity = capacity,
                       .when_full = when_full,
                       .mutex = {},
                       .records = {},
                       .by_name = {}}) {}

Lockout::~Lockout() = default;

Lockout::Attempt Lockout::begin(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  const SteadyTime now = state_->clock.steady_now();
  state_->forget_idle(now);
  auto found = state_->by_name.find(name);
  if (found == state_->by_name.end()) {
    if (state_->by_name.size() >= state_->capacity) {
      if (state_->when_full == WhenFull::refuse) return Attempt::full;
      state_->forget_one();
    }
    auto& untried = state_->records.front();
    untried.push_back({.name = name, .failures = 0, .last_attempt = now, .attempt_before = now});
    found = state_->by_name.emplace(untried.back().name, std::prev(untried.end())).first;
  }
  const State::Records::iterator record = found->second;
  if (record->locked(now)) return Attempt::locked;
  State::Records& before = state_->like(*record);
  ++record->failures;
  record->attempt_before = std::exchange(record->last_attempt, now);
  State::Records& after = state_->like(*record);
  after.splice(after.end(), before, record);
  return Attempt::admitted;
}

void Lockout::succeeded(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->by_name.find(name);
  if (found != state_->by_name.end()) state_->forget(found->second);
}

void Lockout::withdrawn(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->by_name.find(name);
  if (found == state_->by_name.end()) return;
  const State::Records::iterator record = found->second;
  if (record->failures == 1) {
    state_->forget(record);
    return;
  }
  State::Records& before = state_->like(*record);
  --record->failures;
  record->last_attempt = record->attempt_before;
  State::Records& after = state_->like(*record);
  after.splice(after.begin(), before, record);
}

}  // namespace holdfast::identity
