#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <holdfast/delivery/message_store.hpp>

#include "deduplication.hpp"
#include "execution_ring.hpp"
#include "intrusive_list.hpp"
#include "send_message.hpp"

namespace holdfast::delivery {

class Mailbox;

/// A run's part of a deduplicationId.
struct Remembered {
  DeduplicationKey table_key;
  Digest payload_hash;
  std::string key;
  MessageId id;  ///< the message's, and each repeat's
  BootTime committed_at;
};

struct InMailbox;
struct InTimer;

/// One execution of SendMessage: a message that its producer has no answer for yet.
struct Run : Link<Run, InMailbox>, Link<Run, InTimer> {
  Run(Mailbox& owner, bool remembered) noexcept : mailbox(owner), machine(remembered) {}

  [[nodiscard]] Sequence sequence() const noexcept { return message->sequence; }

  Mailbox& mailbox;
  SendMessage machine;
  bool handed = false;  ///< to the store, by an insert
  bool redrive = false;
  bool record_again = false;  ///< when the mailbox tries again
  MessagePtr message;
  SenderQuotaPtr caller;  ///< its sender; null for an operator
  Reservation reservation;
  Completion<SendOutcome> done;
  std::unique_ptr<Remembered> remembered;
  ExecutionRing::Handle execution;
  SteadyTime deadline;  ///< of the timer that it is in
};

/// Runs with equal delays, so in order of their deadlines.
using RunTimer = IntrusiveList<Run, InTimer>;
/// A mailbox's runs in order of sequence.
using RunList = IntrusiveList<Run, InMailbox>;

}  // namespace holdfast::delivery
