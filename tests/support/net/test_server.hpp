#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/net/live_connection.hpp>
#include <holdfast/net/server.hpp>

namespace holdfast::test {

/// A service made of functions; what a test does not set answers 200 with what it was asked, and
/// refuses upgrades.
class FakeService : public net::LiveService {
 public:
  std::function<std::variant<net::Response, net::BodyLimit>(const net::RequestHead&)> on_screen;
  std::function<void(net::Request, net::Responder)> on_handle;
  std::function<void(net::RequestHead, net::LiveResponder)> on_open;
  std::size_t body_bytes_max = 64 << 10;
  net::RouteTag open_route = 0;

  std::variant<net::Response, net::BodyLimit> screen(const net::RequestHead& head) override {
    if (on_screen) return on_screen(head);
    return net::BodyLimit{.bytes = body_bytes_max};
  }
  void handle(net::Request request, net::Responder respond) override {
    if (on_handle) return on_handle(std::move(request), std::move(respond));
    respond({.status = 200, .headers = {}, .body = request.head.target + "|" + request.body});
  }
  void open(net::RequestHead head, net::LiveResponder respond) override {
    if (on_open) return on_open(std::move(head), std::move(respond));
    respond(net::Response{.status = 401, .headers = {}, .body = "no"});
  }
  /// `/ws` and what begins with it.
  std::optional<net::RouteTag> opens(const net::RequestHead& head) const override {
    return head.path().starts_with("/ws") ? std::optional(open_route) : std::nullopt;
  }
  net::Response error(int status, std::string_view message) const override {
    return {.status = status, .headers = {}, .body = std::string(message)};
  }
};

/// Shards and one listener on a port of its own, started, and stopped at the end.
class TestServer {
 public:
  explicit TestServer(std::shared_ptr<net::HttpService> service, std::size_t shards = 1,
                      net::HttpLimits limits = {}, std::string address = "127.0.0.1:0",
                      const Clock& clock = system_clock(),
                      std::shared_ptr<net::TlsServer> tls = nullptr);
  /// With other options; an empty address is a port of its own.
  TestServer(std::shared_ptr<net::HttpService> service, std::size_t shards,
             net::ListenerOptions options, const Clock& clock = system_clock());
  ~TestServer();

  [[nodiscard]] const std::string& address() const { return listener_->address(); }
  [[nodiscard]] net::Shards& shards() { return *shards_; }
  [[nodiscard]] net::Listener& listener() { return *listener_; }
  /// Returns the sum of a metric's series that have all of `labels`.
  [[nodiscard]] std::uint64_t metric(std::string_view name, const MetricLabels& labels = {}) const {
    MetricCollector metrics;
    listener_->collect(metrics);
    return static_cast<std::uint64_t>(metrics.sum(name, labels));
  }
  /// Returns how many answers of a class (`2xx`) are counted.
  [[nodiscard]] std::uint64_t responses(const char* status) const {
    return metric("holdfast_http_requests_total", {{"status", status}});
  }
  /// Runs on a shard and waits for it.
  void run_on(std::size_t shard, std::move_only_function<void()> task);
  void stop();

 private:
  std::unique_ptr<net::Shards> shards_;
  std::unique_ptr<net::Listener> listener_;
};

/// Takes down what a connection tells. Any thread may look.
class RecordedEvents : public delivery::ConnectionEvents {
 public:
  void on_fence(std::string_view bytes) override { note("pong:" + std::string(bytes)); }
  void on_text(std::string_view text) override { note("text:" + std::string(text)); }
  void on_closed(const delivery::ConnectionEnd& end) override {
    {
      const std::lock_guard lock(mutex_);
      end_ = end;
    }
    note("closed");
  }

  [[nodiscard]] std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  [[nodiscard]] std::size_t count(const std::string& event) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), event));
  }
  /// Waits until it has been told.
  [[nodiscard]] bool saw(const std::string& event) const;
  /// Returns how the last one ended.
  [[nodiscard]] delivery::ConnectionEnd end() const {
    const std::lock_guard lock(mutex_);
    return end_;
  }

 private:
  void note(std::string event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }

  mutable std::mutex mutex_;
  std::vector<std::string> events_;
  delivery::ConnectionEnd end_;
};

}  // namespace holdfast::test
