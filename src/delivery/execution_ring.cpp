#include "delivery/execution_ring.hpp"

#include <algorithm>
#include <cstring>

namespace holdfast::delivery {

ExecutionRing::Handle ExecutionRing::begin(Workflow workflow, const MessageId& id,
                                           const UserId& user, Sequence sequence) {
  if (capacity_ == 0) return {};
  if (records_.size() <= next_) records_.emplace_back();
  Record& record = records_[next_];
  if (++generation_ == 0) ++generation_;
  record.id = id;
  record.sequence = sequence;
  record.generation = generation_;
  record.step_count = 0;
  record.messages = 0;
  record.workflow = workflow;
  record.finished = false;
  record.user_size = static_cast<std::uint8_t>(std::min(user.str().size(), kUserBytes));
  std::memcpy(record.user.data(), user.str().data(), record.user_size);
  const Handle handle{static_cast<std::uint32_t>(next_), generation_};
  next_ = next_ + 1 == capacity_ ? 0 : next_ + 1;
  return handle;
}

void ExecutionRing::step(Handle handle, ExecutionState state, WallTime at) noexcept {
  Record* const record = find(handle);
  if (record == nullptr) return;
  const std::size_t last = std::min<std::size_t>(record->step_count, Execution::kSteps);
  if (last > 0 && record->states[last - 1] == state) return;
  const std::size_t slot = std::min(last, Execution::kSteps - 1);
  record->states[slot] = state;
  record->at_us[slot] = unix_micros(at);
  ++record->step_count;
}

void ExecutionRing::add_message(Handle handle) noexcept {
  if (Record* const record = find(handle)) ++record->messages;
}

void ExecutionRing::finish(Handle handle) noexcept {
  if (Record* const record = find(handle)) record->finished = true;
}

ExecutionRing::Record* ExecutionRing::find(Handle handle) noexcept {
  if (handle.generation == 0 || handle.slot >= records_.size()) return nullptr;
  Record& record = records_[handle.slot];
  return record.generation == handle.generation ? &record : nullptr;
}

Execution ExecutionRing::report(const Record& record) {
  Execution out;
  out.workflow = record.workflow;
  out.id = record.id;
  out.user = UserId(std::string(user_of(record)));
  out.sequence = record.sequence;
  out.step_count = record.step_count;
  out.messages = record.messages;
  out.finished = record.finished;
  const std::size_t steps = std::min<std::size_t>(record.step_count, Execution::kSteps);
  for (std::size_t i = 0; i < steps; ++i) out.steps[i] = {record.states[i], record.at_us[i]};
  return out;
}

std::vector<Execution> ExecutionRing::list(const ExecutionFilter& filter, std::size_t limit) const {
  std::vector<Execution> out;
  for (std::size_t i = 0; i < records_.size() && out.size() < limit; ++i) {
    const Record& record = records_[(next_ + records_.size() - 1 - i) % records_.size()];
    if (filter.id && record.id != *filter.id) continue;
    if (filter.user && user_of(record) != filter.user->str()) continue;
    out.push_back(report(record));
  }
  return out;
}

}  // namespace holdfast::delivery
