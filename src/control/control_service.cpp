#include <string>

#include <holdfast/control/service.hpp>

namespace holdfast::control {
namespace {

constexpr std::size_t kIgnoredBodyBytes = 4 << 10;

net::Response text_answer(int status, std::string_view text) {
  net::Response out;
  out.status = status;
  out.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  out.headers.emplace_back("Cache-Control", "no-store");
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  out.body = std::string(text) + "\n";
  return out;
}

class ControlService final : public net::HttpService {
 public:
  explicit ControlService(StateProbe state) : state_(std::move(state)) {}

  std::variant<net::Response, Admit> screen(const net::RequestHead& head) override {
    if (head.path() != "/livez" && head.path() != "/readyz") return text_answer(404, "not found");
    if (head.method != "GET") {
      net::Response out = text_answer(405, "method not allowed");
      out.headers.emplace_back("Allow", "GET");
      return out;
    }
    return Admit{.body_bytes_max = kIgnoredBodyBytes};
  }

  void handle(net::Request request, net::Responder respond) override {
    if (request.head.path() == "/livez") return respond(text_answer(200, "ok"));
    const State state = state_();
    respond(text_answer(state == State::ready ? 200 : 503, to_string(state)));
  }

  void upgrade(net::RequestHead /*head*/, net::UpgradeResponder respond) override {
    respond(text_answer(404, "not found"));
  }
  bool upgradable(const net::RequestHead& /*head*/) const override { return false; }
  net::Response error(int status, std::string_view message) const override {
    return text_answer(status, message);
  }

 private:
  const StateProbe state_;
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
  }
  return "unknown";
}

std::shared_ptr<net::HttpService> make_control_service(StateProbe state) {
  return std::make_shared<ControlService>(std::move(state));
}

}  // namespace holdfast::control
