#pragma once

#include <cstddef>
#include <cstdint>

#include <holdfast/delivery/execution.hpp>

namespace holdfast::delivery {

/// The workflow of one message, from its acceptance to the producer's answer. Pure: it holds a
/// state, takes events, and says what to do next. An event that means nothing in a state changes
/// nothing: an acknowledgement and a commit race each other, and either may come late.
class SendMessage {
 public:
  enum class State : std::uint8_t {
    received,
    look_up_connection,
    sending,
    awaiting_ack,
    storing,
    acked_storing,  ///< acknowledged, but its deduplicationId or dead letter awaits the commit
    recording,      ///< acknowledged before it was stored: what must be remembered is committed
    failed,         ///< its commit failed, and an open connection has been sent it
    delivered,
    stored,
    rejected,
  };
  static constexpr std::size_t kStates = 11;

  enum class Event : std::uint8_t {
    accepted,
    connection_ready,  ///< an open connection is caught up and has credit
    no_connection,
    sent,
    sent_slowly,      ///< sent, over a link whose acknowledgement is not likely to come in time
    not_sent,         ///< the credit went to messages before it
    overtaken,        ///< a later message is handed to the store, so this one goes first
    connection_lost,  ///< the last open connection that was sent it is gone
    timed_out,
    acknowledged,
    committed,
    commit_failed,
    recorded,
    record_failed,
  };
  static constexpr std::size_t kEvents = 14;

  enum class Action : std::uint8_t {
    none,
    look_up,
    send,
    await_ack,       ///< for `ack_wait`
    store,           ///< with all before it
    record,          ///< the deduplication record, or the dead letter's end
    await_last_ack,  ///< for `ack_timeout`, while somebody has it
    answer_delivered,
    answer_stored,
    reject,
  };

  /// `remembered`: it has a deduplicationId or is a redrive, so that an acknowledgement alone does
  /// not answer it.
  explicit SendMessage(bool remembered, State state = State::received) noexcept
      : state_(state), remembered_(remembered) {}

  [[nodiscard]] Action on(Event event) noexcept;
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool finished() const noexcept { return state_ >= State::delivered; }
  /// The state as an execution's history names it.
  [[nodiscard]] ExecutionState shown() const noexcept;

 private:
  Action to(State state, Action action) noexcept {
    state_ = state;
    return action;
  }
  Action on_acknowledged() noexcept;
  Action in_awaiting_ack(Event event) noexcept;
  Action in_storing(Event event) noexcept;
  Action in_failed(Event event) noexcept;

  State state_;
  bool remembered_;
};

}  // namespace holdfast::delivery
