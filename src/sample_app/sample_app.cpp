// The sample application: starts and stops its parts.

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/net/server.hpp>
#include <holdfast/sample_app/sample_app.hpp>

#include "key_cache.hpp"
#include "sender.hpp"
#include "service.hpp"

namespace holdfast::sample_app {
namespace {

// Longer than the gateway takes to give up on a client that does not acknowledge.
constexpr Milliseconds kCallTimeout{15'000};

}  // namespace

class SampleApp::Impl {
 public:
  Impl(const SampleAppOptions& options, std::shared_ptr<net::TlsServer> tls,
       std::unique_ptr<client::GatewayClient> keys_client,
       std::vector<std::unique_ptr<client::GatewayClient>> send_clients, const Clock& clock)
      : tls_(std::move(tls)),
        shards_(net::make_shards(1)),
        keys_({.issuer = options.issuer, .audience = options.gateway.client_id},
              std::move(keys_client), clock),
        sender_({options.jobs_max, options.job_bytes_max, options.retry}, std::move(send_clients),
                clock),
        service_(std::make_shared<Service>(*shards_, keys_, sender_)) {
    net::ListenerOptions listener;
    listener.name = "sample-app";
    listener.address = options.listen;
    listener.limits.connections = 4'096;
    listener.access_log = options.access_log;
    listener.tls = tls_;
    listener_ = net::make_listener(std::move(listener), *shards_, clock);
  }

  ~Impl() { stop(Milliseconds(0)); }

  Result<void> start() {
    shards_->start();
    auto bound = listener_->start(service_);
    running_ = bound.has_value();
    if (!running_) shards_->stop();
    return bound;
  }

  const std::string& address() const { return listener_->address(); }

  std::size_t stop(Milliseconds drain) {
    if (!std::exchange(running_, false)) return 0;
    listener_->drain();
    const std::size_t unsent = sender_.stop(drain);
    keys_.stop();
    listener_->close();
    shards_->stop();
    return unsent;
  }

  Result<void> reload_certificate() { return tls_ ? tls_->reload() : Result<void>(); }

 private:
  std::shared_ptr<net::TlsServer> tls_;  ///< null without a certificate
  std::unique_ptr<net::Shards> shards_;
  KeyCache keys_;
  Sender sender_;
  std::shared_ptr<Service> service_;
  std::unique_ptr<net::Listener> listener_;
  bool running_ = false;
};

SampleApp::SampleApp(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SampleApp::SampleApp(SampleApp&&) noexcept = default;
SampleApp& SampleApp::operator=(SampleApp&&) noexcept = default;
SampleApp::~SampleApp() = default;

Result<void> SampleApp::start() { return impl_->start(); }
const std::string& SampleApp::address() const { return impl_->address(); }
std::size_t SampleApp::stop(Milliseconds drain) { return impl_->stop(drain); }
Result<void> SampleApp::reload_certificate() { return impl_->reload_certificate(); }

Result<SampleApp> SampleApp::make(SampleAppOptions options, const Clock& clock) {
  options.gateway.timeout = std::min(options.gateway.timeout, kCallTimeout);
  if (options.issuer.empty()) {
    std::string_view url = options.gateway.url;
    while (url.ends_with('/')) url.remove_suffix(1);
    options.issuer = std::string(url) + "/" + options.gateway.user_pool_id;
  }
  std::shared_ptr<net::TlsServer> tls;
  if (!options.tls.certificate_file.empty()) {
    auto made = net::make_tls_server(options.tls);
    if (!made) return std::unexpected(made.error());
    tls = std::move(*made);
  }
  auto keys_client = client::make_gateway_client(options.gateway, clock);
  if (!keys_client) return std::unexpected(keys_client.error());
  std::vector<std::unique_ptr<client::GatewayClient>> send_clients;
  for (std::size_t i = 0; i < options.senders; ++i) {
    auto sender = client::make_gateway_client(options.gateway, clock);
    if (!sender) return std::unexpected(sender.error());
    send_clients.push_back(std::move(*sender));
  }
  return SampleApp(std::make_unique<Impl>(options, std::move(tls), std::move(*keys_client),
                                          std::move(send_clients), clock));
}

}  // namespace holdfast::sample_app
