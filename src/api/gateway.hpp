#pragma once

#include <holdfast/net/http.hpp>

#include "api/context.hpp"
#include "api/paths.hpp"

namespace holdfast::api {

class Gateway final : public net::HttpService {
 public:
  explicit Gateway(Context context) : context_(std::move(context)) {}

  std::variant<net::Response, Admit> screen(const net::RequestHead& head) override;
  void handle(net::Request request, net::Responder respond) override;
  void upgrade(net::RequestHead head, net::UpgradeResponder respond) override;
  bool upgradable(const net::RequestHead& head) const override;
  net::Response error(int status, std::string_view message) const override;

 private:
  // How large the body of a route may be.
  std::size_t body_bytes_max(Route route) const noexcept;

  const Context context_;
};

}  // namespace holdfast::api
