#pragma once

#include <memory>
#include <string>

#include <holdfast/base/json.hpp>
#include <holdfast/client/gateway_client.hpp>
#include <holdfast/net/client.hpp>

namespace holdfast::client {

/// A client of a gateway's local control socket. Blocking; one thread at a time.
class ControlClient {
 public:
  /// Connects with the first call. `path` is the socket's.
  explicit ControlClient(const std::string& path);
  /// Makes one call, with `body` unless it is null. The answer is an object. An error has the
  /// daemon's message and its code as `type`; status 0 means that nothing listens on the socket.
  [[nodiscard]] CallResult<Json> call(const std::string& method, const std::string& target,
                                      const Json& body = nullptr);

 private:
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace holdfast::client
