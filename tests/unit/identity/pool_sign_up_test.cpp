// Sign-up and forgotten passwords.
#include <string>

#include "unit/identity/user_pool_fixture.hpp"

namespace holdfast::identity {
namespace {

const char* const kTooOften = "Attempt limit exceeded, please try after some time.";
const char* const kWrongCode = "Invalid verification code provided, please try again.";
const char* const kNoCode = "Invalid code provided, please request a code again.";

class PoolSignUp : public UserPoolTest {
 protected:
  PoolSignUp() {
    options_.self_sign_up = true;
    make();
  }
  PoolResult<UserPool::SignedUp> sign_up(const std::string& name = "bob",
                                         Parameters attributes = {{"email", "bob@example.com"}}) {
    return run<UserPool::SignedUp>([&](auto done) {
      pool_->sign_up({kClient, name, "password1", std::move(attributes)}, std::move(done));
    });
  }
  PoolResult<void> confirm(const std::string& code, const std::string& name = "bob") {
    return run<void>(
        [&](auto done) { pool_->confirm_sign_up({{kClient, name}, code, {}}, std::move(done)); });
  }
  PoolResult<CodeDelivery> resend(const std::string& name = "bob") {
    return run<CodeDelivery>(
        [&](auto done) { pool_->resend_confirmation_code({kClient, name}, std::move(done)); });
  }
  PoolResult<CodeDelivery> forgot(const std::string& name = "alice") {
    return run<CodeDelivery>(
        [&](auto done) { pool_->forgot_password({kClient, name}, std::move(done)); });
  }
  PoolResult<void> reset(const std::string& code, const std::string& password = "password2",
                         const std::string& name = "alice") {
    return run<void>([&](auto done) {
      pool_->confirm_forgot_password({{kClient, name}, code, password}, std::move(done));
    });
  }
  [[nodiscard]] std::string last_code() const { return code_sender_->sent.back().code; }
  static std::string another(std::string code) {
    code[0] = code[0] == '9' ? '0' : static_cast<char>(code[0] + 1);
    return code;
  }
};

TEST_F(PoolSignUp, TakesAStrangerWhoConfirmsTheirAddress) {
  const auto signed_up = sign_up();
  ASSERT_TRUE(signed_up) << signed_up.error().message;
  EXPECT_EQ(signed_up->sub.str().size(), 36U);
  EXPECT_EQ(signed_up->delivery.destination, "b***@e***");
  EXPECT_EQ(signed_up->delivery.medium, "EMAIL");
  ASSERT_EQ(code_sender_->sent.size(), 1U);
  EXPECT_EQ(last_code().size(), 6U);
  EXPECT_EQ(code_sender_->sent[0].user.attributes.at("email"), "bob@example.com");
  EXPECT_EQ(refusal(login("bob", "password1"), PoolErrc::user_not_confirmed),
            "User is not confirmed.");

  EXPECT_EQ(refusal(confirm(another(last_code())), PoolErrc::code_mismatch), kWrongCode);
  ASSERT_TRUE(confirm(last_code()));
  const auto outcome = login("bob", "password1");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(claims_of(outcome->result->id_token)["email_verified"], true);
  EXPECT_EQ(refusal(confirm(last_code()), PoolErrc::code_mismatch), kWrongCode);
}

TEST_F(PoolSignUp, IsRefusedWhereItIsOffOrNoCodeCouldBeSent) {
  code_sender_->is_ready = false;
  EXPECT_EQ(refusal(sign_up(), PoolErrc::code_delivery_failure),
            "No way to deliver confirmation codes is configured.");
  EXPECT_EQ(refusal(forgot(), PoolErrc::code_delivery_failure),
            "No way to deliver confirmation codes is configured.");
  options_ = pool_options();
  make();
  EXPECT_EQ(refusal(sign_up(), PoolErrc::not_authorized),
            "SignUp is not permitted for this user pool");
  EXPECT_TRUE(database_.users.empty());
}

TEST_F(PoolSignUp, ReportsACodeThatCouldNotBeSent) {
  code_sender_->fails = true;
  EXPECT_EQ(refusal(sign_up(), PoolErrc::code_delivery_failure),
            "The confirmation code could not be delivered.");
  code_sender_->fails = false;
  ASSERT_TRUE(resend());
  EXPECT_TRUE(confirm(last_code()));
}

TEST_F(PoolSignUp, RefusesATakenNameAndWhatAStrangerMayNotSay) {
  ASSERT_TRUE(sign_up());
  EXPECT_EQ(refusal(sign_up("BOB"), PoolErrc::username_exists), "User already exists");
  EXPECT_EQ(refusal(sign_up("eve", {{"email_verified", "true"}}), PoolErrc::not_authorized),
            "A client attempted to write unauthorized attribute");
}

TEST_F(PoolSignUp, KeepsNoCodeThatCanBeRead) {
  ASSERT_TRUE(sign_up());
  ASSERT_EQ(database_.codes.size(), 1U);
  EXPECT_EQ(database_.codes[0].sealed.find(last_code()), std::string::npos);
}

TEST_F(PoolSignUp, LetsACodeExpireAndANewOneReplaceIt) {
  options_.prevent_user_existence_errors = false;
  make();
  ASSERT_TRUE(sign_up());
  const std::string first = last_code();
  ASSERT_TRUE(resend());
  if (first != last_code()) {
    EXPECT_EQ(refusal(confirm(first), PoolErrc::code_mismatch), kWrongCode);
  }
  clock_.advance(options_.code_lifetime);
  EXPECT_EQ(refusal(confirm(last_code()), PoolErrc::expired_code), kNoCode);
  ASSERT_TRUE(resend());
  EXPECT_TRUE(confirm(last_code()));
}

TEST_F(PoolSignUp, BoundsTheGuessesAtOneCode) {
  options_.prevent_user_existence_errors = false;
  make();
  ASSERT_TRUE(sign_up());
  const std::string wrong = another(last_code());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(refusal(confirm(wrong), PoolErrc::code_mismatch), kWrongCode);
  }
  EXPECT_EQ(refusal(confirm(last_code()), PoolErrc::limit_exceeded), kTooOften);
  // Time unlocks the name; this code stays dead.
  clock_.advance(Seconds(60));
  EXPECT_EQ(refusal(confirm(last_code()), PoolErrc::limit_exceeded), kTooOften);
}

TEST_F(PoolSignUp, BoundsHowOftenCodesAreSent) {
  ASSERT_TRUE(sign_up());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(resend());
  EXPECT_EQ(refusal(resend(), PoolErrc::limit_exceeded), kTooOften);
  EXPECT_EQ(code_sender_->sent.size(), 5U);  // the address has had enough
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(resend("nobody"));
  EXPECT_EQ(refusal(resend("nobody"), PoolErrc::limit_exceeded), kTooOften);
}

TEST_F(PoolSignUp, ResetsAForgottenPassword) {
  confirmed();
  alice().attributes["phone_number"] = "+15550001234";
  const AuthenticationResult before = tokens();
  ASSERT_TRUE(forgot());
  EXPECT_EQ(code_sender_->sent.back().purpose, CodeStore::Purpose::forgot_password);
  EXPECT_EQ(refusal(reset(last_code(), "short"), PoolErrc::invalid_password),
            "Password did not conform with policy: Password not long enough");
  EXPECT_EQ(refusal(reset(another(last_code())), PoolErrc::code_mismatch), kWrongCode);
  ASSERT_TRUE(reset(last_code()));
  EXPECT_TRUE(login("alice", "password2"));
  EXPECT_FALSE(login("alice", "password1"));
  EXPECT_FALSE(refresh(*before.refresh_token));
  EXPECT_EQ(refusal(reset(last_code()), PoolErrc::code_mismatch), kWrongCode);
}

// What a stranger gets to see who asks for a code and guesses at it.
TEST_F(PoolSignUp, AnswersGuessesAtAUsersCodeLikeThoseAtNobodys) {
  confirmed();
  ASSERT_TRUE(sign_up());
  const auto outcome = [](const auto& result) {
    return result ? std::string("accepted") : result.error().message;
  };
  const auto guesses = [&](const std::string& name) {
    std::vector<std::string> out;
    const auto try_both = [&] {
      const std::size_t calls = codes_.calls();
      out.push_back(outcome(reset("no", "password2", name)));
      out.push_back(outcome(confirm("no", name)));
      out.push_back(std::to_string(codes_.calls() - calls));
    };
    try_both();
    const std::size_t calls = codes_.calls();
    out.push_back(outcome(forgot(name)));
    out.push_back(outcome(resend(name)));
    out.push_back(std::to_string(codes_.calls() - calls));
    for (int i = 0; i < 8; ++i) try_both();
    clock_.advance(Seconds(60));
    try_both();
    clock_.advance(options_.code_lifetime);
    try_both();
    return out;
  };
  const auto nobodys = guesses("nobody");
  EXPECT_EQ(guesses("alice"), nobodys);
  EXPECT_EQ(guesses("bob"), nobodys);
  EXPECT_EQ(nobodys.front(), kWrongCode);
}

TEST_F(PoolSignUp, BoundsTheCodesForOneAddressWhateverTheNames) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(sign_up("bob" + std::to_string(i), {{"email", "Victim@example.com"}}));
  }
  EXPECT_EQ(refusal(sign_up("bob", {{"email", "victim@example.com"}}), PoolErrc::limit_exceeded),
            kTooOften);
  EXPECT_TRUE(resend("bob1"));
  EXPECT_EQ(code_sender_->sent.size(), 5U);
  EXPECT_TRUE(sign_up("bob", {{"email", "bob@example.com"}}));
}

