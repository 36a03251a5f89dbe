// Sign-up and forgotten passwords.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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
  PoolResult<SignedUp> sign_up(const std::string& name = "bob",
                               Parameters attributes = {{"email", "bob@example.com"}},
                               const std::string& address = "192.0.2.1") {
    return run<SignedUp>([&](auto done) {
      pool_->sign_up({.client_id = kClient,
                      .username = name,
                      .password = "password1",
                      .attributes = std::move(attributes),
                      .source = Source::of_client(address)},
                     std::move(done));
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
  [[nodiscard]] std::string last_code() const {
    const auto last = std::ranges::find(code_sender_->sent.rbegin(), code_sender_->sent.rend(),
                                        false, &CodeMessage::for_unknown_user);
    return last->code;
  }
  /// To somebody.
  [[nodiscard]] std::size_t codes_sent() const {
    return static_cast<std::size_t>(
        std::ranges::count(code_sender_->sent, false, &CodeMessage::for_unknown_user));
  }
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
  EXPECT_EQ(last_code().size(), 8U);
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
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(resend());
  EXPECT_EQ(refusal(resend(), PoolErrc::limit_exceeded), kTooOften);
  EXPECT_EQ(codes_sent(), 5U);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(resend("nobody"));
  EXPECT_EQ(refusal(resend("nobody"), PoolErrc::limit_exceeded), kTooOften);
}

TEST_F(PoolSignUp, ResetsAForgottenPassword) {
  confirmed();
  alice().attributes = {{"phone_number", "+15550001234"}, {"phone_number_verified", "true"}};
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

// A stranger asks for a code and guesses it: the answers must not reveal who exists.
TEST_F(PoolSignUp, AnswersGuessesAlikeForKnownAndUnknownUsers) {
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
  const auto for_unknown_user = guesses("nobody");
  EXPECT_EQ(guesses("alice"), for_unknown_user);
  EXPECT_EQ(guesses("bob"), for_unknown_user);
  EXPECT_EQ(for_unknown_user.front(), kWrongCode);
}

TEST_F(PoolSignUp, BoundsTheCodesForOneAddressWhateverTheNames) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(sign_up("bob" + std::to_string(i), {{"email", "Victim@example.com"}}));
  }
  EXPECT_EQ(refusal(sign_up("bob", {{"email", "victim@example.com"}}), PoolErrc::limit_exceeded),
            kTooOften);
  EXPECT_TRUE(resend("bob1"));
  EXPECT_EQ(codes_sent(), 5U);
  EXPECT_TRUE(sign_up("bob", {{"email", "bob@example.com"}}));
}

TEST_F(PoolSignUp, LimitsSignUpsPerMinute) {
  sign_up_rate_ = std::make_shared<RateShares>(RateShares::Options{.capacity = 3});
  make();
  const auto stranger = [&](int i) { return sign_up("s" + std::to_string(i), {}); };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stranger(i));
  EXPECT_EQ(refusal(stranger(3), PoolErrc::limit_exceeded), kTooOften);
  EXPECT_EQ(database_.users.size(), 3U);
  clock_.advance(Seconds(20));
  EXPECT_TRUE(stranger(4));
  EXPECT_FALSE(stranger(5));
}

TEST_F(PoolSignUp, DoesNotGiveOneClientAllSignUps) {
  sign_up_rate_ = std::make_shared<RateShares>(RateShares::Options{.capacity = 24, .share = 3});
  make();
  const auto stranger = [&](int i, const char* address) {
    return sign_up("s" + std::to_string(i), {}, address);
  };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stranger(i, "192.0.2.1"));
  EXPECT_EQ(refusal(stranger(3, "192.0.2.1"), PoolErrc::limit_exceeded), kTooOften);
  EXPECT_TRUE(stranger(4, "192.0.2.2"));
  for (int i = 5; i < 8; ++i) {
    ASSERT_TRUE(stranger(i, ("2001:db8::" + std::to_string(i)).c_str()));
  }
  EXPECT_FALSE(stranger(8, "2001:db8::8")) << "a /64 is one client";
}

