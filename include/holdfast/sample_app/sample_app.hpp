#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/client/backoff.hpp>
#include <holdfast/client/gateway_client.hpp>
#include <holdfast/net/tls.hpp>

namespace holdfast::sample_app {

struct SampleAppOptions {
  std::string listen = "127.0.0.1:8090";
  net::TlsServerOptions tls{};  ///< plain HTTP without a certificate
  /// The gateway, the user pool and the access key that it sends with.
  client::GatewayOptions gateway;
  std::string issuer;  ///< of the ID tokens; empty: `{gateway.url}/{userPoolId}`
  std::size_t jobs_max = 10'000;
  std::size_t job_bytes_max = 64 << 20;  ///< of message text
  std::size_t senders = 4;               ///< threads; one user's messages never overtake
  client::BackoffOptions retry;
  bool access_log = true;
};

/// A back-end service as a user of Holdfast would write one, on the public API alone. `POST /` with
/// an ID token and `{"wait","userId","message"}` is answered 202 and, `wait` seconds later, sent to
/// the gateway with a signed `POST /message`, again and again under one `deduplicationId` until it
/// answers 200 or refuses for good. Jobs are held in memory: this is a sample.
class SampleApp {
 public:
  virtual ~SampleApp() = default;
  /// Binds and serves. Error `io` with the address.
  [[nodiscard]] virtual Result<void> start() = 0;
  /// Returns the address that it listens on. Valid once started.
  [[nodiscard]] virtual const std::string& address() const = 0;
  /// Accepts no more, sends what falls due within `drain`, logs what was not sent and answers how
  /// many that were. Waits for calls in flight. Not on one of its own threads.
  virtual std::size_t stop(Milliseconds drain) = 0;
  /// Reads the files of its certificate again; after an error all stays as it was. Any thread.
  [[nodiscard]] virtual Result<void> reload_certificate() = 0;
};
/// `invalid_argument` for a gateway URL that is none; `io` and `invalid_argument` for TLS files.
[[nodiscard]] Result<std::unique_ptr<SampleApp>> make_sample_app(SampleAppOptions options,
                                                                 const Clock& clock);

}  // namespace holdfast::sample_app
