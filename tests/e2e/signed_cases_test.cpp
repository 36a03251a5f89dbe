// Requests that HTTP would not carry, or not unchanged, as botocore signs them: raw and folded.

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/iam/sigv4.hpp>

#include "e2e/outside.hpp"
#include "support/base/manual_clock.hpp"
#include "support/iam/fixed_access_keys.hpp"
#include "support/iam/request_builder.hpp"

namespace holdfast::test {
namespace {

constexpr int kSeed = 20'240'607;
constexpr int kCases = 3'000;
constexpr const char* kKeyId = "AKIATEST";
constexpr const char* kSecretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

RequestBuilder request_of(const Json& signed_case) {
  RequestBuilder out;
  out.method = signed_case.at("method");
  out.target = signed_case.at("target");
  out.headers.clear();
  for (const Json& header : signed_case.at("headers")) {
    out.headers.emplace_back(header.at(0), header.at(1));
  }
  out.body = base64_decode(signed_case.at("body").get<std::string>()).value();
  return out;
}

// `change`: what it is, the part, and its new value.
RequestBuilder spoilt(RequestBuilder request, const Json& change) {
  const Json& part = change.at(1);
  const Json& value = change.at(2);
  if (part == "method") {
    request.method = value;
  } else if (part == "target") {
    request.target = value;
  } else if (part == "body") {
    request.body = base64_decode(value.get<std::string>()).value();
  } else {
    const auto header = request.headers.begin() + part.get<int>();
    if (value.is_null()) {
      request.headers.erase(header);
    } else {
      header->second = value;
    }
  }
  return request;
}

class SignedCasesTest : public ::testing::Test {
 protected:
  SignedCasesTest() { keys_->set(kKeyId, kSecretKey); }

  // Empty when the signature is good.
  [[nodiscard]] std::string refusal(const RequestBuilder& request, const std::string& service) {
    std::string out;
    request.with([&](const iam::SignedRequest& view) {
      const auto verified = verifier_->verify(view, service);
      if (!verified) out = verified.error().message;
    });
    return out;
  }
  // Empty when the whole request passes and no spoilt one does.
  [[nodiscard]] std::string wrong_about(const Json& signed_case) {
    const std::string service = signed_case.at("service");
    const RequestBuilder whole = request_of(signed_case);
    if (const std::string refused = refusal(whole, service); !refused.empty()) return refused;
    for (const Json& change : signed_case.at("spoilt")) {
      ++spoilt_;
      if (refusal(spoilt(whole, change), service).empty()) return "taken with " + change.dump();
    }
    return "";
  }

  std::shared_ptr<FixedAccessKeys> keys_ = std::make_shared<FixedAccessKeys>();
  // The script's time.
  ManualClock clock_{1'772'366'400'000'000};
  std::unique_ptr<iam::SigV4Verifier> verifier_ =
      std::make_unique<iam::SigV4Verifier>(iam::SigV4Options{}, clock_, keys_);
  std::size_t spoilt_ = 0;
};

TEST_F(SignedCasesTest, AcceptsBotocoresCasesAndNoneWithAChangedByte) {
  const auto script = start_client_script(
      "signed_cases.py", {std::to_string(kSeed), std::to_string(kCases), kKeyId, kSecretKey});
  ASSERT_EQ(script->wait(kPatience), 0) << transcript(*script);
  const auto lines = script->output();
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(kCases)) << transcript(*script);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto signed_case = parse_json(lines[i]);
    ASSERT_TRUE(signed_case) << lines[i];
    const std::string wrong = wrong_about(*signed_case);
    EXPECT_EQ(wrong, "") << "seed " << kSeed << ", case " << i << ": " << lines[i];
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(spoilt_, 10U * kCases) << "each has many parts";
}

}  // namespace
}  // namespace holdfast::test