TEST_F(PoolSignUp, CountsEveryAddressOfASignUpAndNoneOfThemForARecovery) {
  confirmed();
  alice().attributes = {{"email", "alice@example.com"},
                        {"email_verified", "true"},
                        {"phone_number", "+15550001234"},
                        {"phone_number_verified", "true"}};
  for (int i = 0; i < 5; ++i) {
    const std::string n = std::to_string(i);
    ASSERT_TRUE(
        sign_up("eve" + n, {{"email", "e" + n + "@x.example"}, {"phone_number", "+15550001234"}}));
  }
  EXPECT_EQ(refusal(sign_up("eve", {{"email", "eve@x.example"}, {"phone_number", "+15550001234"}}),
                    PoolErrc::limit_exceeded),
            kTooOften);
  // A refused one has not used up the other address.
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(sign_up("f" + std::to_string(i), {{"email", "eve@x.example"}}));
  }
  EXPECT_FALSE(sign_up("f", {{"email", "Eve@x.example"}}));
  const std::size_t before = codes_sent();
  ASSERT_TRUE(forgot());
  EXPECT_EQ(codes_sent(), before + 1);
}

/// Counts what is sealed and opened.
class CountingRing final : public KeyRing {
 public:
  explicit CountingRing(std::shared_ptr<KeyRing> ring) : ring_(std::move(ring)) {}
  Result<std::string> seal(std::string_view text, std::string_view context) override {
    ++seals;
    return ring_->seal(text, context);
  }
  Result<std::string> open(std::string_view text, std::string_view context) const override {
    ++opens;
    return ring_->open(text, context);
  }
  void rotate(Completion<Result<std::uint32_t>> done) override { ring_->rotate(std::move(done)); }
  void maintain() override { ring_->maintain(); }

  std::size_t seals = 0;
  mutable std::size_t opens = 0;

 private:
  std::shared_ptr<KeyRing> ring_;
};

TEST_F(PoolSignUp, DoesTheSameWorkForUnknownUsers) {
  const auto ring = std::make_shared<CountingRing>(keys().ring);
  ring_ = ring;
  make();
  confirmed();
  ASSERT_TRUE(sign_up());
  using Work = std::vector<std::size_t>;
  const auto work_of = [&](auto operation) {
    const auto now = [&] {
      return Work{ring->seals,
                  ring->opens,
                  users_.calls(),
                  codes_.calls(),
                  known_addresses_.calls(),
                  code_sender_->sent.size()};
    };
    const Work before = now();
    operation();
    Work after = now();
    for (std::size_t i = 0; i < after.size(); ++i) after[i] -= before[i];
    return after;
  };
  const auto forgets = [&](const char* name) { return work_of([&] { (void)forgot(name); }); };
  const auto resends = [&](const char* name) { return work_of([&] { (void)resend(name); }); };
  const auto tries = [&](const char* name) {
    return work_of([&] { (void)reset("00000000", "password2", name); });
  };
  const Work forgotten = forgets("alice");
  EXPECT_EQ(forgotten[0], 1U);
  EXPECT_EQ(forgotten.back(), 1U);
  // A user, nobody, a user who may not have one.
  EXPECT_EQ(forgets("nobody"), forgotten);
  EXPECT_EQ(forgets("bob"), forgotten);
  EXPECT_EQ(resends("bob"), resends("nobody"));
  EXPECT_EQ(resends("alice"), forgotten);
  EXPECT_EQ(tries("alice"), tries("nobody"));
}

