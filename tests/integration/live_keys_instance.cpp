// Shows that keys of names, the store, the log and the shutdown are in force.

#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>

#include "integration/live_keys.hpp"

namespace holdfast::test {
namespace {

// The answer to CloudFormation's DescribeStacks, whole; empty: refused.
std::string described_stack(ReloadedGateway& gateway, const std::string& name) {
  RequestBuilder request;
  request.target = "/";
  request.headers = {{"Host", gateway.gateway().address()},
                     {"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = "Action=DescribeStacks&Version=2010-05-15";
  if (!name.empty()) request.body += "&StackName=" + name;
  request.sign(gateway.gateway().credentials(), "us-east-1", "cloudformation",
               system_clock().wall_now());
  const auto answer = gateway.gateway().send_raw(request);
  return answer && answer->status == 200 ? answer->body : std::string();
}

// A key that may call the API of one id alone.
bool lets_in_the_key_of_another_api(ReloadedGateway& gateway) {
  const Json policy = parse_json(R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
                                 R"("Action":"execute-api:Invoke",)"
                                 R"("Resource":"arn:aws:execute-api:*:*:other/*"}]})")
                          .value();
  const Json made =
      gateway.gateway().control("POST", "/v1/access-keys", {{"name", "other"}, {"policy", policy}});
  client::GatewayOptions options;
  options.url = "http://" + gateway.gateway().address();
  options.credentials = {
      .access_key_id = made.at("id"), .secret_access_key = made.at("secret"), .session_token = {}};
  const auto client = client::make_gateway_client(std::move(options), system_clock()).value();
  return client->publish({.user_id = "u", .text = "m", .deduplication_id = {}, .ttl = {}})
      .has_value();
}

bool writes_no_access_line(ReloadedGateway& gateway) {
  ::testing::internal::CaptureStdout();
  (void)gateway.status_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  // The line is written behind the answer.
  (void)gateway.gateway().stop();
  return !::testing::internal::GetCapturedStdout().contains(log::kAccessEvent);
}

bool has_the_record(ReloadedGateway& gateway) {
  const Json audit = gateway.gateway().control("GET", "/v1/audit");
  for (const Json& record : audit.at("records")) {
    if (record["action"] == "login") return true;
  }
  return false;
}

std::vector<LiveKey> keys_of_names() {
  return {
      {"server.documentation_url", "https://docs.example.com",
       [](ReloadedGateway& gateway) {
         const auto refused = gateway.gateway().send_bytes("GET /no HTTP/1.1\r\nHost: x\r\n\r\n");
         return refused && !refused->header("Link").empty();
       }},
      {"aws.api_id", "other", lets_in_the_key_of_another_api},
      {"aws.stage", "live",
       [](ReloadedGateway& gateway) {
         return gateway.status_of("GET /live/tokens HTTP/1.1\r\nHost: x\r\n\r\n") == 401;
       }},
      {"aws.stack_name", "Other",
       [](ReloadedGateway& gateway) { return !described_stack(gateway, "Other").empty(); }},
      {"aws.sample_app_url", "https://app.example.com",
       [](ReloadedGateway& gateway) {
         return described_stack(gateway, "").contains("https://app.example.com");
       }},
  };
}

}  // namespace

std::vector<LiveKey> live_keys_of_the_instance() {
  return joined(
      {keys_of_names(),
       {
           {"storage.database_bytes_max", "4096",
            [](ReloadedGateway& gateway) { return gateway.publish("m") == 503; }},
           {"storage.disk_free_min", "0",
            [](ReloadedGateway& gateway) {
              return eventually(
                  [&] { return gateway.metric("holdfast_store_disk_free_min_bytes") == 0; },
                  2 * ReloadedGateway::kSoon);
            }},
           {"shutdown.drain_seconds", "77",
            [](ReloadedGateway& gateway) {
              return gateway.gateway().gateway().drain() == Seconds(77);
            }},
           {"log.level", "debug", [](ReloadedGateway&) { return log::enabled(log::Level::debug); }},
           {"log.access", "false", writes_no_access_line, {"log.level=debug"}},
           {"audit.keep_days",
            "1",
            [](ReloadedGateway& gateway) {
              return eventually([&] { return !has_the_record(gateway); }, ReloadedGateway::kSoon);
            },
            {},
            {},
            /*by_manual_clock=*/true,
            [](ReloadedGateway& gateway) {
              (void)gateway.gateway().make_user();
              (void)eventually([&] { return has_the_record(gateway); });
              gateway.advance(Seconds(2 * 24 * 3600));
            }},
       }});
}

}  // namespace holdfast::test
