// The words for the states and reasons of delivery.

#include <holdfast/delivery/execution.hpp>
#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

const char* to_string(ExecutionState state) noexcept {
  switch (state) {
    case ExecutionState::received:
      return "Received";
    case ExecutionState::look_up_connection:
      return "LookUpConnection";
    case ExecutionState::sending:
      return "Sending";
    case ExecutionState::awaiting_ack:
      return "AwaitingAck";
    case ExecutionState::storing:
      return "Storing";
    case ExecutionState::delivered:
      return "Delivered";
    case ExecutionState::stored:
      return "Stored";
    case ExecutionState::rejected:
      return "Rejected";
    case ExecutionState::reading_page:
      return "ReadingPage";
    case ExecutionState::sending_page:
      return "SendingPage";
    case ExecutionState::awaiting_page_ack:
      return "AwaitingPageAck";
    case ExecutionState::deleting:
      return "Deleting";
    case ExecutionState::caught_up:
      return "CaughtUp";
    case ExecutionState::connection_closed:
      break;
  }
  return "ConnectionClosed";
}

const char* to_string(Workflow workflow) noexcept {
  return workflow == Workflow::send_message ? "SendMessage" : "SendUnsentMessages";
}

const char* to_string(DeliveryStatus status) noexcept {
  return status == DeliveryStatus::delivered ? "DELIVERED" : "STORED";
}

}  // namespace holdfast::delivery
