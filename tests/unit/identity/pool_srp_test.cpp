// Tests logins with SRP.

#include <string>

#include <holdfast/base/crypto.hpp>

#include "support/identity/srp_client.hpp"
#include "unit/identity/user_pool_fixture.hpp"

namespace holdfast::identity {
namespace {

const char* const kSrpWrong = "Incorrect username or password.";

class SrpLogin : public UserPoolTest {
 protected:
  PoolResult<AuthOutcome> begin(const std::string& name, const std::string& client_public) {
    return initiate({.pool_id = {},
                     .client_id = kClient,
                     .flow = "USER_SRP_AUTH",
                     .parameters = {{"USERNAME", name}, {"SRP_A", client_public}}});
  }
  PoolResult<AuthOutcome> prove(Parameters responses) {
    return respond({.pool_id = {},
                    .client_id = kClient,
                    .challenge = "PASSWORD_VERIFIER",
                    .session = {},
                    .responses = std::move(responses)});
  }
  /// Returns the responses of a client with this password.
  Parameters responses(const Parameters& challenge, const std::string& password) const {
    const std::string user = challenge.at("USER_ID_FOR_SRP");
    const std::string key =
        client_.key("abcdefghi", user, password, challenge.at("SALT"), challenge.at("SRP_B"));
    const std::string time = "Sun Nov 22 12:33:21 UTC 2026";
    const std::string block = base64_decode(challenge.at("SECRET_BLOCK")).value();
    const Digest proof = hmac_sha256(key, "abcdefghi" + user + block + time);
    return {{"USERNAME", user},
            {"PASSWORD_CLAIM_SECRET_BLOCK", challenge.at("SECRET_BLOCK")},
            {"PASSWORD_CLAIM_SIGNATURE", base64_encode(view(proof))},
            {"TIMESTAMP", time}};
  }
  PoolResult<AuthOutcome> srp(const std::string& name, const std::string& password) {
    const auto first = begin(name, client_.public_hex());
    if (!first) return first;
    EXPECT_EQ(first->challenge->name, "PASSWORD_VERIFIER");
    return prove(responses(first->challenge->parameters, password));
  }
  /// Alice, confirmed, with a verifier.
  void make_alice(const std::string& password = "password1") {
    ASSERT_TRUE(create("Alice", "temporary1"));
    ASSERT_TRUE(run<void>([&](auto done) {
      pool_->admin_set_user_password({{kPool, "alice"}, password, true}, std::move(done));
    }));
  }

