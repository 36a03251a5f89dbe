#pragma once

#include <functional>
#include <string>

#include <holdfast/client/backoff.hpp>
#include <holdfast/client/gateway_client.hpp>

#include "context.hpp"

namespace holdfast::cli {

struct ReceiveOptions {
  std::string id_token;
  std::string subprotocol;
  client::BackoffOptions retry;
  Milliseconds steady_after{5'000};  ///< a connection that lasted so long was a success
  Milliseconds look{250};            ///< how often `interrupted` is asked
};

/// Prints `< ` and each frame until `interrupted`: connects again, with a new token and a growing
/// jittered wait, whenever a connection ends; acknowledges by itself under `holdfast.v1`. Answers
/// the exit code.
[[nodiscard]] int receive(const Context& context, client::GatewayClient& gateway,
                          const ReceiveOptions& options, const std::function<bool()>& interrupted,
                          const std::function<void(Milliseconds)>& wait);

}  // namespace holdfast::cli