TEST_F(PoolSignUp, ExplainsRefusalsWhenNamesMayBeRevealed) {
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

// With the access token alone.
TEST_F(PoolSignUp, RefusesRecoveryByAnUnverifiedNewAddress) {
  confirmed();
  alice().attributes = {{"email", "alice@example.com"}, {"email_verified", "true"}};
  const std::string token = tokens().access_token;
  const auto move_to = [&](const std::string& address) {
    return run<void>([&](auto done) {
      pool_->update_user_attributes({.access_token = token, .attributes = {{"email", address}}},
                                    std::move(done));
    });
  };
  ASSERT_TRUE(forgot());
  ASSERT_EQ(code_sender_->sent.back().user.attributes.at("email"), "alice@example.com");
  const std::string first = last_code();
  ASSERT_TRUE(move_to("thief@example.net"));
  EXPECT_EQ(refusal(reset(first), PoolErrc::code_mismatch), kWrongCode)
      << "it went to an address that is no longer the user's";
  const auto for_unknown_user = forgot("nobody");
  const auto told = forgot();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->medium, for_unknown_user->medium);
  EXPECT_EQ(codes_sent(), 1U);
  EXPECT_TRUE(code_sender_->sent.back().for_unknown_user);

  // One that is verified serves, and is all that whoever delivers hears of.
  alice().attributes.insert({{"phone_number", "+15550001234"}, {"phone_number_verified", "true"}});
  ASSERT_TRUE(forgot());
  ASSERT_EQ(codes_sent(), 2U);
  EXPECT_FALSE(code_sender_->sent.back().user.attributes.contains("email"));
  EXPECT_EQ(code_sender_->sent.back().user.attributes.at("phone_number"), "+15550001234");
  EXPECT_TRUE(reset(last_code()));

  alice().attributes = {{"email", "thief@example.net"}, {"email_verified", "false"}};
  options_.prevent_user_existence_errors = false;
  make();
  EXPECT_EQ(refusal(forgot(), PoolErrc::invalid_parameter),
            "Cannot reset password for the user as there is no registered/verified email or "
            "phone_number");
}

TEST_F(PoolSignUp, RefusesRecoveryWhenTheAddressChangesMeanwhile) {
  confirmed();
  alice().attributes = {{"email", "alice@example.com"}, {"email_verified", "true"}};
  ASSERT_TRUE(forgot());
  users_.before_update_by_code = [&] { alice().attributes["email"] = "other@example.com"; };
  EXPECT_EQ(refusal(reset(last_code()), PoolErrc::code_mismatch), kWrongCode);
  EXPECT_FALSE(login("alice", "password2"));
}

TEST_F(PoolSignUp, ProtectsTheCodeLimitOfAForeignAddress) {
  confirmed();
  alice().attributes = {{"email", "alice@example.com"}, {"email_verified", "true"}};
  ASSERT_TRUE(sign_up("eve", {{"email", "eve@x.example"}}));
  ASSERT_TRUE(confirm(last_code(), "eve"));
  const std::string token = login("eve", "password1").value().result.value().access_token;
  ASSERT_TRUE(run<void>([&](auto done) {
    pool_->update_user_attributes(
        {.access_token = token, .attributes = {{"email", "alice@example.com"}}}, std::move(done));
  }));
  const std::size_t before = codes_sent();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(forgot("eve"));
  EXPECT_EQ(codes_sent(), before);
  ASSERT_TRUE(forgot());
  EXPECT_EQ(codes_sent(), before + 1);
  EXPECT_EQ(code_sender_->sent.back().user.username, "Alice");
}

TEST_F(PoolSignUp, VerifiesNoAddressToWhichTheCodeDidNotGo) {
  ASSERT_TRUE(sign_up());
  const std::string first = last_code();
  ASSERT_TRUE(run<void>([&](auto done) {
    pool_->admin_update_user_attributes({{kPool, "bob"}, {{"email", "other@example.com"}}},
                                        std::move(done));
  }));
  EXPECT_EQ(refusal(confirm(first), PoolErrc::code_mismatch), kWrongCode);
  ASSERT_TRUE(resend());
  EXPECT_TRUE(confirm(last_code()));
}

TEST_F(PoolSignUp, VerifiesThePhoneNumberWithoutAnEmail) {
  ASSERT_TRUE(sign_up("bob", {{"phone_number", "+15550001234"}}));
  ASSERT_TRUE(confirm(last_code()));
  const std::size_t before = codes_sent();
  ASSERT_TRUE(forgot("bob"));
  EXPECT_EQ(codes_sent(), before + 1);
}

