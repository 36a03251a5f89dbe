// The user pool over the wire, on a real store: what clients of Cognito do beyond logging in.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/json.hpp>

#include "support/base/temp_dir.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"
#include "support/identity/srp_client.hpp"

namespace holdfast::test {
namespace {

constexpr int kAccessEnded = 4401;

class UserPoolOverHttpTest : public ::testing::Test {
 protected:
  struct Answer {
    int status = 0;
    mutable Json body;  // a member that is missing is null, and no assertion
    [[nodiscard]] std::string error() const {
      return body.value("__type", "no error") + ": " + body.value("message", "");
    }
  };
  Answer call(const std::string& operation, const Json& input, bool with_signature) {
    RequestBuilder request;
    request.target = "/";
    request.headers = {{"Host", gateway_.address()},
                       {"Content-Type", "application/x-amz-json-1.1"},
                       {"X-Amz-Target", "AWSCognitoIdentityProviderService." + operation}};
    request.body = input.dump();
    if (with_signature) {
      // Equal calls of one second are meant twice.
      request.headers.emplace_back("amz-sdk-invocation-id", generate_uuid());
      request.sign(gateway_.credentials(), "us-east-1", "cognito-idp", system_clock().wall_now());
    }
    const auto response = gateway_.send_raw(request);
    if (!response) return {};
    return {response->status, parse_json(response->body).value_or(Json::object())};
  }
  Answer open(const std::string& operation, Json input) { return call(operation, input, false); }
  Answer of_client(const std::string& operation, Json input) {
    input["ClientId"] = gateway_.info().client_id;
    return call(operation, input, false);
  }
  Answer admin(const std::string& operation, Json input) {
    input["UserPoolId"] = gateway_.info().user_pool_id;
    return call(operation, input, true);
  }
  Answer log_in(const std::string& name, const std::string& password = TestGateway::kPassword) {
    return of_client("InitiateAuth",
                     {{"AuthFlow", "USER_PASSWORD_AUTH"},
                      {"AuthParameters", {{"USERNAME", name}, {"PASSWORD", password}}}});
  }
  Answer refresh(const std::string& token) {
    return of_client("InitiateAuth", {{"AuthFlow", "REFRESH_TOKEN_AUTH"},
                                      {"AuthParameters", {{"REFRESH_TOKEN", token}}}});
  }

  /// Publishes until this connection has received something: it may still be on its way in, and
  /// what another one acknowledges meanwhile is no longer for it.
  bool receives(const Inbox& inbox, const TestUser& user) {
    const auto deadline = std::chrono::steady_clock::now() + Inbox::kPatience;
    while (inbox.frames().empty() && std::chrono::steady_clock::now() < deadline) {
      (void)gateway_.publish(user.id, "hello");
      (void)inbox.wait_for(1, Milliseconds(100));
    }
    return !inbox.frames().empty();
  }
  /// The status with which a temporary token is answered.
  int upgrade_status(const std::string& token) {
    const auto upgrade = gateway_.send_bytes(
        "GET /ws?token=" + token + " HTTP/1.1\r\nHost: " + gateway_.address() +
        "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    return upgrade ? upgrade->status : 0;
  }
  /// The code that this operation of a client has sent.
  std::string code_for(const std::string& operation, const std::string& name) {
    std::remove(sent_code_.c_str());
    EXPECT_EQ(of_client(operation, {{"Username", name}}).status, 200);
    return sent_message().value("code", "no code");
  }
  /// The code that went out to prove an address.
  std::string code_for_attribute(const std::string& token, const std::string& attribute) {
    std::remove(sent_code_.c_str());
    const Answer asked = ask_for_code(token, attribute);
    EXPECT_EQ(asked.status, 200) << asked.error();
    const Json sent = sent_message();
    EXPECT_EQ(sent.value("purpose", ""), "verify_" + attribute);
    return sent.value("code", "no code");
  }
  Answer ask_for_code(const std::string& token, const std::string& attribute) {
    return open("GetUserAttributeVerificationCode",
                {{"AccessToken", token}, {"AttributeName", attribute}});
  }
  Answer verify(const std::string& token, const std::string& attribute, const std::string& code) {
    return open("VerifyUserAttribute",
                {{"AccessToken", token}, {"AttributeName", attribute}, {"Code", code}});
  }
  Answer set_own(const std::string& token, const std::string& attribute, const std::string& value) {
    return open("UpdateUserAttributes",
                {{"AccessToken", token},
                 {"UserAttributes", Json::array({{{"Name", attribute}, {"Value", value}}})}});
  }
  std::string own(const std::string& token, const std::string& attribute) {
    const Answer got = open("GetUser", {{"AccessToken", token}});
    EXPECT_EQ(got.status, 200) << got.error();
    for (const Json& entry : got.body["UserAttributes"]) {
      if (entry["Name"] == attribute) return entry["Value"];
    }
    return "none";
  }
  std::string access_token_of(const std::string& name) {
    (void)gateway_.make_user(name);
    return log_in(name).body["AuthenticationResult"]["AccessToken"];
  }
  /// Waits for the command's input, and returns it.
  Json sent_message() {
    const auto deadline = std::chrono::steady_clock::now() + Inbox::kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      std::ifstream file(sent_code_);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      if (auto sent = parse_json(text); sent && sent->contains("code")) return std::move(*sent);
      std::this_thread::yield();
    }
    return Json::object();
  }