TEST_F(PoolSignUp, IsForNoMoreStrangersAMinuteThanConfigured) {
  sign_up_rate_ = std::make_shared<SignUpRate>(clock_, 3);
  make();
  const auto stranger = [&](int i) { return sign_up("s" + std::to_string(i), {}); };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stranger(i));
  EXPECT_EQ(refusal(stranger(3), PoolErrc::limit_exceeded), kTooOften);
  EXPECT_EQ(database_.users.size(), 3U);
  clock_.advance(Seconds(20));
  EXPECT_TRUE(stranger(4));
  EXPECT_FALSE(stranger(5));
}

TEST_F(PoolSignUp, SaysWhyAUserCannotBeConfirmedOrResetWhereItMayBeKnownWhoExists) {
  ASSERT_TRUE(sign_up());
  ASSERT_TRUE(on_user(&UserPool::admin_disable_user, "bob"));
  ASSERT_TRUE(resend());
  EXPECT_EQ(refusal(confirm(last_code()), PoolErrc::not_authorized), "User is disabled.");
  ASSERT_TRUE(on_user(&UserPool::admin_enable_user, "bob"));
  options_.prevent_user_existence_errors = false;
  make();
  EXPECT_EQ(refusal(forgot("bob"), PoolErrc::invalid_parameter),
            "Cannot reset password for the user as there is no registered/verified email or "
            "phone_number");
  ASSERT_TRUE(confirm(last_code()));
  EXPECT_EQ(refusal(confirm(last_code()), PoolErrc::not_authorized),
            "User cannot be confirmed. Current status is CONFIRMED");
}

