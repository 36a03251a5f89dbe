#include <gtest/gtest.h>

#include <holdfast/control/service.hpp>

namespace holdfast::control {
namespace {

class ControlListener : public ::testing::Test {
 protected:
  net::Response ask(std::string method, std::string target) {
    net::Request request;
    request.head.method = std::move(method);
    request.head.target = std::move(target);
    auto screened = service_->screen(request.head);
    if (auto* refused = std::get_if<net::Response>(&screened)) return std::move(*refused);
    net::Response out;
    service_->handle(std::move(request),
                     [&](net::Response response) { out = std::move(response); });
    return out;
  }

  State state_ = State::ready;
  std::shared_ptr<net::HttpService> service_ = make_control_service([this] { return state_; });
};

TEST_F(ControlListener, IsAliveInEveryState) {
  for (const State state : {State::starting, State::ready, State::draining, State::store_failed}) {
    state_ = state;
    EXPECT_EQ(ask("GET", "/livez").status, 200);
  }
}

TEST_F(ControlListener, IsReadyInOneStateAlone) {
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  EXPECT_EQ(ask("GET", "/readyz?verbose").body, "ready\n");
  for (const State state : {State::starting, State::draining, State::store_failed}) {
    state_ = state;
    const net::Response response = ask("GET", "/readyz");
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.body, std::string(to_string(state)) + "\n");
  }
}

TEST_F(ControlListener, RefusesOtherPathsAndMethods) {
  EXPECT_EQ(ask("GET", "/").status, 404);
  EXPECT_EQ(ask("GET", "/v1/status").status, 404);
  EXPECT_EQ(ask("POST", "/livez").status, 405);
  EXPECT_FALSE(service_->upgradable({}));
}

}  // namespace
}  // namespace holdfast::control
