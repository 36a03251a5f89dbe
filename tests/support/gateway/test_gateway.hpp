#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/app/gateway.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>
#include <holdfast/client/gateway_client.hpp>

#include "support/base/temp_dir.hpp"
#include "support/iam/request_builder.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {

/// A user of a gateway under test, logged in.
struct TestUser {
  std::string name;
  std::string id;  ///< `sub`: whom messages are for
  std::string id_token;
};

/// A real gateway inside the test: threads, sockets on free ports of loopback, and a data directory
/// of its own. What goes wrong in a helper throws: it is not what a test is about.
class TestGateway {
 public:
  struct Options {
    /// `section.key=value`, as the environment would have it.
    std::vector<std::string> settings{};
    const Clock* clock = nullptr;  ///< nullptr: the machine's
    std::optional<std::string> master_key{};
    std::function<void(const std::string&)> on_fatal{};
    /// Tests do not wait for connections to be closed one by one, unless they are about that.
    std::optional<Milliseconds> close_spread{Milliseconds(0)};
  };
  TestGateway() : TestGateway(Options()) {}
  explicit TestGateway(Options options);

  [[nodiscard]] app::Gateway& gateway() { return *gateway_; }
  [[nodiscard]] const app::GatewayInfo& info() const { return gateway_->info(); }
  [[nodiscard]] const std::string& address() const { return info().address; }
  [[nodiscard]] const std::string& data_dir() const { return data_dir_; }

  /// As a shutdown does. Whether nothing was cut short.
  bool stop();
  /// Another one on the same data directory, on a port of its own; the issuer stays what it was.
  void start();
  /// Reloads the settings of the start with these besides, as SIGHUP does.
  [[nodiscard]] Result<app::ReloadOutcome> reload(const std::vector<std::string>& settings);
  /// Starts a gateway as `start` does, and returns the error of a failure.
  [[nodiscard]] Result<std::unique_ptr<app::Gateway>> try_start();

  /// Clients: with the root key; one for each thread.
  [[nodiscard]] std::unique_ptr<client::GatewayClient> client() const;
  /// The root key's.
  [[nodiscard]] iam::Credentials credentials() const;
  /// The test thread's own client.
  [[nodiscard]] client::GatewayClient& root();

  /// A user with the password `kPassword`, logged in.
  [[nodiscard]] TestUser make_user(const std::string& name = "alice");
  [[nodiscard]] std::string token(const TestUser& user);
  /// `POST /message`; throws unless it is answered 200.
  client::Receipt publish(const std::string& user_id, const std::string& text);
  /// `DELIVERED` or `STORED`.
  std::string publish_status(const std::string& user_id, const std::string& text) {
    return publish(user_id, text).status;
  }

  /// A plain socket to the gateway.
  [[nodiscard]] RawClient raw() const { return RawClient(address()); }
  /// A signed request, to be sent by `send_raw` as it is or spoilt.
  [[nodiscard]] RequestBuilder signed_request(const std::string& target, const std::string& body,
                                              const std::string& service = "execute-api") const;
  /// Sends it on a socket of its own; nullopt when no answer comes.
  [[nodiscard]] std::optional<RawResponse> send_raw(const RequestBuilder& request) const;
  /// Sends these bytes on a socket of their own.
  [[nodiscard]] std::optional<RawResponse> send_bytes(std::string_view bytes) const;

  /// Over `control.sock`: the answer's object.
  [[nodiscard]] Json control(const std::string& method, const std::string& target,
                             const Json& body = nullptr) const;
  /// Returns how many messages of a user are on disk.
  [[nodiscard]] std::size_t pending(const std::string& user_id) const;

  static constexpr const char* kPassword = "correct horse battery";

 private:
  [[nodiscard]] app::Config config(const std::vector<std::string>& more) const;

  Options options_;
  const Clock& clock_;
  TempDir dir_;
  std::string data_dir_;
  std::string first_url_;   ///< of the first start: the issuer
  std::string public_url_;  ///< of this start; empty: the address
  std::unique_ptr<app::Gateway> gateway_;
  std::unique_ptr<client::GatewayClient> root_;
};

/// The bytes of a request as a client sends them.
[[nodiscard]] std::string bytes_of(const RequestBuilder& request);

}  // namespace holdfast::test