TEST_F(PoolSignUp, TakesACodeOnceHoweverManyTryItAtATime) {
  confirmed();
  ASSERT_TRUE(forgot());
  int accepted = 0;
  int refused = 0;
  for (const char* const password : {"password2", "password3", "password4"}) {
    pool_->confirm_forgot_password(
        {{kClient, "alice"}, last_code(), password},
        [&](const PoolResult<void>& result) { ++(result ? accepted : refused); });
  }
  executor_.run();
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(refused, 2);
}

TEST_F(PoolSignUp, TakesNoCodeFromBeforeAnotherPassword) {
  confirmed();
  ASSERT_TRUE(forgot());
  ASSERT_TRUE(run<void>([&](auto done) {
    pool_->admin_set_user_password({{kPool, "alice"}, "password3", true}, std::move(done));
  }));
  EXPECT_EQ(refusal(reset(last_code()), PoolErrc::code_mismatch), kWrongCode);
  EXPECT_TRUE(login("alice", "password3"));
}

TEST_F(PoolSignUp, DoesNotWearOutACodeWhilePasswordsCannotBeHashed) {
  confirmed();
  ASSERT_TRUE(forgot());
  hasher_->full = true;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(refusal(reset(last_code()), PoolErrc::too_many_requests), "Rate exceeded");
    EXPECT_EQ(refusal(reset("no", "password2", "nobody"), PoolErrc::too_many_requests),
              "Rate exceeded");
  }
  hasher_->full = false;
  EXPECT_TRUE(reset(last_code()));
}

