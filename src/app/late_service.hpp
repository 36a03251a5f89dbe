#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include <holdfast/net/http.hpp>

namespace holdfast::app {

/// The service of a listener that is bound before its service can be made: set once, before
/// `start`. With one to begin with, which answers until then, it may be set while the listener
/// serves.
class LateService final : public net::HttpService {
 public:
  explicit LateService(std::shared_ptr<net::HttpService> first = nullptr)
      : first_(std::move(first)) {}

  void set(std::shared_ptr<net::HttpService> service) {
    service_ = std::move(service);
    set_.store(true, std::memory_order_release);
  }

  std::variant<net::Response, net::BodyLimit> screen(const net::RequestHead& head) override {
    return present().screen(head);
  }
  void handle(net::Request request, net::Responder respond) override {
    present().handle(std::move(request), std::move(respond));
  }
  net::LiveService* live() noexcept override { return present().live(); }
  bool serves_without_host(const net::RequestHead& head) const override {
    return present().serves_without_host(head);
  }
  net::Response error(int status, std::string_view message) const override {
    return present().error(status, message);
  }

 private:
  [[nodiscard]] net::HttpService& present() const noexcept {
    return set_.load(std::memory_order_acquire) ? *service_ : *first_;
  }

  const std::shared_ptr<net::HttpService> first_;
  std::shared_ptr<net::HttpService> service_;
  std::atomic<bool> set_{false};
};

}  // namespace holdfast::app
