#pragma once

#include <functional>
#include <string>

#include <holdfast/client/backoff.hpp>
#include <holdfast/client/gateway_client.hpp>

#include "context.hpp"

namespace holdfast::cli {

/// The settings of `receive`.
struct ReceiveOptions {
  std::string id_token;
  std::string subprotocol;
  client::BackoffOptions retry;
  Milliseconds steady_after{5'000};  ///< resets the back-off once a connection has lasted so long
  Milliseconds look{250};            ///< the interval between calls of `interrupted`
};

/// Prints `< ` and each frame until `interrupted`. Reconnects with a new token and a growing,
/// jittered wait. Acknowledges each message under `holdfast.v1`. Returns the exit code.
[[nodiscard]] int receive(const Context& context, client::GatewayClient& gateway,
                          const ReceiveOptions& options, const std::function<bool()>& interrupted,
                          const std::function<void(Milliseconds)>& wait);

}  // namespace holdfast::cli
