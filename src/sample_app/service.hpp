#pragma once

#include <memory>
#include <string>

#include <holdfast/identity/id_token.hpp>
#include <holdfast/net/http.hpp>
#include <holdfast/net/server.hpp>

#include "key_cache.hpp"
#include "sender.hpp"

namespace holdfast::sample_app {

/// `POST /` of the sample application: checks who asks and what for, and hands it to the sender.
class Service final : public net::HttpService {
 public:
  /// All three outlive the shards' run.
  Service(net::Shards& shards, KeyCache& keys, Sender& sender)
      : shards_(shards), keys_(keys), sender_(sender) {}

  [[nodiscard]] std::variant<net::Response, net::BodyLimit> screen(
      const net::RequestHead& head) override;
  void handle(net::Request request, net::Responder respond) override;
  [[nodiscard]] net::Response error(int status, std::string_view message) const override;

 private:
  [[nodiscard]] net::Response accept(const Result<identity::IdTokenClaims>& claims,
                                     const std::string& body);

  net::Shards& shards_;
  KeyCache& keys_;
  Sender& sender_;
};

/// A parsed request to send a message.
struct SendOrder {
  Seconds wait{10};
  std::string user_id;
  std::string text;
};
/// `invalid_argument` with the member at fault; `limit_exceeded` for a message that is too long.
[[nodiscard]] Result<SendOrder> parse_order(std::string_view body);

}  // namespace holdfast::sample_app
