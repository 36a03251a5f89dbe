// The history of runs, kept in a ring.

#include "execution_ring.hpp"

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
  record.first_sent = 0;
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

void ExecutionRing::add_message(Handle handle, Sequence sequence) noexcept {
  Record* const record = find(handle);
  if (record == nullptr) return;
  if (record->messages++ == 0) record->first_sent = sequence;
  record->sequence = sequence;
}

void ExecutionRing::finish(Handle handle) noexcept {
  if (Record* const record = find(handle)) record->finished = true;
}

void ExecutionRing::acknowledge(const UserId& user, Sequence above, Sequence up_to,
                                std::string_view connection, WallTime at) noexcept {
  if (capacity_ == 0) return;
  if (acks_.size() <= next_ack_) acks_.emplace_back();
  Ack& ack = acks_[next_ack_];
  next_ack_ = next_ack_ + 1 == capacity_ ? 0 : next_ack_ + 1;
  ack.user = std::hash<UserId>()(user);
  ack.above = above;
  ack.up_to = up_to;
  ack.at_us = unix_micros(at);
  ack.connection_size = static_cast<std::uint8_t>(std::min(connection.size(), kConnectionBytes));
  std::memcpy(ack.connection.data(), connection.data(), ack.connection_size);
}

std::optional<Execution::Acknowledgement> ExecutionRing::acknowledgement_of(
    const Record& record) const {
  if (record.workflow != Workflow::send_message) return std::nullopt;
  const std::size_t user = std::hash<std::string_view>()(user_of(record));
  for (const Ack& ack : acks_) {
    if (ack.user != user || record.sequence <= ack.above || record.sequence > ack.up_to) continue;
    return Execution::Acknowledgement{
        .at_us = ack.at_us,
        .by = ConnectionId(std::string(ack.connection.data(), ack.connection_size))};
  }
  return std::nullopt;
}

ExecutionRing::Record* ExecutionRing::find(Handle handle) noexcept {
  if (handle.generation == 0 || handle.slot >= records_.size()) return nullptr;
  Record& record = records_[handle.slot];
  return record.generation == handle.generation ? &record : nullptr;
}

Execution ExecutionRing::report(const Record& record) const {
  Execution out;
  out.workflow = record.workflow;
  out.id = record.id;
  out.user = UserId(std::string(user_of(record)));
  out.sequence = record.sequence;
  out.step_count = record.step_count;
  out.messages = record.messages;
  out.finished = record.finished;
  out.acknowledged = acknowledgement_of(record);
  const std::size_t steps = std::min<std::size_t>(record.step_count, Execution::kSteps);
  for (std::size_t i = 0; i < steps; ++i) out.steps[i] = {record.states[i], record.at_us[i]};
  return out;
}

std::vector<const ExecutionRing::Record*> ExecutionRing::stored_runs(const MessageId& id) const {
  std::vector<const Record*> out;
  for (const Record& record : records_) {
    if (record.workflow != Workflow::send_message || record.id != id || !record.finished) continue;
    const std::size_t steps = std::min<std::size_t>(record.step_count, Execution::kSteps);
    if (steps > 0 && record.states[steps - 1] == ExecutionState::stored) out.push_back(&record);
  }
  return out;
}

bool ExecutionRing::went_over(const Record& run, const Record& stored) noexcept {
  return run.workflow == Workflow::send_unsent_messages && user_of(run) == user_of(stored) &&
         run.messages > 0 && run.first_sent <= stored.sequence && stored.sequence <= run.sequence;
}

std::vector<Execution> ExecutionRing::list(const ExecutionFilter& filter, std::size_t limit) const {
  std::vector<Execution> out;
  std::vector<const Record*> stored;
  if (filter.id) stored = stored_runs(*filter.id);
  for (std::size_t i = 0; i < records_.size() && out.size() < limit; ++i) {
    const Record& record = records_[(next_ + records_.size() - 1 - i) % records_.size()];
    const bool sent_it = std::ranges::any_of(
        stored, [&](const Record* message) { return went_over(record, *message); });
    if (filter.id && record.id != *filter.id && !sent_it) continue;
    if (filter.user && user_of(record) != filter.user->str()) continue;
    out.push_back(report(record));
  }
  return out;
}

}  // namespace holdfast::delivery
