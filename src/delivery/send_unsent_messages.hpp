#pragma once

#include <cstddef>
#include <cstdint>

#include <holdfast/delivery/execution.hpp>

namespace holdfast::delivery {

/// The workflow that brings one connection from where it stands up to the tail of its mailbox, page
/// by page. Pure, as SendMessage is. One run ends when the tail is reached; a connection that
/// falls behind again begins another.
class SendUnsentMessages {
 public:
  enum class State : std::uint8_t {
    caught_up,  ///< also before the first run
    reading_page,
    sending_page,
    awaiting_page_ack,
    deleting,
    connection_closed,
  };
  static constexpr std::size_t kStates = 6;

  enum class Event : std::uint8_t {
    fell_behind,
    page_arrived,
    read_failed,
    page_sent,  ///< and there is credit for another
    credit_used_up,
    acknowledged,    ///< there is credit again
    deletes_handed,  ///< acknowledged rows are on their way out of the store
    reached_tail,
    closed,
  };
  static constexpr std::size_t kEvents = 9;

  enum class Action : std::uint8_t {
    none,
    begin_and_read,
    read,
    read_later,
    send_page,
    erase,
    finish,
  };

  explicit SendUnsentMessages(State state = State::caught_up) noexcept : state_(state) {}

  [[nodiscard]] Action on(Event event) noexcept;
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool running() const noexcept {
    return state_ != State::caught_up && state_ != State::connection_closed;
  }
  /// The state as an execution's history names it.
  [[nodiscard]] ExecutionState shown() const noexcept;

 private:
  Action to(State state, Action action) noexcept {
    state_ = state;
    return action;
  }

  State state_;
};

}  // namespace holdfast::delivery