  test::SrpClient client_;
};

TEST_F(SrpLogin, TakesTheRightPasswordAlone) {
  make_alice();
  const auto outcome = srp("ALICE", "password1");
  ASSERT_TRUE(outcome) << outcome.error().message;
  ASSERT_TRUE(outcome->result);
  EXPECT_EQ(claims_of(outcome->result->id_token)["cognito:username"], "Alice");
  EXPECT_TRUE(outcome->result->refresh_token);
  EXPECT_EQ(refusal(srp("alice", "password2"), PoolErrc::not_authorized), kSrpWrong);
}

TEST_F(SrpLogin, AnswersANameThatNobodyHasLikeAWrongPassword) {
  make_alice();
  const auto first = begin("nobody", client_.public_hex());
  const auto again = begin("NOBODY", client_.public_hex());
  ASSERT_TRUE(first && again);
  const Parameters& challenge = first->challenge->parameters;
  EXPECT_EQ(challenge.at("SALT"), again->challenge->parameters.at("SALT"));
  EXPECT_NE(challenge.at("SRP_B"), again->challenge->parameters.at("SRP_B"));
  EXPECT_EQ(challenge.at("SALT").size(), 32U);
  EXPECT_EQ(refusal(prove(responses(challenge, "password1")), PoolErrc::not_authorized), kSrpWrong);

  options_.prevent_user_existence_errors = false;
  make();
  EXPECT_EQ(refusal(begin("nobody", client_.public_hex()), PoolErrc::user_not_found),
            "User does not exist.");
}

TEST_F(SrpLogin, LeadsToTheFirstPasswordOfANewUser) {
  ASSERT_TRUE(create("Alice", "temporary1"));
  const auto outcome = srp("alice", "temporary1");
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(outcome->challenge);
  EXPECT_EQ(outcome->challenge->name, "NEW_PASSWORD_REQUIRED");
  ASSERT_TRUE(set_password(outcome->challenge->session, "password1", "alice"));
  EXPECT_TRUE(srp("alice", "password1"));
}

TEST_F(SrpLogin, RefusesWhatIsNotTheAnswerToItsOwnChallenge) {
  make_alice();
  const auto first = begin("alice", client_.public_hex());
  const Parameters good = responses(first->challenge->parameters, "password1");
  for (const char* member :
       {"USERNAME", "PASSWORD_CLAIM_SECRET_BLOCK", "PASSWORD_CLAIM_SIGNATURE", "TIMESTAMP"}) {
    Parameters missing = good;
    missing.erase(member);
    EXPECT_EQ(refusal(prove(missing), PoolErrc::invalid_parameter),
              std::string("Missing required parameter ") + member);
    if (std::string(member) == "TIMESTAMP") continue;
    Parameters bad = good;
    bad[member] = "AAAA";
    EXPECT_EQ(refusal(prove(bad), PoolErrc::not_authorized), kSrpWrong) << member;
  }
  Parameters later = good;
  later["TIMESTAMP"] = "Sun Nov 22 12:33:22 UTC 2026";
  EXPECT_EQ(refusal(prove(later), PoolErrc::not_authorized), kSrpWrong);
  Parameters flipped = good;
  char& c = flipped["PASSWORD_CLAIM_SECRET_BLOCK"][20];
  c = c == 'A' ? 'B' : 'A';
  EXPECT_EQ(refusal(prove(flipped), PoolErrc::not_authorized), kSrpWrong);
  clock_.advance(Seconds(60));
  EXPECT_TRUE(prove(good));
  clock_.advance(options_.session_lifetime);
  EXPECT_EQ(refusal(prove(good), PoolErrc::not_authorized),
            "Invalid session for the user, session is expired.");
}

TEST_F(SrpLogin, RefusesAPasswordThatWasChangedMeanwhile) {
  make_alice();
  const auto first = begin("alice", client_.public_hex());
  clock_.advance(Seconds(1));
  ASSERT_TRUE(run<void>([&](auto done) {
    pool_->admin_set_user_password({{kPool, "alice"}, "password2", true}, std::move(done));
  }));
  EXPECT_EQ(refusal(prove(responses(first->challenge->parameters, "password1")),
                    PoolErrc::not_authorized),
            kSrpWrong);
}

TEST_F(SrpLogin, TakesAnAnswerOnce) {
  make_alice();
  const auto first = begin("alice", client_.public_hex());
  const Parameters good = responses(first->challenge->parameters, "password1");
  ASSERT_TRUE(prove(good));
  EXPECT_EQ(refusal(prove(good), PoolErrc::not_authorized), kSrpWrong);
  Parameters respelled = good;
  respelled["PASSWORD_CLAIM_SECRET_BLOCK"] += "=";
  EXPECT_FALSE(prove(respelled));
  EXPECT_TRUE(srp("alice", "password1"));
}

TEST_F(SrpLogin, RefusesAChallengeFromBeforeASignOut) {
  make_alice();
  const auto first = begin("alice", client_.public_hex());
  const Parameters good = responses(first->challenge->parameters, "password1");
  ASSERT_TRUE(on_user(&UserPool::admin_user_global_sign_out));
  EXPECT_EQ(refusal(prove(good), PoolErrc::not_authorized), kSrpWrong);
}

TEST_F(SrpLogin, RemembersAnsweredChallengesUntilTheyExpireAndNoMoreThanItMay) {
  using Outcome = SpentChallenges::Outcome;
  SpentChallenges spent(clock_, 2);
  const WallTime soon = clock_.wall_now() + Seconds(10);
  EXPECT_EQ(spent.spend(sha256("a"), soon), Outcome::spent);
  EXPECT_EQ(spent.spend(sha256("a"), soon), Outcome::spent_before);
  EXPECT_EQ(spent.spend(sha256("b"), soon), Outcome::spent);
  EXPECT_EQ(spent.spend(sha256("c"), soon), Outcome::full);
  EXPECT_EQ(spent.spend(sha256("b"), soon), Outcome::spent_before);
  clock_.advance(Seconds(10));
  EXPECT_EQ(spent.spend(sha256("c"), soon + Seconds(10)), Outcome::spent);
}

TEST_F(SrpLogin, SharesTheLockoutOfOtherLogins) {
  make_alice();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(srp("alice", "password2"));
  EXPECT_EQ(refusal(srp("alice", "password1"), PoolErrc::locked), "Password attempts exceeded");
  EXPECT_EQ(refusal(login("alice", "password1"), PoolErrc::locked), "Password attempts exceeded");
  clock_.advance(Seconds(1));
  EXPECT_TRUE(srp("alice", "password1"));
}

TEST_F(SrpLogin, WorksForUsersDuringAFloodOfUnknownNames) {
  attempts_ = std::make_shared<AttemptCounts>(clock_, 3);
  make();
  make_alice();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(refusal(srp("nobody" + std::to_string(i), "x"), PoolErrc::not_authorized), kSrpWrong);
    EXPECT_EQ(refusal(login("no" + std::to_string(i), "x"), PoolErrc::not_authorized), kSrpWrong);
  }
  EXPECT_TRUE(srp("alice", "password1"));
  EXPECT_TRUE(login("alice", "password1"));
}

TEST_F(SrpLogin, LocksAliceWithoutAVerifierLikeANameThatNobodyHas) {
  make_alice();
  database_.users.begin()->second.srp_verifier.clear();
  for (const char* const name : {"alice", "nobody"}) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(refusal(srp(name, "password1"), PoolErrc::not_authorized), kSrpWrong);
    }
    EXPECT_EQ(refusal(login(name, "password1"), PoolErrc::locked), "Password attempts exceeded");
  }
}

