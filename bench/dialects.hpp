#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "clients.hpp"
#include "servers.hpp"

namespace bench {

/// Speaks one server's way of publishing and subscribing.
class Dialect {
 public:
  virtual ~Dialect() = default;
  [[nodiscard]] virtual const Server& server() const = 0;
  /// A scenario begins: what an earlier one left behind must not be taken for its own.
  virtual void begin() = 0;
  /// The whole request that publishes `messages` to user number `user`.
  virtual void publish(std::string& out, std::size_t user,
                       const std::vector<std::string>& messages) = 0;
  [[nodiscard]] virtual std::unique_ptr<ProducerConnection> producer(Loop& loop) = 0;
  /// Subscribes for user number `user`; may ask the server for a ticket first.
  [[nodiscard]] virtual std::unique_ptr<SubscriberConnection> subscribe(
      Loop& loop, std::size_t user, SubscriberConnection::OnText on_text) = 0;
  [[nodiscard]] virtual bool stores_durably() const = 0;
};
[[nodiscard]] std::unique_ptr<Dialect> holdfast_dialect(const Holdfast& server);
[[nodiscard]] std::unique_ptr<Dialect> nchan_dialect(const Nchan& server);
[[nodiscard]] std::unique_ptr<Dialect> mosquitto_dialect(const Mosquitto& server);
[[nodiscard]] std::unique_ptr<Dialect> centrifugo_dialect(const Centrifugo& server);

/// `GET /tokens` of user number `user`.
[[nodiscard]] std::string token_request(const Holdfast& server, std::size_t user);
/// Where the client of that answer connects; throws when it is a refusal.
[[nodiscard]] std::string websocket_target(int status, std::string_view answer);

}  // namespace bench
