// Tests health, metrics and hosts of the control listener.

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/api/route_metrics.hpp>
#include <holdfast/control/service.hpp>

#include "support/delivery/fake_mailboxes.hpp"

namespace holdfast::control {
namespace {

using testing::HasSubstr;

class ControlListener : public ::testing::Test {
 protected:
  net::Response ask(std::string method, std::string target, const std::string& host = "localhost") {
    net::Request request;
    request.head.headers.emplace_back("Host", host);
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
  std::array<test::FakeMailboxes, 2> mailboxes_;
  ProcessStatus process_;
  std::shared_ptr<api::ShardRouteMetrics> routes_ = api::make_route_metrics(2);
  void collect(MetricCollector& out) const {
    for (const auto& mailboxes : mailboxes_) mailboxes.metrics().collect(out);
    for (const auto& routes : *routes_) routes->collect(out);
  }
  ControlRoute metrics() {
    ControlRoute route = make_metrics_route(
        [this] { return state_; }, {.collect = [this](MetricCollector& out) { collect(out); },
                                    .process = [this] { return process_; }});
    route.serves_host = make_host_check({"localhost", "Gateway.Internal"});
    return route;
  }
  std::shared_ptr<net::HttpService> service_ =
      make_control_service([this] { return state_; }, {metrics()});
};

std::string header(const net::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

// A page elsewhere can only ask under a name.
TEST_F(ControlListener, TellsMetricsUnderItsOwnNamesAndUnderAddresses) {
  for (const char* host :
       {"localhost", "localhost:8081", "LOCALHOST", "gateway.internal:1", "10.0.0.7",
        "10.0.0.7:8081", "[fd00::1]:8081", "[::1]", "gateway.internal.", ""}) {
    EXPECT_EQ(ask("GET", "/metrics", host).status, 200) << host;
  }
  for (const char* host : {"example.com", "example.com:8081", "localhost.example.com",
                           "10.0.0.7.nip.io", "gateway", "internal"}) {
    EXPECT_EQ(ask("GET", "/metrics", host).status, 403) << host;
    EXPECT_EQ(ask("HEAD", "/metrics", host).status, 403) << host;
    EXPECT_EQ(ask("GET", "/readyz", host).status, 200) << host;
  }
}

TEST_F(ControlListener, SaysWhatItTakesToWhoAsksWithAnotherMethod) {
  for (const char* target : {"/livez", "/readyz", "/metrics", "/nothing", "*", "/"}) {
    for (const char* method : {"FOO", "OPTIONS", "TRACE", "get", "CONNECT"}) {
      const net::Response response = ask(method, target);
      EXPECT_EQ(response.status, 405) << method << " " << target;
      EXPECT_EQ(header(response, "Allow"), "GET, HEAD") << method << " " << target;
    }
  }
}

TEST_F(ControlListener, DoesWithoutAHostForHealthAlone) {
  const auto serves = [this](const char* target) {
    net::RequestHead head;
    head.target = target;
    head.minor_version = 0;
    return service_->serves_without_host(head);
  };
  EXPECT_TRUE(serves("/livez"));
  EXPECT_TRUE(serves("/readyz?verbose"));
  for (const char* target : {"/metrics", "/", "/console/", "/readyz/"})
    EXPECT_FALSE(serves(target));
}

// Routes see HEAD as GET; net drops the body.
TEST_F(ControlListener, ShowsHeadToItsRoutesAsGet) {
  std::vector<std::string> seen;
  service_ = make_control_service(
      [] { return State::ready; },
      {{.path = "/tree/",
        .screen = [&](const net::RequestHead& head) -> std::variant<net::Response, net::BodyLimit> {
          seen.push_back("screen " + head.method);
          return net::BodyLimit{.bytes = 1};
        },
        .handle =
            [&](const net::Request& request, net::Responder respond) {
              seen.push_back("handle " + request.head.method);
              respond({.body = "leaf"});
            }}});
  EXPECT_EQ(ask("HEAD", "/tree/").status, 200);
  EXPECT_EQ(seen, (std::vector<std::string>{"screen GET", "handle GET"}));
}

TEST_F(ControlListener, IsAliveInEveryState) {
  for (const State state : {State::starting, State::ready, State::draining, State::store_failed}) {
    state_ = state;
    EXPECT_EQ(ask("GET", "/livez").status, 200);
  }
}

TEST_F(ControlListener, IsReadyOnlyInTheReadyState) {
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  EXPECT_EQ(ask("GET", "/readyz?verbose").body, "ready\n");
  for (const State state : {State::starting, State::draining, State::store_failed}) {
    state_ = state;
    const net::Response response = ask("GET", "/readyz");
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.body, std::string(to_string(state)) + "\n");
  }
}

TEST_F(ControlListener, SumsTheShardsInItsMetrics) {
  mailboxes_[0].told_metrics.accepted.add(3);
  mailboxes_[1].told_metrics.accepted.add(4);
  (*routes_)[0]->refused_upgrades.add(api::UpgradeRefusal::token_used);
  (*routes_)[1]->refused_upgrades.add(api::UpgradeRefusal::token_used);
  const net::Response response = ask("GET", "/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.at(0).second, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(response.body, HasSubstr("\nholdfast_messages_accepted_total 7\n"));
  EXPECT_THAT(response.body,
              HasSubstr("\nholdfast_websocket_upgrades_refused_total{reason=\"token_used\"} 2\n"));
}

TEST_F(ControlListener, TellsMetricsInEveryStateButTheFirst) {
  state_ = State::starting;
  const net::Response starting = ask("GET", "/metrics");
  EXPECT_EQ(starting.status, 503);
  EXPECT_EQ(starting.body, "starting\n");
  for (const State state : {State::ready, State::draining, State::store_failed}) {
    state_ = state;
    const net::Response response = ask("GET", "/metrics");
    EXPECT_EQ(response.status, 200);
    EXPECT_THAT(response.body,
                HasSubstr("\nholdfast_state{state=\"" + std::string(to_string(state)) + "\"} 1\n"));
    EXPECT_THAT(response.body, HasSubstr("\nholdfast_state{state=\"starting\"} 0\n"));
  }
}

TEST_F(ControlListener, RefusesOtherPathsAndMethods) {
  EXPECT_EQ(ask("GET", "/").status, 404);
  EXPECT_EQ(ask("GET", "/v1/status").status, 404);
  EXPECT_EQ(ask("HEAD", "/livez").status, 200);
  EXPECT_EQ(ask("POST", "/livez").status, 405);
  EXPECT_EQ(ask("POST", "/metrics").status, 405);
  EXPECT_EQ(ask("GET", "/metrics/").status, 404);
  EXPECT_FALSE(service_->live() != nullptr);
}

TEST_F(ControlListener, SaysOfPathsThatAreToComeThatItStarts) {
  const auto service = make_control_service([this] { return state_; });
  service_ = service;
  state_ = State::starting;
  EXPECT_EQ(ask("GET", "/console/").status, 503);
  EXPECT_EQ(ask("POST", "/console/").body, "starting\n");
  EXPECT_EQ(ask("GET", "/livez").status, 200);
  service->add({{.path = "/console/", .handle = [](const net::Request&, net::Responder respond) {
                   respond({.body = "page"});
                 }}});
  EXPECT_EQ(ask("GET", "/console/").body, "page");
  state_ = State::ready;
  EXPECT_EQ(ask("GET", "/console/").body, "page");
  EXPECT_EQ(ask("GET", "/other").status, 404);
}

TEST_F(ControlListener, ServesWhatItWasGivenBesides) {
  const auto say = [](const char* text) {
    return [text](const net::Request&, net::Responder respond) { respond({.body = text}); };
  };
  service_ = make_control_service(
      [] { return State::ready; },
      {{.path = "/numbers", .handle = say("42")},
       {.path = "/tree/",
        .screen = [](const net::RequestHead& head) -> std::variant<net::Response, net::BodyLimit> {
          if (head.method == "PUT") return net::Response{.status = 418};
          return net::BodyLimit{.bytes = 1};
        },
        .handle = say("leaf")}});
  EXPECT_EQ(ask("GET", "/numbers?x").body, "42");
  EXPECT_EQ(ask("POST", "/numbers").status, 405);
  EXPECT_EQ(ask("GET", "/numbers/1").status, 404);
  EXPECT_EQ(ask("POST", "/tree/a/b").body, "leaf");
  EXPECT_EQ(ask("PUT", "/tree/").status, 418);
  EXPECT_EQ(ask("GET", "/tree").status, 404);
  EXPECT_EQ(ask("GET", "/livez").status, 200);
}

}  // namespace
}  // namespace holdfast::control
