// Gives the console its names and origins.

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/control/console.hpp>

#include "instance.hpp"
#include "running_gateway.hpp"

namespace holdfast::app {
namespace {

constexpr std::string_view kLoopbacks[] = {"localhost", "127.0.0.1", "[::1]"};
constexpr std::string_view kEverywhere[] = {"0.0.0.0", "[::]", "*"};

std::string_view host_of(std::string_view address) { return address.substr(0, address.rfind(':')); }

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

void add_once(std::vector<std::string>& list, std::string text) {
  if (std::ranges::find(list, text) == list.end()) list.push_back(std::move(text));
}

}  // namespace

std::vector<std::string> RunningGateway::console_origins() const {
  std::vector<std::string> out;
  if (!config_.console.enabled) return out;
  const std::string& shown = config_.server.control_public_url;
  if (!shown.empty()) out.push_back(shown);
  for (const std::string& url : controls_.urls) {
    add_once(out, url);
    const std::size_t scheme = url.find("//") + 2;
    const std::size_t port = url.rfind(':');
    if (is_one_of(kLoopbacks, std::string_view(url).substr(scheme, port - scheme))) {
      add_once(out, url.substr(0, scheme) + "localhost" + url.substr(port));
    }
  }
  return out;
}

std::vector<std::string> RunningGateway::control_hosts() const {
  std::vector<std::string> out(std::begin(kLoopbacks), std::end(kLoopbacks));
  for (const std::string& host : config_.console.allowed_hosts) add_once(out, host);
  std::vector<std::string> addresses = {config_.server.control_listen};
  for (const Config::Listener& listener : config_.server.listeners) {
    if (listener.control) addresses.push_back(listener.address);
  }
  for (const std::string& address : addresses) {
    if (!address.starts_with("unix:")) add_once(out, std::string(host_of(address)));
  }
  if (const std::string& shown = config_.server.control_public_url; !shown.empty()) {
    const std::string authority = shown.substr(shown.find("//") + 2);
    const std::size_t colon = authority.rfind(':');
    const bool port = colon != authority.npos && !authority.ends_with(']');
    add_once(out, port ? authority.substr(0, colon) : authority);
  }
  return out;
}

std::shared_ptr<control::Console> RunningGateway::make_console() const {
  if (!config_.console.enabled) return nullptr;
  control::ConsoleOptions options;
  options.hosts.assign(std::begin(kLoopbacks), std::end(kLoopbacks));
  for (const std::string& host : config_.console.allowed_hosts) add_once(options.hosts, host);
  std::vector<std::string> addresses = {config_.server.control_listen};
  for (const Config::Listener& listener : config_.server.listeners) {
    if (listener.control) addresses.push_back(listener.address);
  }
  for (const std::string& address : addresses) {
    if (address.starts_with("unix:")) continue;
    if (is_one_of(kEverywhere, host_of(address))) options.any_address = true;
    add_once(options.hosts, std::string(host_of(address)));
  }
  options.public_origin = config_.server.control_public_url;
  add_once(options.gateway_urls, info_.url);
  for (const auto& gateway : gateways_.all) {
    const api::ServedParts& parts = gateway.parts;
    const bool whole = parts.login && parts.tokens && parts.websocket;
    if (whole && !gateway.url.empty()) add_once(options.gateway_urls, gateway.url);
  }
  options.user_pool_id = facts_.user_pool_id;
  options.client_id = facts_.client_id;
  options.link_url = options.public_origin;
  if (options.link_url.empty() && !controls_.urls.empty())
    options.link_url = controls_.urls.front();
  options.password_hash = config_.console.password_hash;
  return std::make_shared<control::Console>(std::move(options),
                                            control::ConsoleParts{.clock = clock_,
                                                                  .router = *delivery_->router,
                                                                  .hasher = keys_->hasher,
                                                                  .attempts = identity_->attempts,
                                                                  .audit = audit_});
}

}  // namespace holdfast::app
