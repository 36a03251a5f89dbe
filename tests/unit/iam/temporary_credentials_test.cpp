// Tests temporary credentials.

#include <memory>
#include <optional>
#include <regex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/iam/sigv4.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/iam/fake_access_key_store.hpp"
#include "support/iam/fake_secret_box.hpp"
#include "support/iam/request_builder.hpp"

namespace holdfast::iam {
namespace {

using test::FakeAccessKeyStore;
using test::FakeSecretBox;
using test::ManualClock;
using test::ManualExecutor;
using test::RequestBuilder;
using ::testing::HasSubstr;

constexpr std::string_view kSessionRegion = "us-east-1";
constexpr std::string_view kSessionService = "execute-api";
constexpr auto kUnknownClient = SignatureErrc::unrecognized_client;

std::string session_statement(const std::string& effect, const std::string& action) {
  return R"({"Effect":")" + effect + R"(","Action":")" + action + R"(","Resource":"*"})";
}
std::string session_document(const std::string& statements) {
  return R"({"Version":"2012-10-17","Statement":[)" + statements + "]}";
}

/// Temporary credentials from their making to the verifier; store and box are fakes.
class Sessions : public ::testing::Test {
 protected:
  Sessions() {
    open_access_keys({}, clock_, store_, box_, [&](auto opened) { keys_ = opened.value(); });
    executor_.run();
    parent_ = make_key("producer").id;
    verifier_ = std::make_unique<SigV4Verifier>(
        SigV4Options{.times = {.presigned_max = Seconds(604'800)}}, clock_, keys_);
  }

  AccessKeys::Created make_key(const std::string& name) {
    std::optional<Result<AccessKeys::Created>> out;
    keys_->create({.name = name, .policy = std::string(kAllowAll)},
                  [&](auto created) { out = std::move(created); });
    executor_.run();
    return out->value();
  }
  void change(const std::string& id, AccessKeyChange wanted) {
    std::optional<Result<void>> out;
    keys_->change(id, std::move(wanted), [&](auto changed) { out = std::move(changed); });
    executor_.run();
    EXPECT_TRUE(out.value());
  }
  void remove(const std::string& id) {
    keys_->remove(id, [](const auto& removed) { EXPECT_TRUE(removed); });
    executor_.run();
  }
  Credentials session(const std::optional<std::string>& policy = std::nullopt,
                      Seconds lifetime = kSessionLifetimeDefault) {
    const auto made = keys_->make_temporary_credentials(parent_, lifetime, policy).value();
    return {made.id, made.secret, made.token};
  }

  std::expected<AccessKeyPtr, SignatureError> verify(const RequestBuilder& request) {
    std::expected<AccessKeyPtr, SignatureError> out;
    request.with([&](const SignedRequest& view) {
      auto signer = verifier_->verify(view, kSessionService);
      if (!signer) {
        out = std::unexpected(std::move(signer.error()));
        return;
      }
      out = std::move(signer->key);
    });
    return out;
  }
  RequestBuilder signed_by(const Credentials& credentials) {
    RequestBuilder request;
    return request.sign(credentials, kSessionRegion, kSessionService, clock_.wall_now());
  }
  RequestBuilder presigned_by(const Credentials& credentials, std::string_view expires = "60") {
    RequestBuilder request;
    request.body.clear();
    return request.presign(credentials, kSessionRegion, kSessionService, clock_.wall_now(),
                           expires);
  }
  void expect_refused(const RequestBuilder& request, SignatureErrc code, const char* words = "") {
    const auto answer = verify(request);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, code) << answer.error().message;
    EXPECT_THAT(answer.error().message, HasSubstr(words));
  }
  Decision decide_on(const AccessKeyPtr& key, std::string_view action) {
    PolicyRequest request;
    request.action = action;
    request.resource = "arn:aws:x";
    return decide(*key, request);
  }

  ManualClock clock_;
  ManualExecutor executor_;
  FakeAccessKeyStore store_{executor_};
  FakeSecretBox box_;
  std::shared_ptr<AccessKeys> keys_;
  std::string parent_;
  std::unique_ptr<SigV4Verifier> verifier_;
};

TEST_F(Sessions, SignInTheNameAndOnTheAccountOfTheirKey) {
  const Credentials credentials = session();
  EXPECT_TRUE(std::regex_match(credentials.access_key_id, std::regex("ASIA[A-Z2-7]{16}")));
  EXPECT_TRUE(std::regex_match(credentials.secret_access_key, std::regex("[A-Za-z0-9+/]{40}")));
  EXPECT_FALSE(credentials.session_token.contains(credentials.secret_access_key));
  EXPECT_EQ(store_.rows.size(), 1U) << "nothing is kept of them";
  for (const RequestBuilder& request : {signed_by(credentials), presigned_by(credentials)}) {
    const auto key = verify(request);
    ASSERT_TRUE(key) << key.error().message;
    EXPECT_EQ((*key)->id, credentials.access_key_id);
    EXPECT_EQ((*key)->arn, "arn:aws:iam::000000000000:user/producer");
    EXPECT_EQ((*key)->name, "producer");
    EXPECT_EQ((*key)->quota, keys_->find(parent_)->quota);
    EXPECT_EQ((*key)->expires_at, clock_.wall_now() + Seconds(3600));
  }
}

TEST_F(Sessions, ReuseTheKeyUntilTheParentChanges) {
  const Credentials credentials = session();
  const AccessKeyPtr first = verify(signed_by(credentials)).value();
  EXPECT_EQ(verify(signed_by(credentials)).value(), first) << "opened once";
  change(parent_, {.rate = KeyRate(5)});
  const AccessKeyPtr second = verify(signed_by(credentials)).value();
  EXPECT_NE(second, first);
  EXPECT_EQ(second->rate, KeyRate(5));
  // More tokens than are remembered: each is still itself.
  std::vector<Credentials> many;
  many.reserve(600);
  for (int i = 0; i < 600; ++i) many.push_back(session());
  for (int round = 0; round < 2; ++round) {
    for (const Credentials& each : many) {
      const auto key = verify(signed_by(each));
      ASSERT_TRUE(key);
      EXPECT_EQ((*key)->id, each.access_key_id);
    }
  }
}

TEST_F(Sessions, ExpireAndSaySo) {
  const Credentials credentials = session(std::nullopt, kSessionLifetimeMin);
  const RequestBuilder link = presigned_by(credentials, "604800");
  clock_.advance(Seconds(899));
  EXPECT_TRUE(verify(signed_by(credentials)));
  EXPECT_TRUE(verify(link));
  clock_.advance(Seconds(1));
  constexpr const char* words = "The security token included in the request is expired";
  expect_refused(signed_by(credentials), SignatureErrc::expired_token, words);
  expect_refused(link, SignatureErrc::expired_token, words);
  verifier_ = std::make_unique<SigV4Verifier>(SigV4Options{}, clock_, keys_);
  expect_refused(signed_by(credentials), SignatureErrc::expired_token, words);
}

TEST_F(Sessions, EndWithTheirKeyAtOnce) {
  const Credentials credentials = session();
  EXPECT_TRUE(verify(signed_by(credentials)));
  change(parent_, {.enabled = false});
  expect_refused(signed_by(credentials), kUnknownClient, "security token");
  EXPECT_EQ(keys_->make_temporary_credentials(parent_, kSessionLifetimeDefault, std::nullopt)
                .error()
                .code,
            Errc::conflict);
  change(parent_, {.enabled = true});
  EXPECT_TRUE(verify(signed_by(credentials)));
  remove(parent_);
  expect_refused(signed_by(credentials), kUnknownClient, "security token");
  EXPECT_EQ(keys_->make_temporary_credentials(parent_, kSessionLifetimeDefault, std::nullopt)
                .error()
                .code,
            Errc::not_found);
}

TEST_F(Sessions, AreRefusedWithoutTheirOwnToken) {
  const Credentials credentials = session();
  const Credentials other = session();
  const auto permanent = make_key("permanent");
  const auto spoilt = [&](std::string_view id, std::string_view secret, std::string_view token) {
    return Credentials{std::string(id), std::string(secret), std::string(token)};
  };
  const std::string& token = credentials.session_token;
  std::string flipped = token;
  flipped[token.size() / 2] = flipped[token.size() / 2] == 'A' ? 'B' : 'A';
  const auto& [id, secret, own] = credentials;
  for (const Credentials& wrong :
       {spoilt(id, secret, ""), spoilt(id, secret, other.session_token),
        spoilt(other.access_key_id, secret, token), spoilt(permanent.id, permanent.secret, token),
        spoilt(permanent.id, secret, token), spoilt(parent_, secret, token),
        spoilt(id, secret, flipped), spoilt(id, secret, token + "A"),
        spoilt(id, secret, token.substr(1)), spoilt(id, secret, "x"),
        spoilt(id, secret, base64url_encode("not sealed at all")),
        spoilt(id, secret, std::string(20'000, 'A'))}) {
    expect_refused(signed_by(wrong), kUnknownClient, "security token");
    expect_refused(presigned_by(wrong), kUnknownClient, "security token");
  }
  // A text sealed for another purpose is not a token.
  const std::string foreign = base64url_encode(
      box_.seal(id + "\n" + secret + "\n" + parent_ + "\n9999999999999999\n", "another purpose")
          .value());
  expect_refused(signed_by(spoilt(id, secret, foreign)), kUnknownClient);
  EXPECT_TRUE(verify(signed_by(credentials)));
  const auto wrong_secret = spoilt(id, permanent.secret, token);
  expect_refused(signed_by(wrong_secret), SignatureErrc::invalid_signature);
}

TEST_F(Sessions, RefuseWhatIsSealedInAnotherForm) {
  const Credentials& credentials = session();
  const auto& [id, secret, token] = credentials;
  const std::string head = id + "\n" + secret + "\n" + parent_ + "\n";
  for (const std::string& text :
       {std::string(), id, head, head + "soon\n", head + "12x\n", head + "99999999999999999999\n",
        head + "9999999999999999\n{}", head + "9999999999999999\nnot a policy"}) {
    const std::string sealed = base64url_encode(box_.seal(text, "session token").value());
    expect_refused(signed_by({id, secret, sealed}), kUnknownClient);
  }
}

TEST_F(Sessions, CarryTheirTokenOnceAndWhereTheirSignatureIs) {
  const Credentials credentials = session();
  const auto incomplete = SignatureErrc::incomplete_signature;
  RequestBuilder twice = signed_by(credentials);
  twice.headers.emplace_back("x-amz-security-token", credentials.session_token);
  expect_refused(twice, incomplete, "more than once");
  RequestBuilder query_twice = presigned_by(credentials);
  query_twice.target += "&X-Amz-Security-%54oken=x";
  expect_refused(query_twice, incomplete, "more than once");
  RequestBuilder in_query;
  in_query.target += "?X-Amz-Security-Token=" + credentials.session_token;
  in_query.sign({credentials.access_key_id, credentials.secret_access_key, ""}, kSessionRegion,
                kSessionService, clock_.wall_now());
  expect_refused(in_query, incomplete, "where the signature comes");
  RequestBuilder in_header;
  in_header.headers.emplace_back("X-Amz-Security-Token", credentials.session_token);
  in_header.presign({credentials.access_key_id, credentials.secret_access_key, ""}, kSessionRegion,
                    kSessionService, clock_.wall_now(), "60");
  expect_refused(in_header, incomplete, "where the signature comes");
}

TEST_F(Sessions, SignTheirToken) {
  const Credentials credentials = session();
  // A client that adds the token after signing.
  RequestBuilder late = signed_by({credentials.access_key_id, credentials.secret_access_key, ""});
  late.headers.emplace_back("X-Amz-Security-Token", credentials.session_token);
  expect_refused(late, SignatureErrc::invalid_signature, "must be a 'SignedHeader'");
  RequestBuilder late_query =
      presigned_by({credentials.access_key_id, credentials.secret_access_key, ""});
  late_query.target += "&X-Amz-Security-Token=" + credentials.session_token;
  expect_refused(late_query, SignatureErrc::invalid_signature);
}

TEST_F(Sessions, MayDoWhatBothPoliciesAllow) {
  const std::string invoke = session_statement("Allow", "execute-api:Invoke");
  const std::string invoke_and_admin = invoke + "," + session_statement("Allow", "cognito-idp:*");
  const std::string no_invoke =
      session_statement("Allow", "*") + "," + session_statement("Deny", "execute-api:*");
  const auto decisions = [&](const std::string& own, const std::string& narrower) {
    change(parent_, {.policy = session_document(own)});
    const auto key = verify(signed_by(session(session_document(narrower)))).value();
    return std::pair(decide_on(key, "execute-api:Invoke"), decide_on(key, "cognito-idp:ListUsers"));
  };
  using enum Decision;
  EXPECT_EQ(decisions(invoke_and_admin, invoke), std::pair(allow, implicit_deny));
  EXPECT_EQ(decisions(invoke, invoke_and_admin), std::pair(allow, implicit_deny));
  EXPECT_EQ(decisions(invoke_and_admin, no_invoke), std::pair(explicit_deny, allow));
  EXPECT_EQ(decisions(no_invoke, invoke_and_admin), std::pair(explicit_deny, allow));
  EXPECT_EQ(decisions(invoke, no_invoke), std::pair(explicit_deny, implicit_deny));
  // Without a policy of their own, as wide as the key; a new policy of the key is theirs at once.
  const Credentials wide = session();
  change(parent_, {.policy = session_document(invoke)});
  const auto key = verify(signed_by(wide)).value();
  EXPECT_EQ(decide_on(key, "execute-api:Invoke"), allow);
  EXPECT_EQ(decide_on(key, "cognito-idp:ListUsers"), implicit_deny);
}

TEST_F(Sessions, AreBoundedInTimeAndPolicy) {
  const auto refused = [&](Seconds lifetime, const std::optional<std::string>& policy) {
    const auto made = keys_->make_temporary_credentials(parent_, lifetime, policy);
    return made ? std::string("made") : made.error().where;
  };
  EXPECT_EQ(refused(Seconds(899), std::nullopt), "durationSeconds");
  EXPECT_EQ(refused(Seconds(129'601), std::nullopt), "durationSeconds");
  EXPECT_EQ(refused(Seconds(-1), std::nullopt), "durationSeconds");
  EXPECT_EQ(refused(Seconds(900), std::nullopt), "made");
  EXPECT_EQ(refused(Seconds(129'600), std::nullopt), "made");
  EXPECT_EQ(refused(Seconds(900), "{}"), "Version");
  EXPECT_EQ(
      refused(Seconds(900),
              session_document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{)"
                               R"("StringEquals":{"aws:PrincipalTag/x":"y"}}})")),
      "Statement[0].Condition.StringEquals.aws:PrincipalTag/x");
  std::string longest = session_document(session_statement("Allow", "*"));
  longest += std::string(kSessionPolicyBytesMax - longest.size(), ' ');
  EXPECT_EQ(refused(Seconds(900), longest + " "), "policy");
  const auto key = verify(signed_by(session(longest)));
  EXPECT_TRUE(key) << "the longest policy fits into a token";
  box_.unavailable = true;
  EXPECT_EQ(keys_->make_temporary_credentials(parent_, Seconds(900), std::nullopt).error().code,
            Errc::unavailable);
}

}  // namespace
}  // namespace holdfast::iam