TEST_F(SrpLogin, KeepsNoVerifierWhereItIsSwitchedOff) {
  options_.srp_enabled = false;
  make();
  make_alice();
  EXPECT_TRUE(database_.users.begin()->second.srp_verifier.empty());
  EXPECT_EQ(refusal(begin("alice", client_.public_hex()), PoolErrc::invalid_parameter),
            "USER_SRP_AUTH flow not enabled for this client");
  // One without a verifier is a name that nobody has, once it is on again, until the next login.
  options_.srp_enabled = true;
  make();
  EXPECT_EQ(refusal(srp("alice", "password1"), PoolErrc::not_authorized), kSrpWrong);
  EXPECT_FALSE(login("alice", "password2"));
  EXPECT_EQ(refusal(srp("alice", "password1"), PoolErrc::not_authorized), kSrpWrong);
  hasher_->during_work = [&, calls = 0]() mutable { hasher_->full = ++calls > 1; };
  EXPECT_TRUE(login("alice", "password1")) << "refused for want of a verifier";
  hasher_->during_work = nullptr;
  hasher_->full = false;
  EXPECT_TRUE(login("alice", "password1"));
  EXPECT_TRUE(srp("alice", "password1"));
  options_.srp_enabled = false;
  make();
  EXPECT_TRUE(login("alice", "password1"));
  EXPECT_TRUE(database_.users.begin()->second.srp_verifier.empty());
}

TEST_F(SrpLogin, LeadsToTheFirstPasswordAlsoOfAUserWhoHadNoVerifier) {
  ASSERT_TRUE(create("Alice", "temporary1"));
  database_.users.begin()->second.srp_verifier.clear();
  const auto outcome = login("alice", "temporary1");
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(outcome->challenge);
  EXPECT_TRUE(set_password(outcome->challenge->session, "password1", "alice"));
}

TEST_F(SrpLogin, SealsTheVerifierAndBindsItToItsUser) {
  make_alice();
  User mallory = database_.users.begin()->second;
  const std::string opened =
      keys().ring->open(mallory.srp_verifier, "srp verifier " + mallory.sub.str()).value();
  EXPECT_GT(opened.size(), 300U);
  EXPECT_EQ(mallory.srp_verifier.find(opened.substr(16, 32)), std::string::npos);
  mallory.sub = UserId("sub-mallory");
  mallory.username = "mallory";
  database_.users["sub-mallory"] = mallory;
  EXPECT_FALSE(srp("mallory", "password1"));
}

TEST_F(SrpLogin, RefusesBadPublicNumbersAndFloods) {
  make_alice();
  EXPECT_EQ(refusal(begin("alice", "0"), PoolErrc::invalid_parameter), "Invalid SRP_A value.");
  EXPECT_EQ(refusal(begin("alice", ""), PoolErrc::invalid_parameter),
            "Missing required parameter SRP_A");
  EXPECT_EQ(refusal(begin("not a name", "5"), PoolErrc::not_authorized), kSrpWrong);
  hasher_->full = true;
  EXPECT_EQ(refusal(begin("alice", "5"), PoolErrc::too_many_requests), "Rate exceeded");
}

}  // namespace
}  // namespace holdfast::identity
