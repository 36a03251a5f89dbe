// Keys of what a request and a connection may take.

#include "setting_rows.hpp"

namespace holdfast::app {

void add_limits(std::vector<Setting>& t) {
  t.push_back(integer(
      "limits.connections", HOLDFAST_FIELD(limits.connections), 1, 10'000'000,
      "Maximum of open connections of each of the gateway's listeners. A further one closes the "
      "connection that has waited longest for a request. If no connection waits, the new one gets "
      "503. The limit on open files may lower the maximum at the start.",
      Live::yes));
  t.push_back(integer(
      "limits.connections_per_address", HOLDFAST_FIELD(limits.connections_per_address), 0,
      10'000'000,
      "Maximum of open connections of one client: an IPv4 address, the /64 of an IPv6 address, or "
      "the client that a trusted proxy names. 0 means an eighth of the maximum, at least 16.",
      Live::yes));
  t.push_back(integer(
      "limits.message_bytes", HOLDFAST_FIELD(limits.api.message.message_bytes), 1, 16 * kMiB,
      "Maximum length of a message, after unescaping. A longer one gets 413.", Live::yes));
  t.push_back(integer("limits.batch_messages", HOLDFAST_FIELD(limits.api.batch_messages), 1, 10'000,
                      "Maximum of messages in one POST /messages.", Live::yes));
  t.push_back(integer("limits.key_requests_per_second",
                      HOLDFAST_FIELD(limits.api.key_requests_per_second), 0, 1'000'000,
                      "Maximum of signed calls per second of one access key, unless the key has "
                      "its own rate. Further ones get 429. 0 means unlimited.",
                      Live::yes));
  t.push_back(integer("limits.presigned_seconds_max",
                      HOLDFAST_FIELD(limits.signature_times.presigned_max), 1, 604'800,
                      "Maximum X-Amz-Expires of a presigned POST or DELETE. The gateway remembers "
                      "the changes of such requests for as long."));
  t.push_back(
      integer("limits.signatures", HOLDFAST_FIELD(limits.api.signatures), 1'000, 1'000'000'000,
              "Signatures of calls that changed something. They are remembered while they are "
              "valid, so that a repeat changes nothing. An access key may have an eighth of them. "
              "Beyond the limit the oldest are no longer accepted. Each takes about 90 bytes."));
  t.push_back(integer("limits.token_requests_per_second",
                      HOLDFAST_FIELD(limits.api.token_requests_per_second), 0, 1'000'000,
                      "Maximum of GET /tokens per second of one user, on average. Further ones get "
                      "429. 0 means unlimited.",
                      Live::yes));
  t.push_back(integer("limits.token_requests_burst",
                      HOLDFAST_FIELD(limits.api.token_requests_burst), 1, 1'000'000,
                      "Maximum of such calls at once after a pause.", Live::yes));
  t.push_back(
      integer("limits.failed_logins_per_address_per_minute",
              HOLDFAST_FIELD(limits.failed_logins_per_address_per_minute), 0, 1'000'000,
              "Maximum of failed logins per minute from one client's address (the /64 of an IPv6 "
              "address), under all names together. The same maximum applies to failed refreshes. "
              "Further ones get TooManyRequestsException. 0 means unlimited.",
              Live::yes));
  t.push_back(
      integer("limits.body_bytes", HOLDFAST_FIELD(limits.api.body_bytes), kKiB, 128 * kMiB,
              "Maximum length of a request's body. A longer one gets 413. It must be at least 4 "
              "KiB plus six times limits.message_bytes, because JSON may escape every byte.",
              Live::yes));
  t.push_back(integer("limits.body_bytes_in_flight",
                      HOLDFAST_FIELD(limits.http.body_bytes_in_flight), kMiB, 1'024 * kGiB,
                      "Maximum of bytes of incomplete requests, over all connections of a "
                      "listener: bodies, and header sections counted twice, because two copies are "
                      "kept. A request that needs more gets 503.",
                      Live::yes));
  t.push_back(integer("limits.body_bytes_per_address",
                      HOLDFAST_FIELD(limits.body_bytes_per_address), 0, 1'024 * kGiB,
                      "Maximum of such bytes of one client. 0 means an eighth, but at least one "
                      "request of the maximum length.",
                      Live::yes));
  t.push_back(integer("limits.header_bytes", HOLDFAST_FIELD(limits.http.header_bytes), kKiB, kMiB,
                      "Maximum length of a request's header section. A longer one gets 431.",
                      Live::yes));
  t.push_back(integer("limits.headers", HOLDFAST_FIELD(limits.http.headers), 10, 10'000,
                      "Maximum of header fields of a request. More get 431.", Live::yes));
  t.push_back(integer("limits.target_bytes", HOLDFAST_FIELD(limits.http.target_bytes), 256, kMiB,
                      "Maximum length of a request's path and query. Longer ones get 414.",
                      Live::yes));
  t.push_back(integer("limits.outbound_bytes", HOLDFAST_FIELD(limits.http.outbound_bytes),
                      64 * kKiB, kGiB,
                      "Maximum of bytes that wait to be written to one WebSocket. Beyond it, the "
                      "WebSocket is ended. It must be at least delivery.credit_bytes plus six "
                      "times limits.message_bytes plus 132 KiB.",
                      Live::yes));
  t.push_back(
      integer("limits.header_timeout_ms", HOLDFAST_FIELD(limits.http.header_timeout), 10, kHourMs,
              "Time for a request's header section to arrive. A later one gets 408.", Live::yes));
  t.push_back(integer("limits.body_timeout_ms", HOLDFAST_FIELD(limits.http.body_timeout), 10,
                      kHourMs, "Time for a request's body to arrive. A later one gets 408.",
                      Live::yes));
  t.push_back(integer("limits.idle_timeout_ms", HOLDFAST_FIELD(limits.http.idle_timeout), 10,
                      kHourMs,
                      "Time that a kept-alive connection may wait between requests. It must exceed "
                      "the same time of a proxy in front (usually 60 s). Otherwise the proxy may "
                      "send a request on a closed connection.",
                      Live::yes));
  t.push_back(integer("limits.write_timeout_ms", HOLDFAST_FIELD(limits.http.write_timeout), 10,
                      kHourMs, "Time that the peer has to accept an answer.", Live::yes));
  t.push_back(integer("limits.close_timeout_ms", HOLDFAST_FIELD(limits.http.close_timeout), 10,
                      60'000, "Time that a closing WebSocket waits for the peer's Close.",
                      Live::yes));
}

}  // namespace holdfast::app
