#pragma once

#include <optional>
#include <string>

#include "support/gateway/test_gateway.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {

/// A client on a bare socket, which reads and answers exactly as a test has it.
class RawSubscriber {
 public:
  /// Connects with a new temporary token; throws when it is refused. `receive_buffer` of 0 is the
  /// system's.
  RawSubscriber(client::GatewayClient& gateway, const std::string& address, const TestUser& user,
                int receive_buffer = 0);

  /// The next message's payload; Pings before it are answered. nullopt when the connection ends or
  /// the deadline passes first.
  [[nodiscard]] std::optional<std::string> read_payload(
      Milliseconds timeout = RawClient::kPatience);
  /// From here on every packet to this client is dropped on its way, unacknowledged, as when its
  /// machine loses power or a network goes away: no FIN, no reset, no ACK.
  void vanish();
  [[nodiscard]] RawClient& socket() noexcept { return socket_; }
  /// Of the Close that came; 0 when none did.
  [[nodiscard]] int close_code() const noexcept { return close_code_; }

 private:
  RawClient socket_;
  int close_code_ = 0;
};

}  // namespace holdfast::test
