#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>

namespace holdfast::delivery {

enum class Workflow : std::uint8_t { send_message, send_unsent_messages };

/// The states of both workflows, as an execution's history names them.
enum class ExecutionState : std::uint8_t {
  // SendMessage
  received,
  look_up_connection,
  sending,
  awaiting_ack,
  storing,
  delivered,
  stored,
  rejected,
  // SendUnsentMessages
  reading_page,
  sending_page,
  awaiting_page_ack,
  deleting,
  caught_up,
  connection_closed,
};
/// The state's name as documented: `AwaitingAck`.
[[nodiscard]] const char* to_string(ExecutionState state) noexcept;
[[nodiscard]] const char* to_string(Workflow workflow) noexcept;

/// One run of a workflow: what became of a message, or of a connection's catching up. A report: the
/// ring itself keeps fixed-size records.
struct Execution {
  static constexpr std::size_t kSteps = 12;
  struct Step {
    ExecutionState state{};
    std::int64_t at_us = 0;  ///< unix microseconds
  };

  Workflow workflow{};
  /// The message's id; for SendUnsentMessages an id of the run's own.
  MessageId id;
  UserId user;
  /// The message's; for SendUnsentMessages the last one that was sent in this run, 0 before that.
  Sequence sequence = 0;
  /// The first steps and the last; `step_count` tells how many there were in all.
  std::array<Step, kSteps> steps{};
  std::uint32_t step_count = 0;
  std::uint32_t messages = 0;  ///< SendUnsentMessages: sent in this run
  /// SendMessage: the message's first acknowledgement, also one that came after the run's end;
  /// nullopt when there was none, or it is not remembered.
  struct Acknowledgement {
    std::int64_t at_us = 0;  ///< unix microseconds
    ConnectionId by;
  };
  std::optional<Acknowledgement> acknowledged;
  bool finished = false;
};

struct ExecutionFilter {
  std::optional<UserId> user;
  /// Of a message: its own run, and the runs of SendUnsentMessages that went over it since.
  std::optional<MessageId> id;
};

}  // namespace holdfast::delivery
