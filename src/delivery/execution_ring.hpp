#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <holdfast/delivery/execution.hpp>

namespace holdfast::delivery {

/// The last executions of a shard as records of one size: once the ring is full, a message costs
/// it no allocation.
class ExecutionRing {
 public:
  /// Names a record for as long as it is not overwritten.
  struct Handle {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;  ///< 0: none
  };

  explicit ExecutionRing(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] Handle begin(Workflow workflow, const MessageId& id, const UserId& user,
                             Sequence sequence);
  /// A step to the state that it is in already is not another step.
  void step(Handle handle, ExecutionState state, WallTime at) noexcept;
  /// The run of SendUnsentMessages sends this one.
  void add_message(Handle handle, Sequence sequence) noexcept;
  void finish(Handle handle) noexcept;
  /// Everything of the user in (above, up_to] is acknowledged by a connection.
  void acknowledge(const UserId& user, Sequence above, Sequence up_to, std::string_view connection,
                   WallTime at) noexcept;

  /// The newest first.
  [[nodiscard]] std::vector<Execution> list(const ExecutionFilter& filter, std::size_t limit) const;

 private:
  static constexpr std::size_t kUserBytes = 128;
  static constexpr std::size_t kConnectionBytes = 23;

  struct Record {
    MessageId id;
    Sequence sequence = 0;
    Sequence first_sent = 0;  ///< SendUnsentMessages; `sequence` is the last one
    std::uint32_t generation = 0;
    std::uint32_t step_count = 0;
    std::uint32_t messages = 0;
    Workflow workflow{};
    bool finished = false;
    std::uint8_t user_size = 0;
    std::array<char, kUserBytes> user;
    std::array<ExecutionState, Execution::kSteps> states;
    std::array<std::int64_t, Execution::kSteps> at_us;
  };

  /// One acknowledgement, as many of which are kept as runs.
  struct Ack {
    std::size_t user = 0;  ///< its hash
    Sequence above = 0;
    Sequence up_to = 0;
    std::int64_t at_us = 0;
    std::uint8_t connection_size = 0;
    std::array<char, kConnectionBytes> connection;
  };

  Record* find(Handle handle) noexcept;
  [[nodiscard]] std::optional<Execution::Acknowledgement> acknowledgement_of(
      const Record& record) const;
  /// Every run that stored the message: more than one if it was redriven.
  [[nodiscard]] std::vector<const Record*> stored_runs(const MessageId& id) const;
  /// Marks that a run of SendUnsentMessages went over what another run stored.
  [[nodiscard]] static bool went_over(const Record& run, const Record& stored) noexcept;
  [[nodiscard]] Execution report(const Record& record) const;
  static std::string_view user_of(const Record& record) noexcept {
    return {record.user.data(), record.user_size};
  }

  std::size_t capacity_;
  std::size_t next_ = 0;
  std::uint32_t generation_ = 0;
  std::vector<Record> records_;
  std::size_t next_ack_ = 0;
  std::vector<Ack> acks_;
};

}  // namespace holdfast::delivery
