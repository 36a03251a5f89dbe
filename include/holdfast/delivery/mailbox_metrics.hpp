#pragma once

#include <holdfast/base/metrics.hpp>

namespace holdfast::delivery {

/// Counts what happens in the mailboxes of one shard. Written on that shard, read by any thread, so
/// a reader may see an outcome of a message whose acceptance it does not see yet. In cache lines
/// that no other shard writes.
struct alignas(64) MailboxMetrics : MetricSet {
  static constexpr MetricFamily kOutcomes{
      "holdfast_messages_total",
      "Messages by outcome; a message may have several. The producer's answer is delivered, stored "
      "or rejected; elided: delivered without touching the disk; flushed: read from the disk to be "
      "sent; dead: became a dead letter; expired: did so at the end of its lifetime; "
      "deduplicated: a repeat that got the first answer.",
      {"outcome"}};
  static constexpr MetricFamily kDead{
      "holdfast_messages_dead_total", "Messages that became dead letters, by reason.", {"reason"}};

  MailboxMetrics();

  Counter accepted{*this,
                   {"holdfast_messages_accepted_total",
                    "Messages that got a sequence number; each then has its outcomes."}};
  Counter delivered{*this, kOutcomes, {"delivered"}};
  Counter stored{*this, kOutcomes, {"stored"}};
  Counter rejected{*this, kOutcomes, {"rejected"}};
  Counter elided{*this, kOutcomes, {"elided"}};
  Counter flushed{*this, kOutcomes, {"flushed"}};
  Counter deduplicated{*this, kOutcomes, {"deduplicated"}};
  Counter expired{*this, kDead, {"expired"}};
  Counter buried{*this, kDead, {"access_ended"}};
  Counter deleted{*this, kDead, {"deleted"}};
  Counter undeliverable{*this, kDead, {"undeliverable"}};
  Counter stuck{
      *this,
      {"holdfast_messages_stuck_total",
       "Messages at which ten connections of their user ended in a row, for any reason."}};
  Gauge pending_messages{
      *this, {"holdfast_pending_messages", "Messages committed to disk and not acknowledged yet."}};
  Gauge pending_bytes{*this,
                      {"holdfast_pending_bytes", "Size of the texts of the pending messages."}};
  /// Of messages that were sent as they came. Any connection's acknowledgement is the first.
  LatencyHistogram acknowledgement{
      *this,
      {"holdfast_message_acknowledgement_seconds",
       "Time from acceptance to the first acknowledgement by a client, of messages that were sent "
       "when they were accepted."}};
  WaitHistogram held_acknowledgement{
      *this,
      {"holdfast_held_message_acknowledgement_seconds",
       "Time from acceptance to the first acknowledgement by a client, of messages that were read "
       "from disk: usually the time that their users were away."}};
  LatencyHistogram fence_round_trip{
      *this,
      {"holdfast_fence_round_trip_seconds",
       "Time from a Ping to its Pong, through the client's WebSocket stack."}};
  Gauge connections{
      *this,
      {"holdfast_connections", "WebSocket connections with a place in their user's mailbox."}};
  Gauge mailboxes{
      *this,
      {"holdfast_mailboxes",
       "Mailboxes in memory: of users who are connected or have messages on their way."}};
  Counter timeouts{*this,
                   {"holdfast_connections_timed_out_total",
                    "Connections ended because the client neither answered nor took bytes."}};
  Counter foreign_texts{
      *this, {"holdfast_client_texts_total", "Texts from clients that were not acknowledgements."}};
};

}  // namespace holdfast::delivery
