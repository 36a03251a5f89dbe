// Keys of delivery.

#include "setting_rows.hpp"

namespace holdfast::app {

void add_delivery_waits(std::vector<Setting>& t) {
  t.push_back(
      integer("delivery.ack_wait_ms", HOLDFAST_FIELD(delivery.ack_wait), 0, 60'000,
              "Time that a sent message waits for its acknowledgement before it is stored as well.",
              Live::yes));
  t.push_back(integer("delivery.ack_timeout_ms", HOLDFAST_FIELD(delivery.ack_timeout), 100, kHourMs,
                      "A connection that neither acknowledges nor takes bytes for this time is "
                      "closed. Its unacknowledged messages stay pending. Bytes that the network "
                      "has already taken get more time: delivery.least_bytes_per_second.",
                      Live::yes));
  t.push_back(integer("delivery.least_bytes_per_second",
                      HOLDFAST_FIELD(delivery.least_bytes_per_second), 64, kGiB,
                      "Minimum rate at which a proxy passes on the bytes that it has taken. The "
                      "time that they need at this rate is added to delivery.ack_timeout_ms.",
                      Live::yes));
  t.push_back(integer("delivery.poison_attempts", HOLDFAST_FIELD(delivery.poison_attempts), 0,
                      1'000,
                      "A message becomes a dead letter if this many connections of its user in a "
                      "row end at it. Later messages are then delivered. 0 means never.",
                      Live::yes));
  t.push_back(integer("delivery.idle_ping_ms", HOLDFAST_FIELD(delivery.idle_ping), 1'000, kHourMs,
                      "Interval of Pings on a connection without traffic.", Live::yes));
  t.push_back(integer(
      "delivery.close_wait_ms", HOLDFAST_FIELD(delivery.close_wait), 0, 60'000,
      "Time that a Close waits for the acknowledgement of earlier messages, also at a shutdown.",
      Live::yes));
  t.push_back(choice("delivery.policy", HOLDFAST_FIELD(delivery.policy),
                     "The connections of a user that receive messages: all, or only the latest."));
  t.push_back(choice(
      "delivery.acknowledge", HOLDFAST_FIELD(delivery.acknowledge),
      "Who acknowledges a message: the client's WebSocket stack by its Pong, or the client. Choose "
      "`client` behind a proxy that terminates WebSockets; clients must then use `holdfast.v1`."));
}

void add_delivery_bounds(std::vector<Setting>& t) {
  t.push_back(integer(
      "delivery.connections_per_user", HOLDFAST_FIELD(delivery.connections_per_user), 1, 1'000,
      "Maximum of connections of one user. A further one closes the oldest with 4408.", Live::yes));
  t.push_back(integer("delivery.pending_messages", HOLDFAST_FIELD(delivery.pending_messages), 1,
                      1'000'000'000,
                      "Maximum of pending messages of one user. Further ones get 429.", Live::yes));
  t.push_back(integer(
      "delivery.pending_bytes", HOLDFAST_FIELD(delivery.pending_bytes), kKiB, 1'024 * kGiB,
      "Maximum of bytes of pending messages of one user. Further messages get 429.", Live::yes));
  t.push_back(integer(
      "delivery.message_ttl_seconds", HOLDFAST_FIELD(delivery.message_ttl), 1, 3'650 * kDaySeconds,
      "Lifetime of a pending message that has no `ttlSeconds`. Then it becomes a dead letter.",
      Live::yes));
  t.push_back(integer("delivery.deduplication_window_seconds",
                      HOLDFAST_FIELD(delivery.deduplication_window), 1, kDaySeconds,
                      "Time that a `deduplicationId` is remembered."));
  t.push_back(integer("delivery.deduplication_keys", HOLDFAST_FIELD(delivery.deduplication_keys), 1,
                      100'000'000,
                      "Maximum of remembered deduplication ids of one worker; further ones get "
                      "503. An access key may have an eighth of them; its further ones get 429."));
  t.push_back(integer("delivery.tail_messages", HOLDFAST_FIELD(delivery.tail_messages), 1, 65'536,
                      "Maximum of a user's newest pending messages that are kept in memory.",
                      Live::yes));
  t.push_back(integer("delivery.tail_bytes", HOLDFAST_FIELD(delivery.tail_bytes), kKiB, kGiB,
                      "Their size.", Live::yes));
  t.push_back(integer("delivery.credit_messages", HOLDFAST_FIELD(delivery.credit_messages), 1,
                      65'536, "Maximum of unacknowledged messages on one connection."));
  t.push_back(integer("delivery.credit_bytes", HOLDFAST_FIELD(delivery.credit_bytes), kKiB, kGiB,
                      "Maximum of their bytes, as written."));
  t.push_back(integer("delivery.fence_bytes", HOLDFAST_FIELD(delivery.fence_bytes), kKiB, kGiB,
                      "Maximum of bytes between two fences (the Pings whose Pongs acknowledge)."));
  t.push_back(integer("delivery.fences", HOLDFAST_FIELD(delivery.fences), 1, 64,
                      "Maximum of unanswered fences on one connection."));
  t.push_back(integer("delivery.first_page_bytes", HOLDFAST_FIELD(delivery.first_page_bytes), kKiB,
                      64 * kMiB,
                      "Bytes of the first page that is read for a connection that catches up. The "
                      "size doubles with each acknowledgement."));
  t.push_back(integer("delivery.executions", HOLDFAST_FIELD(delivery.executions), 16, 1'000'000,
                      "Maximum of executions of the workflows that each worker remembers."));
  t.push_back(integer("delivery.ceiling_ahead_seconds", HOLDFAST_FIELD(delivery.ceiling_ahead), 1,
                      3'600,
                      "Time ahead of the clock for which sequence numbers are reserved on disk."));
}

}  // namespace holdfast::app