  TempDir folder_;
  std::string sent_code_ = folder_.file("code.json");
  TestGateway gateway_{
      {.settings = {"user_pool.self_sign_up=true", "user_pool.refresh_tokens_per_user=3",
                    "user_pool.code_command=[\"/usr/bin/tee\",\"" + sent_code_ + "\"]"}}};
};

TEST_F(UserPoolOverHttpTest, ClosesTheConnectionsOfWhoMayNoLongerConnect) {
  for (const char* operation : {"AdminUserGlobalSignOut", "AdminDisableUser", "AdminDeleteUser"}) {
    const std::string name = std::string("user-of-") + operation;
    const TestUser user = gateway_.make_user(name);
    const TestUser other = gateway_.make_user(name + "-other");
    const std::string unused = gateway_.token(user);
    const Inbox phone(gateway_, user);
    const Inbox laptop(gateway_, user);
    const Inbox others(gateway_, other);
    (void)gateway_.publish(user.id, "before");
    ASSERT_EQ(phone.wait_for(1).size(), 1U);
    ASSERT_EQ(admin(operation, {{"Username", name}}).status, 200);
    EXPECT_EQ(phone.wait_closed(), kAccessEnded) << operation;
    EXPECT_EQ(laptop.wait_closed(), kAccessEnded) << operation;
    EXPECT_EQ(gateway_.publish_status(user.id, "after"), "STORED");
    // Neither what was given out to them nor their ID token leads back in.
    const auto refused = gateway_.root().temporary_token(user.id_token);
    EXPECT_FALSE(refused) << operation;
    const auto upgrade = gateway_.send_bytes(
        "GET /ws?token=" + unused + " HTTP/1.1\r\nHost: " + gateway_.address() +
        "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    ASSERT_TRUE(upgrade);
    EXPECT_EQ(upgrade->status, 401) << operation;
    (void)gateway_.publish(other.id, "still here");
    EXPECT_EQ(others.wait_for(1).size(), 1U);
  }
}

// Whatever ends a login ends all of it: its connections, its ID token, its temporary tokens. The
// user's other logins go on.
TEST_F(UserPoolOverHttpTest, EndsAllOfALoginAndNoOther) {
  struct Login {
    TestUser user;
    Json tokens;
    std::string unused;
  };
  struct Case {
    const char* operation;
    bool all;  ///< the other login ends too
    std::function<int(const std::string& name, const Login& ended, const Login& other)> end;
  };
  const std::string next = "another password";
  const std::vector<Case> cases{
      {"ChangePassword", false,
       [&](const std::string&, const Login&, const Login& other) {
         return open("ChangePassword", {{"AccessToken", other.tokens["AccessToken"]},
                                        {"PreviousPassword", TestGateway::kPassword},
                                        {"ProposedPassword", next}})
             .status;
       }},
      {"RevokeToken", false,
       [&](const std::string&, const Login& ended, const Login&) {
         return of_client("RevokeToken", {{"Token", ended.tokens["RefreshToken"]}}).status;
       }},
      {"the login after the last that is kept", false,
       [&](const std::string& name, const Login&, const Login&) { return log_in(name).status; }},
      {"AdminSetUserPassword", true,
       [&](const std::string& name, const Login&, const Login&) {
         return admin("AdminSetUserPassword",
                      {{"Username", name}, {"Password", next}, {"Permanent", true}})
             .status;
       }},
      {"ConfirmForgotPassword", true,
       [&](const std::string& name, const Login&, const Login&) {
         const std::string code = code_for("ForgotPassword", name);
         return of_client("ConfirmForgotPassword",
                          {{"Username", name}, {"ConfirmationCode", code}, {"Password", next}})
             .status;
       }},
      {"GlobalSignOut", true,
       [&](const std::string&, const Login&, const Login& other) {
         return open("GlobalSignOut", {{"AccessToken", other.tokens["AccessToken"]}}).status;
       }},
      {"DeleteUser", true,
       [&](const std::string&, const Login&, const Login& other) {
         return open("DeleteUser", {{"AccessToken", other.tokens["AccessToken"]}}).status;
       }},
      {"AdminUserGlobalSignOut", true,
       [&](const std::string& name, const Login&, const Login&) {
         return admin("AdminUserGlobalSignOut", {{"Username", name}}).status;
       }},
      {"AdminDisableUser", true,
       [&](const std::string& name, const Login&, const Login&) {
         return admin("AdminDisableUser", {{"Username", name}}).status;
       }},
      {"AdminDeleteUser", true,
       [&](const std::string& name, const Login&, const Login&) {
         return admin("AdminDeleteUser", {{"Username", name}}).status;
       }},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& tried = cases[i];
    SCOPED_TRACE(tried.operation);
    const std::string name = "user-" + std::to_string(i);
    const auto log_in_as = [&](TestUser user) {
      Login out{.user = std::move(user),
                .tokens = log_in(name).body["AuthenticationResult"],
                .unused = {}};
      out.user.id_token = out.tokens["IdToken"];
      out.unused = gateway_.token(out.user);
      return out;
    };
    // Three are kept: the one that made the user goes with the fourth.
    const TestUser user = gateway_.make_user(name);
    ASSERT_EQ(log_in(name).status, 200);
    const Login ended = log_in_as(user);
    const Login other = log_in_as(user);
    if (i == 2) {
      ASSERT_EQ(log_in(name).status, 200);  // the next one ends `ended`
    }
    const Inbox first(gateway_, ended.user);
    const Inbox second(gateway_, other.user);
    ASSERT_TRUE(receives(first, user));
    ASSERT_TRUE(receives(second, user));

    ASSERT_EQ(tried.end(name, ended, other), 200);

    EXPECT_EQ(first.wait_closed(), kAccessEnded);
    EXPECT_FALSE(gateway_.root().temporary_token(ended.user.id_token));
    EXPECT_EQ(upgrade_status(ended.unused), 401);
    EXPECT_NE(refresh(ended.tokens["RefreshToken"]).status, 200);
    EXPECT_NE(open("GetUser", {{"AccessToken", ended.tokens["AccessToken"]}}).status, 200);
    if (tried.all) {
      EXPECT_EQ(second.wait_closed(), kAccessEnded);
      EXPECT_FALSE(gateway_.root().temporary_token(other.user.id_token));
      EXPECT_EQ(upgrade_status(other.unused), 401);
    } else {
      const std::size_t before = second.frames().size();
      EXPECT_EQ(gateway_.publish_status(user.id, "after"), "DELIVERED");
      EXPECT_GT(second.wait_for(before + 1).size(), before);
      EXPECT_TRUE(gateway_.root().temporary_token(other.user.id_token));
      EXPECT_EQ(upgrade_status(other.unused), 101);
      EXPECT_EQ(refresh(other.tokens["RefreshToken"]).status, 200);
    }
  }
}

TEST_F(UserPoolOverHttpTest, MovesWhatADeletedUserHadPendingToTheDeadLetters) {
  const TestUser user = gateway_.make_user();
  ASSERT_EQ(gateway_.publish_status(user.id, "late"), "STORED");
  ASSERT_EQ(gateway_.pending(user.id), 1U);
  ASSERT_EQ(admin("AdminDeleteUser", {{"Username", "alice"}}).status, 200);
  const auto deadline = std::chrono::steady_clock::now() + Inbox::kPatience;
  while (gateway_.pending(user.id) > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(gateway_.pending(user.id), 0U);
}

TEST_F(UserPoolOverHttpTest, LetsWhoWasSignedOutLogInAgainAtOnce) {
  TestUser user = gateway_.make_user();
  ASSERT_EQ(admin("AdminUserGlobalSignOut", {{"Username", "alice"}}).status, 200);
  const Answer again = log_in("alice");
  ASSERT_EQ(again.status, 200) << again.error();
  user.id_token = again.body["AuthenticationResult"]["IdToken"].get<std::string>();
  const Inbox inbox(gateway_, user);
  (void)gateway_.publish(user.id, "welcome");
  EXPECT_THAT(inbox.wait_for(1), testing::ElementsAre(payload_frame("welcome")));
}

TEST_F(UserPoolOverHttpTest, AdministersUsers) {
  ASSERT_EQ(admin("AdminCreateUser",
                  {{"Username", "Anna"},
                   {"TemporaryPassword", "temporary password"},
                   {"UserAttributes", {{{"Name", "email"}, {"Value", "a@example.com"}}}}})
                .status,
            200);
  ASSERT_EQ(admin("AdminSetUserPassword",
                  {{"Username", "anna"}, {"Password", "password of anna"}, {"Permanent", true}})
                .status,
            200);
  EXPECT_EQ(log_in("ANNA", "password of anna").status, 200);
  ASSERT_EQ(
      admin("AdminUpdateUserAttributes",
            {{"Username", "anna"}, {"UserAttributes", {{{"Name", "nickname"}, {"Value", "An"}}}}})
          .status,
      200);
  const Answer got = admin("AdminGetUser", {{"Username", "anna"}});
  EXPECT_EQ(got.body["Username"], "Anna");
  EXPECT_EQ(got.body["UserStatus"], "CONFIRMED");
  EXPECT_EQ(got.body["UserAttributes"].size(), 3U);
  ASSERT_EQ(admin("AdminDisableUser", {{"Username", "anna"}}).status, 200);
  EXPECT_EQ(log_in("anna", "password of anna").error(),
            "NotAuthorizedException: User is disabled.");
  (void)gateway_.make_user("bert");
  const Answer disabled = admin("ListUsers", {{"Filter", R"(status = "Disabled")"}});
  ASSERT_EQ(disabled.body["Users"].size(), 1U);
  EXPECT_EQ(disabled.body["Users"][0]["Username"], "Anna");
  const Answer first =
      admin("ListUsers", {{"Limit", 1}, {"AttributesToGet", Json::array({"email"})}});
  EXPECT_EQ(first.body["Users"][0]["Attributes"].dump(),
            R"([{"Name":"email","Value":"a@example.com"}])");
  const Answer second =
      admin("ListUsers", {{"Limit", 1}, {"PaginationToken", first.body["PaginationToken"]}});
  EXPECT_EQ(second.body["Users"][0]["Username"], "bert");
  EXPECT_FALSE(second.body.contains("PaginationToken"));
  ASSERT_EQ(admin("AdminEnableUser", {{"Username", "anna"}}).status, 200);
  EXPECT_EQ(log_in("anna", "password of anna").status, 200);
  ASSERT_EQ(admin("AdminDeleteUser", {{"Username", "anna"}}).status, 200);
  EXPECT_EQ(admin("AdminGetUser", {{"Username", "anna"}}).error(),
            "UserNotFoundException: User does not exist.");
}

TEST_F(UserPoolOverHttpTest, KeepsRefreshTokensAcrossARestartUntilTheyAreRevoked) {
  (void)gateway_.make_user();
  const Json tokens = log_in("alice").body["AuthenticationResult"];
  const std::string token = tokens["RefreshToken"];
  gateway_.stop();
  gateway_.start();
  const Answer refreshed = refresh(token);
  ASSERT_EQ(refreshed.status, 200) << refreshed.error();
  EXPECT_FALSE(refreshed.body["AuthenticationResult"].contains("RefreshToken"));
  const Json access = refreshed.body["AuthenticationResult"]["AccessToken"];
  const Answer me = open("GetUser", {{"AccessToken", access}});
  EXPECT_EQ(me.body["Username"], "alice");
  ASSERT_EQ(of_client("RevokeToken", {{"Token", token}}).status, 200);
  EXPECT_EQ(refresh(token).error(), "NotAuthorizedException: Refresh Token has been revoked");
  EXPECT_EQ(open("GetUser", {{"AccessToken", access}}).error(),
            "NotAuthorizedException: Access Token has been revoked");
}

TEST_F(UserPoolOverHttpTest, LetsUsersChangeTheirPasswordSignOutAndLeave) {
  TestUser user = gateway_.make_user();
  const Json mine = log_in("alice").body["AuthenticationResult"];
  user.id_token = mine["IdToken"];
  Json access = mine["AccessToken"];
  ASSERT_EQ(open("ChangePassword", {{"AccessToken", access},
                                    {"PreviousPassword", TestGateway::kPassword},
                                    {"ProposedPassword", "another password"}})
                .status,
            200);
  EXPECT_EQ(log_in("alice").status, 400);
  const Inbox inbox(gateway_, user);
  ASSERT_EQ(open("GlobalSignOut", {{"AccessToken", access}}).status, 200);
  EXPECT_EQ(inbox.wait_closed(), kAccessEnded);
  access = log_in("alice", "another password").body["AuthenticationResult"]["AccessToken"];
  ASSERT_EQ(open("DeleteUser", {{"AccessToken", access}}).status, 200);
  EXPECT_EQ(log_in("alice", "another password").error(),
            "NotAuthorizedException: Incorrect username or password.");
}

TEST_F(UserPoolOverHttpTest, TakesAPasswordThatIsProvenBySrp) {
  (void)gateway_.make_user("Alice");
  const std::string pool = gateway_.info().user_pool_id;
  const std::string pool_name = pool.substr(pool.find('_') + 1);
  for (const bool right : {true, false}) {
    const SrpClient client;
    const Answer first =
        of_client("InitiateAuth",
                  {{"AuthFlow", "USER_SRP_AUTH"},
                   {"AuthParameters", {{"USERNAME", "alice"}, {"SRP_A", client.public_hex()}}}});
    ASSERT_EQ(first.status, 200) << first.error();
    EXPECT_EQ(first.body["ChallengeName"], "PASSWORD_VERIFIER");
    EXPECT_FALSE(first.body.contains("Session"));
    const Json& challenge = first.body["ChallengeParameters"];
    const std::string user = challenge["USER_ID_FOR_SRP"];
    const std::string block = challenge["SECRET_BLOCK"];
    const std::string time = "Sun Nov 22 12:33:21 UTC 2026";
    const std::string key =
        client.key(pool_name, user, right ? TestGateway::kPassword : "another password",
                   challenge["SALT"], challenge["SRP_B"]);
    const Digest proof = hmac_sha256(key, pool_name + user + base64_decode(block).value() + time);
    const Answer second = of_client("RespondToAuthChallenge",
                                    {{"ChallengeName", "PASSWORD_VERIFIER"},
                                     {"ChallengeResponses",
                                      {{"USERNAME", user},
                                       {"PASSWORD_CLAIM_SECRET_BLOCK", block},
                                       {"PASSWORD_CLAIM_SIGNATURE", base64_encode(view(proof))},
                                       {"TIMESTAMP", time}}}});
    EXPECT_EQ(second.status, right ? 200 : 400) << second.error();
    EXPECT_EQ(second.body.contains("AuthenticationResult"), right);
  }
}

TEST_F(UserPoolOverHttpTest, SignsStrangersUpWithACodeThatItsCommandSends) {
  const auto last_code = [&] {
    std::ifstream file(sent_code_);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return parse_json(text).value_or(Json::object());
  };
  const Json bob = {{"Username", "bob"}};
  Json input = bob;
  input["Password"] = "password of bob";
  input["UserAttributes"] = {{{"Name", "email"}, {"Value", "bob@example.com"}}};
  const Answer signed_up = of_client("SignUp", input);
  ASSERT_EQ(signed_up.status, 200) << signed_up.error();
  EXPECT_EQ(signed_up.body["UserConfirmed"], false);
  EXPECT_EQ(signed_up.body["CodeDeliveryDetails"]["Destination"], "b***@e***");
  Json sent = last_code();
  EXPECT_EQ(sent["purpose"], "sign_up");
  EXPECT_EQ(sent["username"], "bob");
  EXPECT_EQ(sent["userId"], signed_up.body["UserSub"]);
  EXPECT_EQ(sent["attributes"]["email"], "bob@example.com");
  EXPECT_EQ(log_in("bob", "password of bob").error(),
            "UserNotConfirmedException: User is not confirmed.");
  Json confirmation = bob;
  confirmation["ConfirmationCode"] = sent["code"];
  ASSERT_EQ(of_client("ConfirmSignUp", confirmation).status, 200);
  EXPECT_EQ(log_in("bob", "password of bob").status, 200);

  ASSERT_EQ(of_client("ForgotPassword", bob).status, 200);
  const auto deadline = std::chrono::steady_clock::now() + Inbox::kPatience;
  while (last_code().value("purpose", "") != "forgot_password" &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  sent = last_code();
  ASSERT_EQ(sent["purpose"], "forgot_password");
  confirmation["ConfirmationCode"] = sent["code"];
  confirmation["Password"] = "new password of bob";
  const Answer reset = of_client("ConfirmForgotPassword", confirmation);
  ASSERT_EQ(reset.status, 200) << reset.error();
  EXPECT_EQ(log_in("bob", "new password of bob").status, 200);
}

TEST_F(UserPoolOverHttpTest, TakesNoTemporaryPasswordForTheUsersOwn) {
  ASSERT_EQ(
      admin("AdminCreateUser", {{"Username", "carol"}, {"TemporaryPassword", "temporary password"}})
          .status,
      200);
  const auto answer_with = [&](const std::string& password) {
    const Answer challenge = log_in("carol", "temporary password");
    EXPECT_EQ(challenge.body["ChallengeName"], "NEW_PASSWORD_REQUIRED") << challenge.error();
    return of_client("RespondToAuthChallenge",
                     {{"ChallengeName", "NEW_PASSWORD_REQUIRED"},
                      {"Session", challenge.body["Session"]},
                      {"ChallengeResponses", {{"USERNAME", "carol"}, {"NEW_PASSWORD", password}}}});
  };
  EXPECT_EQ(answer_with("temporary password").error(),
            "InvalidPasswordException: Password did not conform with policy: Password must not be "
            "the temporary one");
  EXPECT_EQ(answer_with("a password of her own").status, 200);
}

std::string another(std::string code) {
  code[0] = code[0] == '9' ? '0' : static_cast<char>(code[0] + 1);
  return code;
}

TEST_F(UserPoolOverHttpTest, VerifiesAnAddressByTheCodeThatWentThere) {
  const std::string alice = access_token_of("alice");
  ASSERT_EQ(set_own(alice, "email", "alice@example.com").status, 200);
  ASSERT_EQ(set_own(alice, "phone_number", "+15550100").status, 200);
  EXPECT_EQ(own(alice, "email_verified"), "none");

  std::remove(sent_code_.c_str());
  const Answer asked = ask_for_code(alice, "phone_number");
  ASSERT_EQ(asked.status, 200) << asked.error();
  const Json& delivery = asked.body["CodeDeliveryDetails"];
  EXPECT_EQ(delivery["AttributeName"], "phone_number");
  EXPECT_EQ(delivery["DeliveryMedium"], "SMS");
  EXPECT_EQ(delivery["Destination"], "+*******0100");
  const std::string phone_code = sent_message().value("code", "");
  const std::string code = code_for_attribute(alice, "email");

  EXPECT_EQ(verify(alice, "email", another(code)).error(),
            "CodeMismatchException: Invalid verification code provided, please try again.");
  EXPECT_EQ(own(alice, "email_verified"), "none");
  const Answer verified = verify(alice, "email", code);
  ASSERT_EQ(verified.status, 200) << verified.error();
  EXPECT_EQ(verified.body, Json::object());
  EXPECT_EQ(own(alice, "email_verified"), "true");
  EXPECT_EQ(own(alice, "phone_number_verified"), "none");
  EXPECT_EQ(verify(alice, "email", code).error(),
            "ExpiredCodeException: Invalid code provided, please request a code again.")
      << "used before";
  // That code has taken nothing of the other with it.
  EXPECT_EQ(verify(alice, "phone_number", phone_code).status, 200);
  EXPECT_EQ(own(alice, "phone_number_verified"), "true");

  const Answer in = log_in("alice");
  const auto claims = [&] {
    const std::string token = in.body["AuthenticationResult"]["IdToken"];
    const auto begin = token.find('.') + 1;
    return parse_json(*base64url_decode(token.substr(begin, token.find('.', begin) - begin)));
  }();
  EXPECT_EQ((*claims)["email_verified"], true);
}

TEST_F(UserPoolOverHttpTest, TakesNoCodeOfAnotherUserOrForAnotherAddress) {
  const std::string alice = access_token_of("alice");
  const std::string bob = access_token_of("bob");
  // Both say that the address is theirs; each one's codes are their own.
  for (const std::string& token : {alice, bob}) {
    ASSERT_EQ(set_own(token, "email", "shared@example.com").status, 200);
  }
  const std::string of_alice = code_for_attribute(alice, "email");
  EXPECT_EQ(verify(bob, "email", of_alice).body["__type"], "ExpiredCodeException");
  (void)code_for_attribute(bob, "email");
  EXPECT_EQ(verify(bob, "email", of_alice).body["__type"], "CodeMismatchException");
  EXPECT_EQ(own(bob, "email_verified"), "none");

  ASSERT_EQ(set_own(alice, "email", "elsewhere@example.com").status, 200);
  EXPECT_EQ(verify(alice, "email", of_alice).body["__type"], "CodeMismatchException");
  EXPECT_EQ(own(alice, "email_verified"), "none");
  // One for an address proves no number, and none but these two are addresses.
  const std::string newer = code_for_attribute(alice, "email");
  EXPECT_EQ(verify(alice, "phone_number", newer).body["__type"], "ExpiredCodeException");
  EXPECT_EQ(ask_for_code(alice, "phone_number").error(),
            "InvalidParameterException: User has no attribute phone_number.");
  EXPECT_EQ(ask_for_code(alice, "nickname").error(),
            "InvalidParameterException: Only email and phone_number can be verified.");
  EXPECT_EQ(verify(alice, "email_verified", newer).body["__type"], "InvalidParameterException");
  EXPECT_EQ(open("VerifyUserAttribute", {{"AccessToken", alice}}).body["__type"],
            "InvalidParameterException");
  // Nor by a token that has ended.
  ASSERT_EQ(open("GlobalSignOut", {{"AccessToken", alice}}).status, 200);
  EXPECT_EQ(verify(alice, "email", newer).body["__type"], "NotAuthorizedException");
  EXPECT_EQ(ask_for_code(alice, "email").body["__type"], "NotAuthorizedException");
}

TEST_F(UserPoolOverHttpTest, BoundsTheCodesThatProveAnAddress) {
  const std::string alice = access_token_of("alice");
  const std::string bob = access_token_of("bob");
  for (const std::string& token : {alice, bob}) {
    ASSERT_EQ(set_own(token, "email", "shared@example.com").status, 200);
  }
  const std::string code = code_for_attribute(alice, "email");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(verify(alice, "email", another(code)).body["__type"], "CodeMismatchException");
  }
  EXPECT_EQ(verify(alice, "email", code).body["__type"], "LimitExceededException") << "worn out";
  // Five a day for an address, whoever asks; and five for a user, whatever the address.
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask_for_code(bob, "email").status, 200);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask_for_code(alice, "email").status, 200);
  EXPECT_EQ(ask_for_code(bob, "email").body["__type"], "LimitExceededException");
  ASSERT_EQ(set_own(alice, "email", "elsewhere@example.com").status, 200);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask_for_code(alice, "email").status, 200);
  EXPECT_EQ(ask_for_code(alice, "email").body["__type"], "LimitExceededException");
}

TEST_F(UserPoolOverHttpTest, DescribesItself) {
  const Answer pool = admin("DescribeUserPool", Json::object());
  EXPECT_EQ(pool.body["UserPool"]["Id"], gateway_.info().user_pool_id);
  EXPECT_EQ(pool.body["UserPool"]["Policies"]["PasswordPolicy"]["MinimumLength"], 8);
  EXPECT_EQ(pool.body["UserPool"]["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"], false);
  const Answer client = admin("DescribeUserPoolClient", {{"ClientId", gateway_.info().client_id}});
  EXPECT_EQ(client.body["UserPoolClient"]["ClientId"], gateway_.info().client_id);
  EXPECT_EQ(client.body["UserPoolClient"]["PreventUserExistenceErrors"], "ENABLED");
  EXPECT_EQ(admin("DescribeUserPoolClient", {{"ClientId", "another"}}).error(),
            "ResourceNotFoundException: User pool client another does not exist.");
}

}  // namespace
}  // namespace holdfast::test
