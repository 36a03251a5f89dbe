#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <holdfast/net/live_connection.hpp>

#include "context.hpp"
#include "paths.hpp"

namespace holdfast::api {

/// The context that is current, for any thread. Those before it are kept: requests under way hold
/// references into them, and operators change options seldom.
class Contexts {
 public:
  explicit Contexts(std::shared_ptr<const Context> first) { put(std::move(first)); }

  [[nodiscard]] const Context& current() const noexcept {
    return *current_.load(std::memory_order_acquire);
  }
  void change(GatewayOptions options);

 private:
  void put(std::shared_ptr<const Context> next);

  std::mutex mutex_;
  std::vector<std::shared_ptr<const Context>> all_;
  std::atomic<const Context*> current_{nullptr};
};

class Gateway final : public net::LiveService {
 public:
  Gateway(std::shared_ptr<const Contexts> contexts, ServedParts served)
      : contexts_(std::move(contexts)), served_(served) {}

  std::variant<net::Response, net::BodyLimit> screen(const net::RequestHead& head) override;
  void handle(net::Request request, net::Responder respond) override;
  std::optional<net::RouteTag> opens(const net::RequestHead& head) const override;
  void open(net::RequestHead head, net::LiveResponder respond) override;
  net::Response error(int status, std::string_view message) const override;

 private:
  std::variant<net::Response, net::BodyLimit> admit(const Context& context,
                                                    const net::RequestHead& head) const;
  // `Route::none` also for what this listener does not serve.
  Route find_served_route(const Context& context, const net::RequestHead& head) const;
  // Returns the maximum length of a route's body.
  static std::size_t body_bytes_max(const Context& context, Route route) noexcept;

  const std::shared_ptr<const Contexts> contexts_;
  const ServedParts served_;
};

}  // namespace holdfast::api
