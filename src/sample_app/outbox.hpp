#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>

namespace holdfast::sample_app {

/// A message that waits to be sent.
struct Job {
  std::string user_id;
  std::string text;
  std::string deduplication_id;
  SteadyTime due;
  unsigned attempts = 0;
};

/// Keeps waiting jobs, up to a limit. Hands out one job of a user at a time, in the order in which
/// they fall due. A job that is retried delays the later ones of its user, so a retry never
/// reorders. It has no thread and no clock; the owner locks.
class Outbox {
 public:
  Outbox(std::size_t jobs_max, std::size_t bytes_max)
      : jobs_max_(jobs_max), bytes_max_(bytes_max) {}

  /// False when it is full.
  [[nodiscard]] bool push(Job job);
  /// A job that is due; its user's next comes only after `finish` or `retry`.
  [[nodiscard]] std::optional<Job> take(SteadyTime now);
  /// The taken job is done with.
  void finish(const Job& job);
  /// The taken job comes again, not before `at`.
  void retry(Job job, SteadyTime at);
  /// When the next `take` can succeed; nullopt when nothing waits.
  [[nodiscard]] std::optional<SteadyTime> next_due() const;
  /// Gives up everything that waits.
  [[nodiscard]] std::vector<Job> clear();
  /// Returns the number of jobs, including those that are taken.
  [[nodiscard]] std::size_t size() const noexcept { return jobs_; }

 private:
  struct Lane {
    std::multimap<SteadyTime, Job> waiting;
    SteadyTime not_before;
    bool taken = false;
  };
  using Lanes = std::unordered_map<std::string, Lane>;

  [[nodiscard]] static SteadyTime ready_at(const Lane& lane);
  void enlist(const std::string& user, const Lane& lane);
  void delist(const std::string& user, const Lane& lane);

  std::size_t jobs_max_;
  std::size_t bytes_max_;
  std::size_t jobs_ = 0;
  std::size_t bytes_ = 0;
  Lanes lanes_;
  std::set<std::pair<SteadyTime, std::string>> ready_;
};

}  // namespace holdfast::sample_app
