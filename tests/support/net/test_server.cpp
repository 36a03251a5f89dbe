// A server with handlers for tests.

#include "support/net/test_server.hpp"

#include <future>
#include <stdexcept>

#include "support/net/raw_client.hpp"

namespace holdfast::test {

TestServer::TestServer(std::shared_ptr<net::HttpService> service, std::size_t shards,
                       net::HttpLimits limits, std::string address, const Clock& clock,
                       std::shared_ptr<net::TlsServer> tls)
    : TestServer(std::move(service), shards,
                 {.name = "test",
                  .address = std::move(address),
                  .limits = limits,
                  .access_log = false,
                  .tls = std::move(tls)},
                 clock) {}

TestServer::TestServer(std::shared_ptr<net::HttpService> service, std::size_t shards,
                       net::ListenerOptions options, const Clock& clock)
    : shards_(net::make_shards(shards)) {
  if (options.address.empty()) options.address = "127.0.0.1:0";
  listener_ = net::make_listener(std::move(options), *shards_, clock);
  shards_->start();
  if (const auto started = listener_->start(std::move(service)); !started) {
    throw std::runtime_error(started.error().message);
  }
}

TestServer::~TestServer() { stop(); }

void TestServer::run_on(std::size_t shard, std::move_only_function<void()> task) {
  std::promise<void> done;
  shards_->at(shard).post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void TestServer::stop() {
  if (!listener_) return;
  listener_->close();
  shards_->stop();
  listener_ = nullptr;
}

bool RecordedEvents::saw(const std::string& event) const {
  return eventually([&] { return count(event) > 0; });
}

}  // namespace holdfast::test
