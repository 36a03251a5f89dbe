// Holds requested messages until they are due.

#include "outbox.hpp"

#include <algorithm>

namespace holdfast::sample_app {

SteadyTime Outbox::ready_at(const Lane& lane) {
  return std::max(lane.waiting.begin()->first, lane.not_before);
}

void Outbox::enlist(const std::string& user, const Lane& lane) {
  if (!lane.taken && !lane.waiting.empty()) ready_.emplace(ready_at(lane), user);
}

void Outbox::delist(const std::string& user, const Lane& lane) {
  if (!lane.taken && !lane.waiting.empty()) ready_.erase({ready_at(lane), user});
}

bool Outbox::push(Job job) {
  if (jobs_ >= jobs_max_ || job.text.size() > bytes_max_ - bytes_) return false;
  ++jobs_;
  bytes_ += job.text.size();
  const std::string user = job.user_id;
  Lane& lane = lanes_[user];
  delist(user, lane);
  const SteadyTime due = job.due;
  lane.waiting.emplace(due, std::move(job));
  enlist(user, lane);
  return true;
}

std::optional<Job> Outbox::take(SteadyTime now) {
  if (ready_.empty() || ready_.begin()->first > now) return std::nullopt;
  const std::string user = ready_.begin()->second;
  ready_.erase(ready_.begin());
  Lane& lane = lanes_.at(user);
  lane.taken = true;
  auto node = lane.waiting.extract(lane.waiting.begin());
  return std::move(node.mapped());
}

void Outbox::finish(const Job& job) {
  --jobs_;
  bytes_ -= job.text.size();
  const auto found = lanes_.find(job.user_id);
  if (found == lanes_.end()) return;
  found->second.taken = false;
  found->second.not_before = {};
  if (found->second.waiting.empty()) {
    lanes_.erase(found);
  } else {
    enlist(found->first, found->second);
  }
}

void Outbox::retry(Job job, SteadyTime at) {
  const std::string user = job.user_id;
  Lane& lane = lanes_[user];
  const SteadyTime due = job.due;
  // The hint puts it before others of the same instant.
  lane.waiting.emplace_hint(lane.waiting.begin(), due, std::move(job));
  lane.taken = false;
  lane.not_before = at;
  enlist(user, lane);
}

std::optional<SteadyTime> Outbox::next_due() const {
  if (ready_.empty()) return std::nullopt;
  return ready_.begin()->first;
}

std::vector<Job> Outbox::clear() {
  std::vector<Job> out;
  for (auto& [user, lane] : lanes_) {
    for (auto& [due, job] : lane.waiting) {
      --jobs_;
      bytes_ -= job.text.size();
      out.push_back(std::move(job));
    }
  }
  lanes_.clear();
  ready_.clear();
  return out;
}

}  // namespace holdfast::sample_app
