#pragma once

#include <memory>

#include <holdfast/net/http.hpp>

#include "api/context.hpp"
#include "api/paths.hpp"

namespace holdfast::api {

class Gateway final : public net::HttpService {
 public:
  Gateway(std::shared_ptr<const Context> context, ServedParts served)
      : shared_(std::move(context)), context_(*shared_), served_(served) {}

  std::variant<net::Response, Admit> screen(const net::RequestHead& head) override;
  void handle(net::Request request, net::Responder respond) override;
  void upgrade(net::RequestHead head, net::UpgradeResponder respond) override;
  bool upgradable(const net::RequestHead& head) const override;
  net::Response error(int status, std::string_view message) const override;

 private:
  // `Route::none` also for what this listener does not serve.
  Route route_of(const net::RequestHead& head) const;
  // How large the body of a route may be.
  std::size_t body_bytes_max(Route route) const noexcept;

  const std::shared_ptr<const Context> shared_;
  const Context& context_;
  const ServedParts served_;
};

}  // namespace holdfast::api
