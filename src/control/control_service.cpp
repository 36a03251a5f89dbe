// Serves health, metrics and the console on the control listener.

#include <algorithm>
#include <atomic>
#include <iterator>
#include <string>
#include <string_view>

#include <holdfast/base/assert.hpp>
#include <holdfast/control/service.hpp>

namespace holdfast::control {
namespace {

constexpr std::size_t kIgnoredBodyBytes = 4 << 10;
constexpr std::string_view kLive = "/livez";
constexpr std::string_view kReady = "/readyz";
constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

net::Response text_answer(int status, std::string_view text) {
  net::Response out;
  out.status = status;
  out.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  out.headers.emplace_back("Cache-Control", "no-store");
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  out.body = std::string(text) + "\n";
  return out;
}

bool serves(const ControlRoute& route, std::string_view path) {
  return route.path.ends_with('/') ? path.starts_with(route.path) : path == route.path;
}

class RoutedService final : public ControlService {
 public:
  RoutedService(StateProbe state, std::vector<ControlRoute> routes)
      : state_(std::move(state)), routes_(std::move(routes)) {}

  void add(std::vector<ControlRoute> routes) override {
    HOLDFAST_ASSERT(!has_more_.load(std::memory_order_relaxed), "control.routes_are_added_once");
    more_ = std::move(routes);
    has_more_.store(true, std::memory_order_release);
  }

  std::variant<net::Response, net::BodyLimit> screen(const net::RequestHead& head) override {
    const ControlRoute* const route = find(head);
    if (route == nullptr) return is_common(head.method) ? not_served() : method_not_allowed();
    if (route->serves_host && !route->serves_host(head)) {
      return text_answer(403, "not served under this name: see console.allowed_hosts");
    }
    if (route->screen)
      return head.method == "HEAD" ? route->screen(as_get(head)) : route->screen(head);
    if (head.method != "GET" && head.method != "HEAD") return method_not_allowed();
    return net::BodyLimit{.bytes = kIgnoredBodyBytes};
  }

  void handle(net::Request request, net::Responder respond) override {
    const ControlRoute* const route = find(request.head);
    if (route == nullptr) return respond(not_served());
    // Net leaves out the body.
    if (request.head.method == "HEAD") request.head = as_get(std::move(request.head));
    route->handle(std::move(request), std::move(respond));
  }

  bool serves_without_host(const net::RequestHead& head) const override {
    return head.path() == kLive || head.path() == kReady;
  }
  net::Response error(int status, std::string_view message) const override {
    return text_answer(status, message);
  }

 private:
  net::Response not_served() const {
    const bool starts = state_() == State::starting;
    return starts ? text_answer(503, to_string(State::starting)) : text_answer(404, "not found");
  }
  static net::Response method_not_allowed() {
    net::Response out = text_answer(405, "method not allowed");
    out.headers.emplace_back("Allow", "GET, HEAD");
    return out;
  }
  // Returns whether any path takes the method. Other methods get 405 on every path.
  static bool is_common(std::string_view method) {
    return std::ranges::find(kMethods, method) != std::end(kMethods);
  }
  static net::RequestHead as_get(net::RequestHead head) {
    head.method = "GET";
    return head;
  }
  const ControlRoute* find(const net::RequestHead& head) const {
    const ControlRoute* const found = find(routes_, head);
    const bool has_more = has_more_.load(std::memory_order_acquire);
    return found != nullptr || !has_more ? found : find(more_, head);
  }
  static const ControlRoute* find(const std::vector<ControlRoute>& routes,
                                  const net::RequestHead& head) {
    const auto found = std::ranges::find_if(
        routes, [&head](const ControlRoute& route) { return serves(route, head.path()); });
    return found == routes.end() ? nullptr : &*found;
  }

  const StateProbe state_;
  const std::vector<ControlRoute> routes_;
  std::vector<ControlRoute> more_;  ///< never changed once it is there
  std::atomic<bool> has_more_{false};
};

}  // namespace

const char* to_string(State state) noexcept {
  switch (state) {
    case State::starting:
      return "starting";
    case State::ready:
      return "ready";
    case State::draining:
      return "draining";
    case State::store_failed:
      return "store_failed";
    case State::store_hangs:
      return "store_hangs";
  }
  return "unknown";
}

std::shared_ptr<ControlService> make_control_service(StateProbe state,
                                                     std::vector<ControlRoute> more,
                                                     NotesProbe notes) {
  std::vector<ControlRoute> routes;
  routes.push_back(
      {.path = std::string(kLive), .handle = [](const net::Request&, net::Responder respond) {
         respond(text_answer(200, "ok"));
       }});
  routes.push_back({.path = std::string(kReady),
                    .handle = [probe = state, notes = std::move(notes)](const net::Request&,
                                                                        net::Responder respond) {
                      const State now = probe();
                      std::string text = to_string(now);
                      if (notes) {
                        for (const std::string& note : notes()) text += ", " + note;
                      }
                      respond(text_answer(now == State::ready ? 200 : 503, text));
                    }});
  std::ranges::move(more, std::back_inserter(routes));
  return std::make_shared<RoutedService>(std::move(state), std::move(routes));
}

}  // namespace holdfast::control
