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

/// A back-end service as a user of Holdfast would write one, with the public API only. It answers
/// `POST /` with an ID token and `{"wait","userId","message"}` with 202. After `wait` seconds it
/// sends the message with a signed `POST /message`, and retries under one `deduplicationId` until
/// the gateway answers 200 or a permanent refusal. Jobs are only in memory: this is a sample.
class SampleApp {
 public:
  /// Makes the sample application. `invalid_argument` for an invalid gateway URL; `io` and
  /// `invalid_argument` for TLS files.
  [[nodiscard]] static Result<SampleApp> make(SampleAppOptions options, const Clock& clock);
  SampleApp(SampleApp&&) noexcept;
  SampleApp& operator=(SampleApp&&) noexcept;
  /// Stops at once.
  ~SampleApp();

  /// Binds and serves. Error `io` with the address.
  [[nodiscard]] Result<void> start();
  /// Returns the address that it listens on. Valid once started.
  [[nodiscard]] const std::string& address() const;
  /// Stops accepting, sends the messages that fall due within `drain`, and logs the others. Returns
  /// the number of messages that were not sent. Waits for calls in flight. Do not call it on one of
  /// its own threads.
  std::size_t stop(Milliseconds drain);
  /// Reads the files of its certificate again; after an error all stays as it was. Any thread.
  [[nodiscard]] Result<void> reload_certificate();

 private:
  class Impl;
  explicit SampleApp(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::sample_app
