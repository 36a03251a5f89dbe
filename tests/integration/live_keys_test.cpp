// Tests that a reload brings each key that may change live to a running gateway.

#include "integration/live_keys.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/app/config.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/client/control_client.hpp>

#include "support/base/files.hpp"
#include "support/gateway/metrics.hpp"

namespace holdfast::test {

ReloadedGateway::ReloadedGateway(Options options) {
  if (options.by_manual_clock) clock_.emplace(unix_micros(system_clock().wall_now()));
  options.settings.push_back(
      R"(server.listeners=[{"parts":["ingest","websocket","login"],"address":")" + unix_address() +
      R"("}])");
  options.settings.push_back("user_pool.code_command=[\"tee\",\"" + code_file_ + "\"]");
  TestGateway::Options out;
  out.settings = std::move(options.settings);
  if (clock_) out.clock = &*clock_;
  gateway_.emplace(std::move(out));
}

void ReloadedGateway::advance(Seconds by) { clock_.value().advance(by); }

ReloadedGateway::Answer ReloadedGateway::call(const std::string& operation, const Json& input,
                                              bool is_signed) {
  RequestBuilder request;
  request.target = "/";
  request.headers = {{"Host", gateway_->address()},
                     {"Content-Type", "application/x-amz-json-1.1"},
                     {"X-Amz-Target", "AWSCognitoIdentityProviderService." + operation}};
  request.body = input.dump();
  if (is_signed) {
    request.headers.emplace_back("amz-sdk-invocation-id", generate_uuid());
    const Clock& clock = clock_ ? static_cast<const Clock&>(*clock_) : system_clock();
    request.sign(gateway_->credentials(), "us-east-1", "cognito-idp", clock.wall_now());
  }
  const auto response = gateway_->send_raw(request);
  if (!response) return {};
  return {response->status, parse_json(response->body).value_or(Json::object())};
}

ReloadedGateway::Answer ReloadedGateway::of_client(const std::string& operation, Json input) {
  input["ClientId"] = gateway_->info().client_id;
  return call(operation, input, false);
}

ReloadedGateway::Answer ReloadedGateway::admin(const std::string& operation, Json input) {
  input["UserPoolId"] = gateway_->info().user_pool_id;
  return call(operation, input, true);
}

ReloadedGateway::Answer ReloadedGateway::log_in(const std::string& name,
                                                const std::string& password) {
  return of_client("InitiateAuth",
                   {{"AuthFlow", "USER_PASSWORD_AUTH"},
                    {"AuthParameters", {{"USERNAME", name}, {"PASSWORD", password}}}});
}

ReloadedGateway::Answer ReloadedGateway::sign_up(const std::string& name) {
  std::remove(code_file_.c_str());
  const Json email = {{"Name", "email"}, {"Value", name + "@example.com"}};
  return of_client("SignUp", {{"Username", name},
                              {"Password", TestGateway::kPassword},
                              {"UserAttributes", Json::array({email})}});
}

ReloadedGateway::Answer ReloadedGateway::confirm_sign_up(const std::string& name,
                                                         const std::string& code) {
  return of_client("ConfirmSignUp", {{"Username", name}, {"ConfirmationCode", code}});
}

std::string ReloadedGateway::sent_code() const {
  std::string code;
  const bool sent = eventually([&] {
    const auto message = parse_json(read_file(code_file_));
    if (message && message->is_object()) code = message->value("code", "");
    return !code.empty();
  });
  if (!sent) throw std::runtime_error("no code was sent");
  return code;
}

std::string ReloadedGateway::refusal_of_password(const std::string& password) {
  const std::string name = "user-" + generate_uuid();
  (void)gateway_->root().admin_create_user(name, "One that every 1 of the rules takes!");
  return admin("AdminSetUserPassword",
               {{"Username", name}, {"Password", password}, {"Permanent", true}})
      .error();
}

int ReloadedGateway::status_of(std::string_view bytes) const {
  RawClient socket = gateway_->raw();
  socket.send(bytes);
  const auto response = socket.read_response(kSoon);
  return response ? response->status : 0;
}

int ReloadedGateway::publish(const std::string& text, const std::string& user) {
  const auto sent =
      gateway_->root().publish({.user_id = user, .text = text, .deduplication_id = {}, .ttl = {}});
  return sent ? 200 : sent.error().status;
}

double ReloadedGateway::metric(std::string_view name) {
  double sum = 0;
  for (const auto& [series, value] : scrape(gateway_->info().control_address)) {
    if (series == name || series.starts_with(std::string(name) + "{")) sum += value;
  }
  return sum;
}

std::vector<std::string> ReloadedGateway::connections(std::size_t count) {
  std::vector<std::string> out;
  const auto control = std::make_unique<client::ControlClient>(gateway_->info().control_socket);
  const bool admitted = eventually([&] {
    out.clear();
    const Json list = gateway_->control("GET", "/v1/connections");
    for (const Json& connection : list.at("connections")) {
      out.push_back(connection.at("connectionId"));
    }
    return out.size() == count && std::ranges::all_of(out, [&](const std::string& id) {
             return control->call("GET", "/v1/connections/" + id, nullptr).has_value();
           });
  });
  if (!admitted) throw std::runtime_error("a connection is not admitted");
  return out;
}

std::vector<LiveKey> joined(std::initializer_list<std::vector<LiveKey>> lists) {
  std::vector<LiveKey> out;
  for (const std::vector<LiveKey>& list : lists) out.insert(out.end(), list.begin(), list.end());
  return out;
}

namespace {

using ::testing::ContainerEq;
using ::testing::IsEmpty;

std::vector<LiveKey> all_live_keys() {
  return joined({live_keys_of_limits(), live_keys_of_delivery(), live_keys_of_users(),
                 live_keys_of_the_instance()});
}

class LiveKeyTest : public ::testing::TestWithParam<LiveKey> {};

TEST_P(LiveKeyTest, TakesEffectWhenReloaded) {
  const LiveKey& key = GetParam();
  for (const bool changes : {false, true}) {
    SCOPED_TRACE(changes ? "changed" : "not changed");
    ReloadedGateway gateway({.settings = key.start, .by_manual_clock = key.by_manual_clock});
    if (key.prepare != nullptr) key.prepare(gateway);
    std::vector<std::string> settings = key.companions;
    if (changes) settings.push_back(key.key + "=" + key.value);
    const auto outcome = gateway.gateway().reload(settings);
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_THAT(outcome->need_restart, IsEmpty());
    EXPECT_EQ(std::ranges::count(outcome->changed, key.key) == 1, changes);
    EXPECT_EQ(key.is_in_force(gateway), changes);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, LiveKeyTest, ::testing::ValuesIn(all_live_keys()),
                         [](const auto& info) {
                           std::string name = info.param.key;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

TEST(LiveKeysTest, HasATestForEach) {
  // No client of a gateway gets as far: a connection stays below it by its credit. A test of
  // WebSockets changes it.
  std::set<std::string> tested = {"limits.outbound_bytes"};
  for (const LiveKey& key : all_live_keys()) tested.insert(key.key);
  std::set<std::string> live;
  for (const app::SettingInfo& setting : app::settings()) {
    if (setting.live) live.insert(setting.key);
  }
  EXPECT_THAT(tested, ContainerEq(live));
}

}  // namespace
}  // namespace holdfast::test