TEST_F(PoolSignUp, TellsWhereACodeWentOnlyWhereItMayBeKnownWhoExists) {
  const auto nobodys = forgot("alice");
  ASSERT_TRUE(nobodys);
  confirmed();
  for (const Parameters& attributes :
       {Parameters(), {{"email", "me@here.org"}}, {{"phone_number", "+15550001234"}}}) {
    alice().attributes = attributes;
    clock_.advance(Seconds(15 * 60));
    for (const auto& delivery : {forgot("alice"), resend("ALICE")}) {
      ASSERT_TRUE(delivery);
      EXPECT_EQ(delivery->destination, nobodys->destination);
      EXPECT_EQ(delivery->medium, nobodys->medium);
      EXPECT_EQ(delivery->attribute, nobodys->attribute);
    }
  }
  EXPECT_EQ(forgot("Zoe@Example.com")->destination, "z***@e***");

  options_.prevent_user_existence_errors = false;
  make();
  clock_.advance(Seconds(15 * 60));
  const auto delivery = forgot();
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->destination, "+*******1234");
  EXPECT_EQ(delivery->medium, "SMS");
}

TEST_F(PoolSignUp, TellsNobodyWhoExists) {
  confirmed();
  const auto nobody = forgot("nobody");
  ASSERT_TRUE(nobody);
  EXPECT_EQ(nobody->destination, forgot("NOBODY")->destination);
  EXPECT_TRUE(code_sender_->sent.empty());
  EXPECT_EQ(refusal(reset("no", "password2", "nobody"), PoolErrc::code_mismatch), kWrongCode);
  EXPECT_EQ(refusal(confirm("no", "nobody"), PoolErrc::code_mismatch), kWrongCode);
  code_sender_->fails = true;
  EXPECT_TRUE(forgot());

  options_.prevent_user_existence_errors = false;
  make();
  EXPECT_EQ(refusal(forgot(), PoolErrc::code_delivery_failure),
            "The confirmation code could not be delivered.");
  EXPECT_EQ(refusal(forgot("nobody"), PoolErrc::user_not_found), "User does not exist.");
  EXPECT_EQ(refusal(resend("alice"), PoolErrc::invalid_parameter), "User is already confirmed.");
}

TEST_F(PoolSignUp, IsNotKeptFromUsersByAFloodOfNamesThatNobodyHas) {
  decoy_lockout_ = std::make_shared<Lockout>(clock_, 3, Lockout::WhenFull::forget);
  make();
  confirmed();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(forgot("nobody" + std::to_string(i)));
  EXPECT_TRUE(forgot());
  EXPECT_TRUE(reset(last_code()));
}

TEST_F(PoolSignUp, UnlocksANameWithItsNewPassword) {
  confirmed();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(login("alice", "wrong"));
  ASSERT_TRUE(forgot());
  ASSERT_TRUE(reset(last_code()));
  EXPECT_TRUE(login("alice", "password2"));
}

TEST_F(PoolSignUp, DoesNotTakeOnePurposesCodeForAnothers) {
  ASSERT_TRUE(sign_up());
  EXPECT_EQ(refusal(reset(last_code(), "password2", "bob"), PoolErrc::code_mismatch), kWrongCode);
}

}  // namespace
}  // namespace holdfast::identity
