#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include <holdfast/net/http.hpp>

namespace holdfast::app {

/// The service of a listener whose address its service must know: set once, after `bind` and before
/// `start`.
class LateService final : public net::HttpService {
 public:
  void set(std::shared_ptr<net::HttpService> service) { service_ = std::move(service); }

  std::variant<net::Response, Admit> screen(const net::RequestHead& head) override {
    return service_->screen(head);
  }
  void handle(net::Request request, net::Responder respond) override {
    service_->handle(std::move(request), std::move(respond));
  }
  void upgrade(net::RequestHead head, net::UpgradeResponder respond) override {
    service_->upgrade(std::move(head), std::move(respond));
  }
  bool upgradable(const net::RequestHead& head) const override {
    return service_->upgradable(head);
  }
  net::Response error(int status, std::string_view message) const override {
    return service_->error(status, message);
  }

 private:
  std::shared_ptr<net::HttpService> service_;
};

}  // namespace holdfast::app
