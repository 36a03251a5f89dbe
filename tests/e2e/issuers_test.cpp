// ID tokens of an OpenID provider that no one here wrote.

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>
#include <holdfast/client/gateway_client.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class IssuersTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    provider_ = start_client_script("openid_provider.js", {GetParam()});
    const auto issuer = wait_for_lines(*provider_, "issuer ", 1);
    ASSERT_THAT(issuer, SizeIs(1)) << transcript(*provider_);
    issuer_ = issuer[0];
  }
  void start_gateway(const std::string& audience, const std::string& algorithm) {
    const Json issuers = Json::array({{{"issuer", issuer_},
                                       {"audience", Json::array({audience})},
                                       {"algorithms", Json::array({algorithm})},
                                       {"user_id_prefix", "op/"}}});
    gateway_ = std::make_unique<GatewayProcess>(
        GatewayProcess::Options{.data_dir = dir_.file("data"),
                                .environment = {{"HOLDFAST_IDENTITY__ISSUERS", issuers.dump()}}});
  }
  // An ID token by the provider's own login.
  [[nodiscard]] std::string log_in(const std::string& name) {
    provider_->write("login " + name + "\n");
    const auto tokens = wait_for_lines(*provider_, "id_token ", ++logins_);
    EXPECT_THAT(tokens, SizeIs(logins_)) << transcript(*provider_);
    return tokens.empty() ? "" : tokens.back();
  }
  // Returns the answer of `GET /tokens`: `taken`, or the refusal.
  [[nodiscard]] std::string answer_to(const std::string& id_token) const {
    const auto token = gateway_->client()->temporary_token(id_token);
    return token ? "taken" : token.error().text();
  }

  TempDir dir_;
  std::unique_ptr<ChildProcess> provider_;
  std::string issuer_;
  std::size_t logins_ = 0;
  std::unique_ptr<GatewayProcess> gateway_;
};

TEST_P(IssuersTest, PrefixesTheirUsersIds) {
  start_gateway("holdfast", GetParam());
  const OutsideUser alice{.id = "op/alice", .id_token = log_in("alice"), .password = {}};
  const auto client = start_client_script("receive_ws.js", {websocket_url(*gateway_, alice)});
  ASSERT_THAT(wait_for_lines(*client, "connected", 1), SizeIs(1)) << transcript(*client);
  EXPECT_EQ(publish(*gateway_, "alice", "for another"), "STORED");
  (void)publish(*gateway_, alice.id, "for alice");
  EXPECT_THAT(wait_for_lines(*client, "frame ", 1), ElementsAre(R"({"Payload":"for alice"})"))
      << transcript(*client);
}

TEST_P(IssuersTest, SurvivesChangedKeysAndAnAbsentIssuer) {
  const std::string before = log_in("alice");
  provider_->write("rotate\n");
  ASSERT_THAT(wait_for_lines(*provider_, "rotated", 1), SizeIs(1)) << transcript(*provider_);
  const std::string after = log_in("bob");
  start_gateway("holdfast", GetParam());
  EXPECT_EQ(answer_to(after), "taken");
  EXPECT_EQ(answer_to(before), "taken");
  provider_->write("end\n");
  ASSERT_EQ(provider_->wait(kPatience), 0) << transcript(*provider_);
  EXPECT_EQ(answer_to(after), "taken") << "the keys are known";
}

TEST_P(IssuersTest, RefusesTokensForOtherAudiences) {
  start_gateway("another", GetParam());
  EXPECT_THAT(answer_to(log_in("alice")), HasSubstr("Unauthorized"));
}

TEST_P(IssuersTest, RefusesTokensWithAChangedByte) {
  start_gateway("holdfast", GetParam());
  const std::string token = log_in("alice");
  for (const std::size_t part : {token.find('.'), token.rfind('.')}) {
    std::string changed = token;
    char& digit = changed[part + 20];
    digit = digit == 'A' ? 'B' : 'A';
    EXPECT_THAT(answer_to(changed), HasSubstr("Unauthorized"));
  }
  EXPECT_EQ(answer_to(token), "taken");
}

TEST_P(IssuersTest, TakesTheAlgorithmFromTheConfigurationNotTheToken) {
  start_gateway("holdfast", std::string(GetParam()) == "RS256" ? "ES256" : "RS256");
  EXPECT_THAT(answer_to(log_in("alice")), HasSubstr("Unauthorized"));
}

INSTANTIATE_TEST_SUITE_P(SignWith, IssuersTest, ::testing::Values("RS256", "ES256", "EdDSA"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace holdfast::test
