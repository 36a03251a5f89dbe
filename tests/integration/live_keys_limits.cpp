// Shows that limits of requests are in force.

#include <algorithm>
#include <thread>

#include "integration/live_keys.hpp"

namespace holdfast::test {
namespace {

std::string get_with(const std::string& target, const std::string& headers) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
}

std::string post_of(std::size_t length, std::size_t sent) {
  return "POST /message HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(length) + "\r\n\r\n" + std::string(sent, 'x');
}

// Of two clients that have each begun a request, one is refused.
bool refuses_one_of_two(ReloadedGateway& gateway, const std::string& begun) {
  return eventually(
      [&] {
        RawClient first = gateway.gateway().raw();
        RawClient second = gateway.gateway().raw();
        first.send(begun);
        second.send(begun);
        for (RawClient* const client : {&second, &first}) {
          const auto response = client->read_response(Milliseconds(200));
          if (response && response->status == 503) return true;
        }
        return false;
      },
      ReloadedGateway::kSoon);
}

bool refuses_a_second_connection(ReloadedGateway& gateway) {
  return refuses_one_of_two(gateway, "GET / HT");
}

bool refuses_a_second_body(ReloadedGateway& gateway, std::size_t length) {
  return refuses_one_of_two(gateway, post_of(length, length * 3 / 4));
}

int tokens_refused(ReloadedGateway& gateway, int asked) {
  const TestUser alice = gateway.gateway().make_user();
  int refused = 0;
  for (int i = 0; i < asked; ++i) {
    const auto token = gateway.gateway().root().temporary_token(alice.id_token);
    if (!token && token.error().status == 429) ++refused;
  }
  return refused;
}

// A client that takes nothing for a while gets less than all of its answers.
bool ends_who_takes_nothing(ReloadedGateway& gateway) {
  constexpr int kRequests = 2'000;
  const std::string path = "/" + gateway.gateway().info().user_pool_id + "/.well-known/jwks.json";
  RawClient client(gateway.unix_address());
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += get_with(path, "");
  std::jthread sender([&] { client.send(requests); });
  std::this_thread::sleep_for(ReloadedGateway::kSoon);
  int answers = 0;
  while (answers < kRequests && client.read_response()) ++answers;
  return answers < kRequests;
}

bool closes_without_waiting(ReloadedGateway& gateway) {
  const TestUser alice = gateway.gateway().make_user();
  RawSubscriber client(gateway.gateway().root(), gateway.gateway().address(), alice);
  const std::string id = gateway.connections(1).front();
  (void)gateway.gateway().control("DELETE", "/v1/connections/" + id);
  return client.socket().ends(ReloadedGateway::kSoon);
}

std::vector<LiveKey> keys_of_counts() {
  return {
      {"limits.connections", "1", refuses_a_second_connection},
      {"limits.connections_per_address", "1", refuses_a_second_connection},
      {"limits.message_bytes", "10",
       [](ReloadedGateway& gateway) { return gateway.publish("more than ten") == 413; }},
      {"limits.batch_messages", "1",
       [](ReloadedGateway& gateway) {
         const client::OutgoingMessage one{
             .user_id = "u", .text = "m", .deduplication_id = {}, .ttl = {}};
         return !gateway.gateway().root().publish_all({one, one});
       }},
      {"limits.key_requests_per_second", "1",
       [](ReloadedGateway& gateway) {
         int refused = 0;
         for (int i = 0; i < 20; ++i) refused += gateway.publish("m") == 429 ? 1 : 0;
         return refused > 0;
       }},
      {"limits.token_requests_per_second",
       "0",
       [](ReloadedGateway& gateway) { return tokens_refused(gateway, 5) == 0; },
       {"limits.token_requests_burst=1"},
       {},
       /*by_manual_clock=*/true},
      {"limits.token_requests_burst",
       "1",
       [](ReloadedGateway& gateway) { return tokens_refused(gateway, 5) > 0; },
       {},
       {},
       /*by_manual_clock=*/true},
      {"limits.failed_logins_per_address_per_minute", "1",
       [](ReloadedGateway& gateway) {
         (void)gateway.log_in("one", "wrong password");
         return gateway.log_in("two", "wrong password").error() == "TooManyRequestsException";
       }},
  };
}

std::vector<LiveKey> keys_of_bytes() {
  return {
      {"limits.body_bytes",
       "5000",
       [](ReloadedGateway& gateway) { return gateway.status_of(post_of(6'000, 6'000)) == 413; },
       {"limits.message_bytes=10"}},
      {"limits.body_bytes_in_flight", "1048576",
       [](ReloadedGateway& gateway) { return refuses_a_second_body(gateway, 1'000'000); }},
      {"limits.body_bytes_per_address",
       "1",
       [](ReloadedGateway& gateway) { return refuses_a_second_body(gateway, 4'900); },
       {"limits.message_bytes=10", "limits.body_bytes=5000", "limits.header_bytes=1024"}},
      {"limits.header_bytes", "1024",
       [](ReloadedGateway& gateway) {
         return gateway.status_of(get_with("/", "X: " + std::string(2'000, 'x') + "\r\n")) == 431;
       }},
      {"limits.headers", "10",
       [](ReloadedGateway& gateway) {
         std::string headers;
         for (int i = 0; i < 14; ++i) headers += "X-" + std::to_string(i) + ": x\r\n";
         return gateway.status_of(get_with("/", headers)) == 431;
       }},
      {"limits.target_bytes", "256",
       [](ReloadedGateway& gateway) {
         return gateway.status_of(get_with("/" + std::string(300, 'x'), "")) == 414;
       }},
  };
}

std::vector<LiveKey> keys_of_times() {
  return {
      {"limits.header_timeout_ms", "100",
       [](ReloadedGateway& gateway) { return gateway.status_of("GET / HT") == 408; }},
      {"limits.body_timeout_ms", "100",
       [](ReloadedGateway& gateway) { return gateway.status_of(post_of(10, 5)) == 408; }},
      {"limits.idle_timeout_ms", "100",
       [](ReloadedGateway& gateway) {
         RawClient client = gateway.gateway().raw();
         client.send(get_with("/", ""));
         return client.read_response() && client.ends(ReloadedGateway::kSoon);
       }},
      {"limits.write_timeout_ms", "100", ends_who_takes_nothing},
      {"limits.close_timeout_ms", "50", closes_without_waiting},
  };
}

}  // namespace

std::vector<LiveKey> live_keys_of_limits() {
  return joined({keys_of_counts(), keys_of_bytes(), keys_of_times()});
}

}  // namespace holdfast::test