TEST_F(PoolSignUp, AcceptsACodeOnceDespiteConcurrentTries) {
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

TEST_F(PoolSignUp, RefusesACodeFromBeforeAPasswordChange) {
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

TEST_F(PoolSignUp, ShowsTheDestinationOnlyWhenNamesMayBeRevealed) {
  const auto for_unknown_user = forgot("alice");
  ASSERT_TRUE(for_unknown_user);
  confirmed();
  for (const Parameters& attributes :
       {Parameters(),
        {{"email", "me@here.org"}},
        {{"phone_number", "+15550001234"}, {"phone_number_verified", "true"}}}) {
    alice().attributes = attributes;
    clock_.advance(std::chrono::days(1));
    for (const auto& delivery : {forgot("alice"), resend("ALICE")}) {
      ASSERT_TRUE(delivery);
      EXPECT_EQ(delivery->destination, for_unknown_user->destination);
      EXPECT_EQ(delivery->medium, for_unknown_user->medium);
      EXPECT_EQ(delivery->attribute, for_unknown_user->attribute);
    }
  }
  EXPECT_EQ(forgot("Zoe@Example.com")->destination, "z***@e***");

  options_.prevent_user_existence_errors = false;
  make();
  clock_.advance(std::chrono::days(1));
  const auto delivery = forgot();
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->destination, "+*******1234");
  EXPECT_EQ(delivery->medium, "SMS");
}

TEST_F(PoolSignUp, DoesNotRevealWhichUsersExist) {
  confirmed();
  const auto nobody = forgot("nobody");
  ASSERT_TRUE(nobody);
  EXPECT_EQ(nobody->destination, forgot("NOBODY")->destination);
  EXPECT_EQ(codes_sent(), 0U);
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

TEST_F(PoolSignUp, WorksForUsersDuringAFloodOfUnknownNames) {
  attempts_ = std::make_shared<AttemptCounts>(clock_, 3);
  make();
  confirmed();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(forgot("nobody" + std::to_string(i)));
  EXPECT_TRUE(forgot());
  EXPECT_TRUE(reset(last_code()));
}

TEST_F(PoolSignUp, UnlocksANameWithItsNewPassword) {
  confirmed();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(login("alice", "wrong"));
  clock_.advance(Microseconds(1));
  ASSERT_TRUE(forgot());
  ASSERT_TRUE(reset(last_code()));
  EXPECT_TRUE(login("alice", "password2"));
}

TEST_F(PoolSignUp, DoesNotTakeOnePurposesCodeForAnothers) {
  ASSERT_TRUE(sign_up());
  EXPECT_EQ(refusal(reset(last_code(), "password2", "bob"), PoolErrc::code_mismatch), kWrongCode);
}

TEST_F(PoolSignUp, LetsTheCodeForAnAddressExpireAndSaysSo) {
  ASSERT_TRUE(sign_up());
  ASSERT_TRUE(confirm(last_code()));
  const std::string token = login("bob", "password1")->result->access_token;
  const auto ask = [&] {
    return run<CodeDelivery>([&](auto done) {
      pool_->get_user_attribute_verification_code({token, "email"}, std::move(done));
    });
  };
  const auto verify = [&] {
    return run<void>([&](auto done) {
      pool_->verify_user_attribute({token, "email", last_code()}, std::move(done));
    });
  };
  ASSERT_TRUE(ask());
  EXPECT_EQ(code_sender_->sent.back().purpose, CodeStore::Purpose::verify_email);
  clock_.advance(options_.code_lifetime);
  EXPECT_EQ(refusal(verify(), PoolErrc::expired_code), kNoCode);
  ASSERT_TRUE(ask());
  EXPECT_TRUE(verify());
  code_sender_->fails = true;
  EXPECT_EQ(refusal(ask(), PoolErrc::code_delivery_failure),
            "The confirmation code could not be delivered.");
}

}  // namespace
}  // namespace holdfast::identity
