#pragma once

#include <memory>
#include <string>

#include <holdfast/base/json.hpp>
#include <holdfast/client/gateway_client.hpp>

namespace holdfast::client {

/// A client of a gateway's local control socket. Blocking; one thread at a time.
class ControlClient {
 public:
  virtual ~ControlClient() = default;
  /// Makes one call, with `body` unless it is null. The answer is an object. An error has the
  /// daemon's message and its code as `type`; status 0 means that nothing listens on the socket.
  [[nodiscard]] virtual CallResult<Json> call(const std::string& method, const std::string& target,
                                              const Json& body = nullptr) = 0;
};
/// `path` is the socket's.
[[nodiscard]] std::unique_ptr<ControlClient> make_control_client(const std::string& path);

}  // namespace holdfast::client
