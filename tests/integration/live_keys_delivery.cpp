// Shows that waits and bounds of delivery are in force.

#include <chrono>
#include <string>

#include "integration/live_keys.hpp"

namespace holdfast::test {
namespace {

/// A client that acknowledges nothing, and its user.
struct Silent {
  explicit Silent(ReloadedGateway& gateway)
      : user(gateway.gateway().make_user()),
        subscriber(gateway.gateway().root(), gateway.gateway().address(), user),
        id(gateway.connections(1).front()) {}

  TestUser user;
  RawSubscriber subscriber;
  std::string id;
};

Milliseconds time_of(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
}

// A client that may have one unacknowledged message takes what has waited in the tail or, beyond
// its limits, on the disk.
bool reads_from_the_disk(ReloadedGateway& gateway) {
  Silent client(gateway);
  for (int i = 0; i < 5; ++i) gateway.publish(std::string(600, 'x'), client.user.id);
  for (int i = 0; i < 5; ++i) (void)client.subscriber.read_payload();
  return eventually(
      [&] { return gateway.metric("holdfast_held_message_acknowledgement_seconds_count") > 0; },
      ReloadedGateway::kSoon);
}

bool waits_for_the_acknowledgement(ReloadedGateway& gateway) {
  const Silent client(gateway);
  return time_of([&] { gateway.publish("m", client.user.id); }) > Milliseconds(2'500);
}

bool ends_who_is_silent(ReloadedGateway& gateway) {
  Silent client(gateway);
  gateway.publish(std::string(300, 'x'), client.user.id);
  return client.subscriber.socket().ends(ReloadedGateway::kSoon);
}

bool gives_up_after_one_attempt(ReloadedGateway& gateway) {
  Silent client(gateway);
  gateway.publish("m", client.user.id);
  (void)client.subscriber.socket().read_frame();
  client.subscriber.socket().reset();
  return eventually(
      [&] { return !gateway.gateway().control("GET", "/v1/dead-letters")["deadLetters"].empty(); },
      ReloadedGateway::kSoon);
}

bool pings_who_is_idle(ReloadedGateway& gateway) {
  Silent client(gateway);
  const auto frame = client.subscriber.socket().read_frame(Milliseconds(2'500));
  return frame && frame->opcode() == kPing;
}

bool closes_before_the_acknowledgement(ReloadedGateway& gateway) {
  Silent client(gateway);
  gateway.publish("m", client.user.id);
  (void)gateway.gateway().control("DELETE", "/v1/connections/" + client.id);
  const auto deadline = std::chrono::steady_clock::now() + ReloadedGateway::kSoon;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto frame = client.subscriber.socket().read_frame(Milliseconds(50));
    if (frame && frame->opcode() == kClose) return true;
  }
  return false;
}

bool lets_one_connection_stay(ReloadedGateway& gateway) {
  const TestUser alice = gateway.gateway().make_user();
  const Inbox first(gateway.gateway(), alice);
  (void)gateway.connections(1);
  const Inbox second(gateway.gateway(), alice);
  return first.wait_closed(ReloadedGateway::kSoon) == 4408;
}

bool holds_one_message(ReloadedGateway& gateway) {
  return gateway.publish(std::string(600, 'x')) == 200 &&
         gateway.publish(std::string(600, 'x')) == 429;
}

bool lets_a_message_expire(ReloadedGateway& gateway) {
  gateway.publish("m");
  return eventually(
      [&] {
        gateway.advance(Seconds(5));
        return gateway.gateway().pending("u") == 0;
      },
      ReloadedGateway::kSoon);
}

}  // namespace

std::vector<LiveKey> live_keys_of_delivery() {
  return {
      {"delivery.ack_wait_ms", "3000", waits_for_the_acknowledgement},
      {"delivery.ack_timeout_ms", "200", ends_who_is_silent},
      {"delivery.least_bytes_per_second",
       "64",
       [](ReloadedGateway& gateway) { return !ends_who_is_silent(gateway); },
       {"delivery.ack_timeout_ms=200"}},
      {"delivery.poison_attempts", "1", gives_up_after_one_attempt},
      {"delivery.idle_ping_ms", "1000", pings_who_is_idle},
      {"delivery.close_wait_ms", "0", closes_before_the_acknowledgement},
      {"delivery.connections_per_user", "1", lets_one_connection_stay},
      {"delivery.pending_messages", "1", holds_one_message},
      {"delivery.pending_bytes", "1024", holds_one_message, {"limits.message_bytes=1024"}},
      {"delivery.message_ttl_seconds",
       "1",
       lets_a_message_expire,
       {},
       {},
       /*by_manual_clock=*/true},
      {"delivery.tail_messages", "1", reads_from_the_disk, {}, {"delivery.credit_messages=1"}},
      {"delivery.tail_bytes", "1024", reads_from_the_disk, {}, {"delivery.credit_messages=1"}},
      {"websocket.connection_seconds_max", "1",
       [](ReloadedGateway& gateway) {
         const Inbox inbox(gateway.gateway(), gateway.gateway().make_user());
         return inbox.wait_closed(Milliseconds(3'000)) == 1001;
       }},
      {"websocket.frame", "raw",
       [](ReloadedGateway& gateway) {
         const TestUser alice = gateway.gateway().make_user();
         const Inbox inbox(gateway.gateway(), alice);
         gateway.publish("m", alice.id);
         return inbox.wait_for(1) == std::vector<std::string>{"m"};
       }},
      {"websocket.allowed_origins", R"(["https://a.example"])",
       [](ReloadedGateway& gateway) {
         return gateway.status_of(
                    "OPTIONS /tokens HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n"
                    "Access-Control-Request-Method: GET\r\n\r\n") < 300;
       }},
  };
}

}  // namespace holdfast::test
