// Tests the routes of the user pool's operations.

#include "api/user_pool.hpp"

#include <random>

#include "identity/srp.hpp"
#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

class UserPoolApi : public GatewayFixture {
 protected:
  net::Response admin(const std::string& operation, const Json& input,
                      std::string_view key = kRootKey) {
    net::Request request = pool_request(operation, input);
    sign(request, key, "cognito-idp");
    return call(std::move(request));
  }
  net::Response open(const std::string& operation, const Json& input) {
    return call(pool_request(operation, input));
  }
  net::Response login(const std::string& name, const std::string& password) {
    return open("InitiateAuth", {{"ClientId", kClientId},
                                 {"AuthFlow", "USER_PASSWORD_AUTH"},
                                 {"AuthParameters", {{"USERNAME", name}, {"PASSWORD", password}}}});
  }
  static Json body_of(const net::Response& response) {
    return parse_json(response.body).value_or(Json::object());
  }
  static void expect_pool_error(const net::Response& response, const std::string& type,
                                const std::string& words) {
    EXPECT_EQ(response.status, 400) << response.body;
    EXPECT_EQ(body_of(response).value("__type", std::string()), type) << response.body;
    EXPECT_NE(message_of(response).find(words), std::string::npos) << response.body;
    EXPECT_EQ(header(response, "x-amzn-ErrorType"), type + ":");
    EXPECT_FALSE(header(response, "x-amzn-ErrorMessage").empty());
    EXPECT_FALSE(header(response, "x-amzn-RequestId").empty());
    EXPECT_EQ(header(response, "Content-Type"), "application/x-amz-json-1.1");
  }
  Json create_input(const std::string& name = "bob") const {
    return {{"UserPoolId", kPoolId},
            {"Username", name},
            {"TemporaryPassword", "Temp0rary!"},
            {"UserAttributes", Json::array({{{"Name", "email"}, {"Value", "b@example.com"}}})},
            {"MessageAction", "SUPPRESS"}};
  }
};

TEST_F(UserPoolApi, PlaysTheStoryOfANewUser) {
  const net::Response created = admin("AdminCreateUser", create_input());
  ASSERT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(header(created, "Content-Type"), "application/x-amz-json-1.1");
  EXPECT_FALSE(header(created, "x-amzn-RequestId").empty());
  const Json user = body_of(created)["User"];
  EXPECT_EQ(user["Username"], "bob");
  EXPECT_EQ(user["UserStatus"], "FORCE_CHANGE_PASSWORD");
  EXPECT_EQ(user["Enabled"], true);
  EXPECT_EQ(user["Attributes"][0]["Name"], "sub");
  EXPECT_EQ(user["Attributes"][1]["Value"], "b@example.com");
  EXPECT_DOUBLE_EQ(user["UserCreateDate"].get<double>(),
                   static_cast<double>(unix_millis(clock_.wall_now())) / 1000);

  const net::Response first = admin(
      "AdminInitiateAuth", {{"UserPoolId", kPoolId},
                            {"ClientId", kClientId},
                            {"AuthFlow", "ADMIN_NO_SRP_AUTH"},
                            {"AuthParameters", {{"USERNAME", "bob"}, {"PASSWORD", "Temp0rary!"}}}});
  ASSERT_EQ(first.status, 200) << first.body;
  const Json challenge = body_of(first);
  EXPECT_EQ(challenge["ChallengeName"], "NEW_PASSWORD_REQUIRED");
  EXPECT_EQ(challenge["ChallengeParameters"]["requiredAttributes"], "[]");
  EXPECT_FALSE(challenge.contains("AuthenticationResult"));

  const net::Response second =
      admin("AdminRespondToAuthChallenge",
            {{"UserPoolId", kPoolId},
             {"ClientId", kClientId},
             {"ChallengeName", "NEW_PASSWORD_REQUIRED"},
             {"ChallengeResponses", {{"USERNAME", "bob"}, {"NEW_PASSWORD", "Passw0rd!"}}},
             {"Session", challenge["Session"]}});
  ASSERT_EQ(second.status, 200) << second.body;
  const Json result = body_of(second)["AuthenticationResult"];
  EXPECT_EQ(result["TokenType"], "Bearer");
  EXPECT_EQ(result["ExpiresIn"], 3600);
  EXPECT_TRUE(body_of(second)["ChallengeParameters"].is_object());
  EXPECT_TRUE(id_tokens_->verify(result["IdToken"].get<std::string>()).has_value());
  EXPECT_FALSE(id_tokens_->verify(result["AccessToken"].get<std::string>()).has_value());
  EXPECT_EQ(login("BOB", "Passw0rd!").status, 200);
}

TEST_F(UserPoolApi, DoesWhatWasSignedOnce) {
  add_user("bob");
  const auto signed_call = [&](const std::string& operation) {
    net::Request request = pool_request(operation, {{"UserPoolId", kPoolId}, {"Username", "bob"}});
    sign(request, kRootKey, "cognito-idp");
    return request;
  };
  const auto enabled = [&] { return database_.users.begin()->second.enabled; };
  const net::Request enable = signed_call("AdminEnableUser");
  ASSERT_EQ(call(enable).status, 200);
  // AWS's SDK for Python signs equal calls of one second alike.
  const std::size_t before = users_[0].calls();
  const net::Response again = call(enable);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, "{}");
  EXPECT_EQ(users_[0].calls(), before) << "it was done already";

  ASSERT_EQ(call(signed_call("AdminDisableUser")).status, 200);
  for (int i = 0; i < 2; ++i) {
    expect_pool_error(call(enable), "ConflictException", "Sign the request anew");
    EXPECT_FALSE(enabled());
    clock_.advance(Seconds(120));
  }
  EXPECT_EQ(call(signed_call("AdminEnableUser")).status, 200);
  EXPECT_TRUE(enabled());
}

TEST_F(UserPoolApi, TriesAgainWhatWasSignedAndNotDone) {
  net::Request create = pool_request("AdminCreateUser", create_input());
  sign(create, kRootKey, "cognito-idp");
  hasher_->full = true;
  EXPECT_NE(call(create).status, 200);
  hasher_->full = false;
  EXPECT_EQ(call(create).status, 200);
  const std::string sub = database_.users.begin()->first;
  ASSERT_EQ(admin("AdminDeleteUser", {{"UserPoolId", kPoolId}, {"Username", "bob"}}).status, 200);
  expect_pool_error(call(create), "ConflictException", "used already");
  EXPECT_TRUE(database_.users.empty()) << sub;
}

TEST_F(UserPoolApi, ReadsAndLogsInAsOftenAsItIsAsked) {
  add_user("bob");
  for (const auto& [operation, input] :
       {std::pair<std::string, Json>("AdminGetUser",
                                     {{"UserPoolId", kPoolId}, {"Username", "bob"}}),
        {"AdminInitiateAuth",
         {{"UserPoolId", kPoolId},
          {"ClientId", kClientId},
          {"AuthFlow", "ADMIN_USER_PASSWORD_AUTH"},
          {"AuthParameters", {{"USERNAME", "bob"}, {"PASSWORD", "Passw0rd!"}}}}}}) {
    net::Request request = pool_request(operation, input);
    sign(request, kRootKey, "cognito-idp");
    const net::Response first = call(request);
    EXPECT_EQ(first.status, 200) << first.body;
    const net::Response second = call(request);
    EXPECT_EQ(second.status, 200) << second.body;
    EXPECT_GT(second.body.size(), 2U);
  }
}

TEST_F(UserPoolApi, RecordsTheUserOfARefusalInTheAuditLog) {
  const std::string user = "user:" + add_user("alice").sub.str();
  const Json tokens = body_of(login("alice", "Passw0rd!"))["AuthenticationResult"];
  const auto last = [&] { return audit_->events.back(); };
  const auto expect_last = [&](const std::string& action, AuditOutcome outcome,
                               const std::string& actor, const std::string& target) {
    SCOPED_TRACE(action);
    EXPECT_EQ(last().action, action);
    EXPECT_EQ(last().outcome, outcome) << last().reason;
    EXPECT_EQ(last().actor, actor);
    EXPECT_EQ(last().target, target);
  };
  (void)open("ChangePassword", {{"AccessToken", tokens["AccessToken"]},
                                {"PreviousPassword", "wrong one!"},
                                {"ProposedPassword", "An0ther one!"}});
  expect_last("user.change_password", AuditOutcome::refused, user, user);
  (void)open("RevokeToken", {{"ClientId", kClientId}, {"Token", tokens["RefreshToken"]}});
  expect_last("login.revoke", AuditOutcome::done, user, user);
  (void)open("GetTokensFromRefreshToken",
             {{"ClientId", kClientId}, {"RefreshToken", tokens["RefreshToken"]}});
  expect_last("login.refresh", AuditOutcome::refused, "stranger", user);
  // The login has ended: whose token it was is known, not who has it now.
  (void)open("UpdateUserAttributes",
             {{"AccessToken", tokens["AccessToken"]},
              {"UserAttributes", Json::array({{{"Name", "name"}, {"Value", "A"}}})}});
  expect_last("user.change", AuditOutcome::refused, "stranger", user);
  // An unverified token must not name the actor.
  (void)open("ChangePassword", {{"AccessToken", tokens["AccessToken"].get<std::string>() + "x"},
                                {"PreviousPassword", "wrong one!"},
                                {"ProposedPassword", "An0ther one!"}});
  expect_last("user.change_password", AuditOutcome::refused, "stranger", "");
}

TEST_F(UserPoolApi, TellsTheAuditLogOfRefusedSignaturesAndNotOfRepetitions) {
  add_user("bob");
  const Json bob = {{"UserPoolId", kPoolId}, {"Username", "bob"}};
  net::Request spoiled = pool_request("AdminDeleteUser", bob);
  sign(spoiled, kRootKey, "cognito-idp");
  spoiled.body += " ";
  (void)call(std::move(spoiled));
  ASSERT_EQ(audit_->events.size(), 1U);
  EXPECT_EQ(audit_->events[0].action, "user.delete");
  EXPECT_EQ(audit_->events[0].outcome, AuditOutcome::refused);
  EXPECT_EQ(audit_->events[0].actor, "stranger");
  EXPECT_EQ(audit_->events[0].target, "access_key:" + std::string(kRootKey));
  EXPECT_TRUE(audit_->events[0].reason.starts_with("InvalidSignatureException"));

  net::Request enable = pool_request("AdminEnableUser", bob);
  sign(enable, kRootKey, "cognito-idp");
  (void)call(enable);
  (void)call(enable);
  EXPECT_EQ(audit_->events.size(), 2U) << "it was done once";
}

TEST_F(UserPoolApi, ServesAnyPathPrefix) {
  add_user("alice");
  for (const char* target : {"/", "/idp/", "/idp", "/prod", "/prod/idp/"}) {
    net::Request request = pool_request(
        "InitiateAuth", {{"ClientId", kClientId},
                         {"AuthFlow", "USER_PASSWORD_AUTH"},
                         {"AuthParameters", {{"USERNAME", "alice"}, {"PASSWORD", "Passw0rd!"}}}});
    request.head.target = target;
    EXPECT_EQ(call(std::move(request)).status, 200) << target;
  }
}

TEST_F(UserPoolApi, RefusesAdminCallsThatAreNotSigned) {
  for (const char* operation :
       {"AdminCreateUser", "AdminInitiateAuth", "AdminRespondToAuthChallenge"}) {
    expect_pool_error(open(operation, create_input()), "MissingAuthenticationTokenException", "");
    net::Request spoiled = pool_request(operation, create_input());
    sign(spoiled, kRootKey, "cognito-idp");
    spoiled.body += " ";
    expect_pool_error(call(std::move(spoiled)), "InvalidSignatureException", "does not match");
    net::Request other = pool_request(operation, create_input());
    sign(other, kRootKey, "execute-api");
    expect_pool_error(call(std::move(other)), "InvalidSignatureException", "service");
    expect_pool_error(admin(operation, create_input(), "AKIANOBODYNOBODYNOBO"),
                      "UnrecognizedClientException", "security token");
    net::Request bearer = pool_request(operation, create_input());
    bearer.head.headers.emplace_back("Authorization", "Bearer x");
    expect_pool_error(call(std::move(bearer)), "IncompleteSignatureException", "");
  }
  EXPECT_TRUE(database_.users.empty());
}

TEST_F(UserPoolApi, HoldsAdminCallsAgainstThePolicyOfTheKey) {
  expect_pool_error(admin("AdminCreateUser", create_input(), kPoorKey), "AccessDeniedException",
                    "User: arn:aws:iam::000000000000:user/poor is not authorized to perform: "
                    "cognito-idp:AdminCreateUser on resource: "
                    "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123456");
  expect_pool_error(admin("AdminCreateUser", create_input(), kDeniedKey), "AccessDeniedException",
                    "with an explicit deny");
}

TEST_F(UserPoolApi, HasNoSignedOperationThatAPolicyCannotName) {
  const auto actions = iam::policy_actions();
  for (const api::UserPoolOperation& operation : api::user_pool_operations()) {
    const std::string action = "cognito-idp:" + std::string(operation.name);
    EXPECT_EQ(std::ranges::find(actions, action) != actions.end(), operation.is_signed) << action;
  }
}

TEST_F(UserPoolApi, TakesNullForAnAbsentMember) {
  add_user("alice");
  const auto answer_to = [this](const std::string& operation, Json input, bool is_signed) {
    net::Request request = pool_request(operation, input);
    if (is_signed) sign(request, kRootKey, "cognito-idp");
    return call(std::move(request));
  };
  const Json list = {{"UserPoolId", kPoolId}};
  const net::Response plain = answer_to("ListUsers", list, true);
  ASSERT_EQ(plain.status, 200) << plain.body;
  for (const char* member : {"AttributesToGet", "Filter", "Limit", "PaginationToken", "Unknown"}) {
    Json with_null = list;
    with_null[member] = nullptr;
    EXPECT_EQ(answer_to("ListUsers", with_null, true).body, plain.body) << member;
  }
  for (const char* limit : {"1", "1.0", "1e0"}) {
    net::Request request = pool_request("ListUsers", list);
    request.body = R"({"UserPoolId":")" + std::string(kPoolId) + R"(","Limit":)" + limit + "}";
    sign(request, kRootKey, "cognito-idp");
    EXPECT_EQ(call(request).status, 200) << limit;
  }
  expect_error(answer_to("ListUsers", {{"UserPoolId", nullptr}}, true), 400,
               "InvalidParameterException:", "userPoolId");
}

TEST_F(UserPoolApi, RefusesUnknownOperations) {
  for (const char* operation :
       {"", "Nonsense", "ListUserPools", "adminCreateUser", "InitiateAuth.x"}) {
    expect_pool_error(open(operation, Json::object()), "UnknownOperationException", "");
  }
}

TEST_F(UserPoolApi, RefusesWhatIsNoJsonObject) {
  for (const char* body :
       {"", "x", "[]", "5", "{\"a\":1,\"a\":2}", "{\"a\":\"\\ud800\"}", "{}{}", "\xef\xbb\xbf{}"}) {
    net::Request request = pool_request("InitiateAuth", Json::object());
    request.body = body;
    SCOPED_TRACE(body);
    expect_pool_error(call(std::move(request)), "SerializationException", "");
  }
}

TEST_F(UserPoolApi, RefusesMembersOfTheWrongType) {
  const std::pair<Json, const char*> rows[] = {
      {{{"ClientId", 5}}, "ClientId must be a string"},
      {{{"ClientId", kClientId}, {"AuthFlow", {"x"}}}, "AuthFlow must be a string"},
      {{{"AuthParameters", "x"}}, "AuthParameters must be a map of strings"},
      {{{"AuthParameters", {{"USERNAME", 5}}}}, "AuthParameters must be a map of strings"},
  };
  for (const auto& [input, words] : rows) {
    expect_pool_error(open("InitiateAuth", input), "SerializationException", words);
  }
  Json input = create_input();
  for (const Json& attributes :
       {Json("x"), Json::array({5}), Json::array({{{"Name", 5}}}), Json(Json::object())}) {
    input["UserAttributes"] = attributes;
    expect_pool_error(admin("AdminCreateUser", input), "SerializationException",
                      "UserAttributes must be a list of attributes");
  }
}

TEST_F(UserPoolApi, NamesAllThatIsMissing) {
  expect_pool_error(open("InitiateAuth", Json::object()), "InvalidParameterException",
                    "2 validation errors detected: Value null at 'clientId' failed to satisfy "
                    "constraint: Member must not be null; Value null at 'authFlow' failed");
  expect_pool_error(admin("AdminCreateUser", {{"UserPoolId", kPoolId}}),
                    "InvalidParameterException",
                    "1 validation error detected: Value null at 'username' failed");
  expect_pool_error(open("RespondToAuthChallenge",
                         {{"ClientId", kClientId}, {"ChallengeName", "NEW_PASSWORD_REQUIRED"}}),
                    "InvalidParameterException", "Missing required parameter Session");
}

TEST_F(UserPoolApi, PassesOnWhatTheUserPoolRefuses) {
  Json other_pool = create_input();
  other_pool["UserPoolId"] = "us-east-1_Other";
  expect_pool_error(admin("AdminCreateUser", other_pool), "ResourceNotFoundException",
                    "User pool us-east-1_Other does not exist.");
  Json bad_pool = create_input();
  bad_pool["UserPoolId"] = "no pool";
  expect_pool_error(admin("AdminCreateUser", bad_pool), "InvalidParameterException",
                    "failed to satisfy constraint");
  Json weak = create_input();
  weak["TemporaryPassword"] = "short";
  expect_pool_error(admin("AdminCreateUser", weak), "InvalidPasswordException",
                    "Password did not conform with policy");
  ASSERT_EQ(admin("AdminCreateUser", create_input()).status, 200);
  expect_pool_error(admin("AdminCreateUser", create_input("BoB")), "UsernameExistsException",
                    "User account already exists");
  Json client = {{"ClientId", "unknown"}, {"AuthFlow", "USER_PASSWORD_AUTH"}};
  expect_pool_error(open("InitiateAuth", client), "ResourceNotFoundException",
                    "User pool client unknown does not exist.");
  client = {{"ClientId", kClientId}, {"AuthFlow", "ADMIN_NO_SRP_AUTH"}};
  expect_pool_error(open("InitiateAuth", client), "InvalidParameterException",
                    "Initiate Auth method not supported.");
  Json resend = create_input("carol");
  resend["MessageAction"] = "RESEND";
  expect_pool_error(admin("AdminCreateUser", resend), "InvalidParameterException", "");
  Json sub = create_input("carol");
  sub["UserAttributes"] = Json::array({{{"Name", "sub"}, {"Value", "me"}}});
  expect_pool_error(admin("AdminCreateUser", sub), "InvalidParameterException", "sub");
}

TEST_F(UserPoolApi, GivesAWrongPasswordAndAnUnknownNameOneAnswer) {
  add_user("alice");
  const net::Response wrong = login("alice", "Wr0ng-password");
  expect_pool_error(wrong, "NotAuthorizedException", "Incorrect username or password.");
  EXPECT_EQ(login("nobody", "Wr0ng-password").body, wrong.body);
}

TEST_F(UserPoolApi, LocksKnownAndUnknownNamesAlike) {
  add_user("alice");
  for (const char* name : {"alice", "nobody"}) {
    for (int i = 0; i < 5; ++i) login(name, "Wr0ng-password");
    expect_pool_error(login(name, "Passw0rd!"), "NotAuthorizedException",
                      "Password attempts exceeded");
  }
  clock_.advance(Seconds(60));
  EXPECT_EQ(login("alice", "Passw0rd!").status, 200);
}

TEST_F(UserPoolApi, AnswersAFloodOfLogins) {
  add_user("alice");
  hasher_->full = true;
  expect_pool_error(login("alice", "Passw0rd!"), "TooManyRequestsException", "");
}

TEST_F(UserPoolApi, SaysThatTheStoreCannotTell) {
  add_user("alice");
  users_[0].fail_next();
  const net::Response response = login("alice", "Passw0rd!");
  EXPECT_EQ(response.status, 503) << response.body;
  EXPECT_EQ(header(response, "Retry-After"), "1");
  EXPECT_EQ(body_of(response)["__type"], "ServiceUnavailableException");
}

TEST_F(UserPoolApi, KeepsAHeaderCleanOfWhatTheClientSent) {
  const net::Response response = open(
      "InitiateAuth", {{"ClientId", "evil\r\nSet-Cookie: a=b\u00e9"}, {"AuthFlow", "USER_AUTH"}});
  expect_pool_error(response, "InvalidParameterException", "");
  const std::string value = header(response, "x-amzn-ErrorMessage");
  EXPECT_TRUE(std::ranges::all_of(value, [](char c) { return c >= 0x20 && c <= 0x7e; })) << value;
}

TEST_F(UserPoolApi, AnswersRandomInputsWithAClearError) {
  add_user("alice");
  const std::string seed = Json{{"ClientId", kClientId},
                                {"AuthFlow", "USER_PASSWORD_AUTH"},
                                {"AuthParameters", {{"USERNAME", "alice"}, {"PASSWORD", "Wr0ng"}}}}
                               .dump();
  std::mt19937 random(4);
  for (int round = 0; round < 2000; ++round) {
    net::Request request = pool_request("InitiateAuth", Json::object());
    request.body = seed;
    for (int i = 0; i < 3; ++i) {
      request.body[random() % request.body.size()] = static_cast<char>(random());
    }
    const net::Response response = call(std::move(request));
    EXPECT_EQ(response.status, 400) << response.body;
    EXPECT_TRUE(body_of(response).contains("__type")) << response.body;
  }
}

const char* const kSignedOperations[] = {"AdminConfirmSignUp",
                                         "AdminDeleteUser",
                                         "AdminDisableUser",
                                         "AdminEnableUser",
                                         "AdminGetUser",
                                         "AdminSetUserPassword",
                                         "AdminUpdateUserAttributes",
                                         "AdminUserGlobalSignOut",
                                         "DescribeUserPool",
                                         "DescribeUserPoolClient",
                                         "ListUsers"};
const char* const kOpenOperations[] = {
    "ChangePassword", "ConfirmForgotPassword",  "ConfirmSignUp",
    "DeleteUser",     "ForgotPassword",         "GetUser",
    "GlobalSignOut",  "InitiateAuth",           "RevokeToken",
    "SignUp",         "ResendConfirmationCode", "RespondToAuthChallenge"};

TEST_F(UserPoolApi, NeedsASignatureAndAPolicyForAdministration) {
  for (const std::string operation : kSignedOperations) {
    const Json input = {{"UserPoolId", kPoolId}, {"Username", "alice"}};
    expect_pool_error(open(operation, input), "MissingAuthenticationTokenException", "");
    for (const std::string_view key : {kPoorKey, kDeniedKey}) {
      expect_pool_error(admin(operation, input, key), "AccessDeniedException",
                        "cognito-idp:" + operation +
                            " on resource: arn:aws:cognito-idp:us-east-1:"
                            "000000000000:userpool/" +
                            std::string(kPoolId));
    }
  }
}

TEST_F(UserPoolApi, NamesWhatEachOperationMisses) {
  for (const char* const operation : kSignedOperations) {
    expect_pool_error(admin(operation, Json::object()), "InvalidParameterException",
                      "Value null at 'userPoolId'");
  }
  for (const char* const operation : kOpenOperations) {
    expect_pool_error(open(operation, Json::object()), "InvalidParameterException",
                      "Value null at");
    expect_pool_error(open(operation, {{"ClientId", 1}, {"AccessToken", 1}}),
                      "SerializationException", "must be a string");
  }
  expect_pool_error(admin("ListUsers", {{"UserPoolId", kPoolId}, {"Limit", -1}}),
                    "SerializationException", "Limit must be a number");
  expect_pool_error(admin("ListUsers", {{"UserPoolId", kPoolId}, {"AttributesToGet", "email"}}),
                    "SerializationException", "AttributesToGet must be a list of strings");
  expect_pool_error(admin("AdminSetUserPassword", {{"UserPoolId", kPoolId},
                                                   {"Username", "alice"},
                                                   {"Password", "password1"},
                                                   {"Permanent", "yes"}}),
                    "SerializationException", "Permanent must be a boolean");
}

TEST_F(UserPoolApi, AnswersUsersInBothOfTheirShapes) {
  const identity::User alice = add_user("alice");
  const net::Response got = admin("AdminGetUser", {{"UserPoolId", kPoolId}, {"Username", "ALICE"}});
  ASSERT_EQ(got.status, 200) << got.body;
  EXPECT_EQ(body_of(got)["Username"], "alice");
  EXPECT_EQ(body_of(got)["UserAttributes"][0]["Value"], alice.sub.str());
  EXPECT_EQ(body_of(got)["UserStatus"], "CONFIRMED");
  EXPECT_EQ(body_of(got)["Enabled"], true);
  const Json listed = body_of(admin("ListUsers", {{"UserPoolId", kPoolId}}));
  EXPECT_EQ(listed["Users"][0]["Attributes"][0]["Name"], "sub");
  EXPECT_FALSE(listed.contains("PaginationToken"));
  (void)add_user("bert");
  const Json first = body_of(
      admin("ListUsers",
            {{"UserPoolId", kPoolId}, {"Limit", 1}, {"AttributesToGet", Json::array({"email"})}}));
  EXPECT_EQ(first.at("Users").size(), 1U);
  EXPECT_TRUE(first.at("Users").at(0).at("Attributes").empty());
  EXPECT_TRUE(first.contains("PaginationToken"));
  expect_pool_error(admin("AdminGetUser", {{"UserPoolId", kPoolId}, {"Username", "nobody"}}),
                    "UserNotFoundException", "User does not exist.");
  expect_pool_error(admin("ListUsers", {{"UserPoolId", "us-east-1_another"}}),
                    "ResourceNotFoundException", "User pool us-east-1_another does not exist.");
}

TEST_F(UserPoolApi, AnswersEmptyObjectsWhereThereIsNothingToSay) {
  (void)add_user("alice");
  const Json alice = {{"UserPoolId", kPoolId}, {"Username", "alice"}};
  for (const char* const operation :
       {"AdminDisableUser", "AdminEnableUser", "AdminUserGlobalSignOut", "AdminDeleteUser"}) {
    const net::Response response = admin(operation, alice);
    EXPECT_EQ(response.status, 200) << operation << response.body;
    EXPECT_EQ(response.body, "{}");
  }
  EXPECT_EQ(ended_.size(), 3U);
}

TEST_F(UserPoolApi, GivesARefreshTokenWithALoginAndNoneWithARefresh) {
  (void)add_user("alice");
  const Json first = body_of(login("alice", "Passw0rd!"))["AuthenticationResult"];
  ASSERT_TRUE(first.contains("RefreshToken"));
  for (const char* const flow : {"REFRESH_TOKEN_AUTH", "REFRESH_TOKEN"}) {
    const Json input = {{"ClientId", kClientId},
                        {"AuthFlow", flow},
                        {"AuthParameters", {{"REFRESH_TOKEN", first["RefreshToken"]}}}};
    const net::Response response = open("InitiateAuth", input);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_FALSE(body_of(response)["AuthenticationResult"].contains("RefreshToken"));
    Json with_pool = input;
    with_pool["UserPoolId"] = kPoolId;
    EXPECT_EQ(admin("AdminInitiateAuth", with_pool).status, 200);
  }
  expect_pool_error(open("RevokeToken", {{"ClientId", kClientId}, {"Token", first["IdToken"]}}),
                    "UnsupportedTokenTypeException", "Unsupported token type");
}

TEST_F(UserPoolApi, GivesNewTokensForARefreshTokenAsNewerClientsAsk) {
  const identity::User alice = add_user("alice");
  const Json first = body_of(login("alice", "Passw0rd!"))["AuthenticationResult"];
  const Json input = {{"ClientId", kClientId},
                      {"RefreshToken", first["RefreshToken"]},
                      {"ClientMetadata", {{"a", "b"}}},
                      {"DeviceKey", nullptr}};
  const net::Response response = open("GetTokensFromRefreshToken", input);
  ASSERT_EQ(response.status, 200) << response.body;
  const Json body = body_of(response);
  EXPECT_EQ(body.size(), 1U);
  EXPECT_EQ(body["AuthenticationResult"]["TokenType"], "Bearer");
  EXPECT_EQ(body["AuthenticationResult"]["ExpiresIn"], 3600);
  EXPECT_FALSE(body["AuthenticationResult"].contains("RefreshToken"));
  for (const char* token : {"AccessToken", "IdToken"}) {
    EXPECT_FALSE(body["AuthenticationResult"][token].get<std::string>().empty());
  }
  Json unknown = input;
  unknown["RefreshToken"] = "unknown";
  expect_pool_error(open("GetTokensFromRefreshToken", unknown), "NotAuthorizedException",
                    "Invalid Refresh Token");
  database_.users[alice.sub.str()].enabled = false;
  expect_pool_error(open("GetTokensFromRefreshToken", input), "NotAuthorizedException",
                    "User is disabled.");
  database_.users[alice.sub.str()].enabled = true;
  EXPECT_EQ(open("RevokeToken", {{"ClientId", kClientId}, {"Token", first["RefreshToken"]}}).status,
            200);
  expect_pool_error(open("GetTokensFromRefreshToken", input), "NotAuthorizedException",
                    "Refresh Token has been revoked");
}

TEST_F(UserPoolApi, ReplacesRefreshTokensWhereThatIsWanted) {
  pool_options_.refresh_token_rotation = true;
  pool_options_.refresh_token_grace = Seconds(0);
  start({});
  (void)add_user("alice");
  const auto ask = [&](const Json& token) {
    return open("GetTokensFromRefreshToken", {{"ClientId", kClientId}, {"RefreshToken", token}});
  };
  const Json first = body_of(login("alice", "Passw0rd!"))["AuthenticationResult"]["RefreshToken"];
  const net::Response response = ask(first);
  ASSERT_EQ(response.status, 200) << response.body;
  const Json second = body_of(response)["AuthenticationResult"]["RefreshToken"];
  EXPECT_NE(second, first);
  expect_pool_error(ask(first), "RefreshTokenReuseException", "replaced");
  expect_pool_error(ask(second), "NotAuthorizedException", "Refresh Token has been revoked");
  const Json described =
      body_of(admin("DescribeUserPoolClient", {{"UserPoolId", kPoolId}, {"ClientId", kClientId}}));
  EXPECT_EQ(described["UserPoolClient"]["RefreshTokenRotation"]["Feature"], "ENABLED");
  EXPECT_EQ(described["UserPoolClient"]["RefreshTokenRotation"]["RetryGracePeriodSeconds"], 0);
}

// By the name, or by the `sub` of whom nobody else is called.
TEST_F(UserPoolApi, TakesUsersBySubInEveryAdministrativeOperation) {
  const std::string unknown = "00000000-0000-4000-8000-000000000000";
  std::size_t tried = 0;
  for (const api::UserPoolOperation& operation : api::user_pool_operations()) {
    const std::string name(operation.name);
    if (!name.starts_with("Admin") || name == "AdminCreateUser") continue;
    SCOPED_TRACE(name);
    ++tried;
    identity::User user = add_user("user-" + name);
    if (name == "AdminConfirmSignUp") {
      database_.users[user.sub.str()].status = identity::UserStatus::unconfirmed;
    }
    std::string session;
    if (name == "AdminRespondToAuthChallenge") {
      database_.users[user.sub.str()].status = identity::UserStatus::force_change_password;
      session = body_of(login(user.username, "Passw0rd!"))["Session"];
    }
    const auto input_for = [&](const std::string& who) {
      return Json{
          {"UserPoolId", kPoolId},
          {"ClientId", kClientId},
          {"Username", who},
          {"Password", "another passw0rd"},
          {"UserAttributes", Json::array()},
          {"UserAttributeNames", Json::array()},
          {"AuthFlow", "ADMIN_USER_PASSWORD_AUTH"},
          {"AuthParameters", {{"USERNAME", who}, {"PASSWORD", "Passw0rd!"}}},
          {"ChallengeName", "NEW_PASSWORD_REQUIRED"},
          {"Session", session},
          {"ChallengeResponses", {{"USERNAME", who}, {"NEW_PASSWORD", "another passw0rd"}}}};
    };
    const net::Response refused = admin(name, input_for(unknown));
    EXPECT_EQ(refused.status, 400);
    if (name != "AdminInitiateAuth" && name != "AdminRespondToAuthChallenge") {
      expect_pool_error(refused, "UserNotFoundException", "User does not exist.");
    }
    EXPECT_EQ(admin(name, input_for(user.sub.str())).status, 200);
  }
  EXPECT_GE(tried, 11U);
  // Somebody is called as another one's `sub` is.
  const identity::User other = add_user("other");
  const identity::User named = add_user(other.sub.str());
  const Json got =
      body_of(admin("AdminGetUser", {{"UserPoolId", kPoolId}, {"Username", other.sub.str()}}));
  EXPECT_EQ(got["UserAttributes"][0]["Value"], named.sub.str());
  // Strangers and users themselves log in by name.
  EXPECT_EQ(login(add_user("zoe").sub.str(), "Passw0rd!").status, 400);
}

TEST_F(UserPoolApi, LetsUsersChangeTheirOwnAttributes) {
  const identity::User alice = add_user("alice");
  const auto attributes = [&]() -> std::map<std::string, std::string>& {
    return database_.users[alice.sub.str()].attributes;
  };
  attributes() = {{"email", "a@example.com"},
                  {"email_verified", "true"},
                  {"phone_number", "+15550100"},
                  {"phone_number_verified", "true"}};
  const Json token = body_of(login("alice", "Passw0rd!"))["AuthenticationResult"]["AccessToken"];
  const auto update = [&](const std::string& name, const std::string& value) {
    return open("UpdateUserAttributes",
                {{"AccessToken", token},
                 {"UserAttributes", Json::array({{{"Name", name}, {"Value", value}}})}});
  };
  const auto remove = [&](const std::string& name) {
    return open("DeleteUserAttributes",
                {{"AccessToken", token}, {"UserAttributeNames", Json::array({name})}});
  };
  const net::Response updated = update("nickname", "Al");
  ASSERT_EQ(updated.status, 200) << updated.body;
  EXPECT_EQ(body_of(updated), Json({{"CodeDeliveryDetailsList", Json::array()}}));
  EXPECT_EQ(attributes()["nickname"], "Al");
  EXPECT_EQ(update("email", "a@example.com").status, 200);
  EXPECT_EQ(attributes()["email_verified"], "true") << "the same address";
  EXPECT_EQ(update("email", "b@example.com").status, 200);
  EXPECT_EQ(attributes()["email"], "b@example.com");
  EXPECT_EQ(attributes()["email_verified"], "false");
  EXPECT_EQ(attributes()["phone_number_verified"], "true");
  EXPECT_EQ(update("phone_number", "").status, 200);
  EXPECT_FALSE(attributes().contains("phone_number"));
  EXPECT_FALSE(attributes().contains("phone_number_verified"));
  for (const char* name : {"email_verified", "phone_number_verified"}) {
    expect_pool_error(update(name, "true"), "NotAuthorizedException", "unauthorized attribute");
    expect_pool_error(remove(name), "NotAuthorizedException", "unauthorized attribute");
  }
  for (const char* name : {"sub", "iss", "cognito:username"}) {
    expect_pool_error(update(name, "x"), "InvalidParameterException", "");
    expect_pool_error(remove(name), "InvalidParameterException", "");
  }
  EXPECT_EQ(remove("nickname").status, 200);
  EXPECT_EQ(remove("nickname").status, 200);
  EXPECT_FALSE(attributes().contains("nickname"));
  EXPECT_EQ(admin("AdminDeleteUserAttributes", {{"UserPoolId", kPoolId},
                                                {"Username", "alice"},
                                                {"UserAttributeNames", Json::array({"email"})}})
                .status,
            200);
  EXPECT_TRUE(attributes().empty());
  expect_pool_error(open("UpdateUserAttributes", {{"AccessToken", token}}),
                    "InvalidParameterException", "userAttributes");
}

// The lengths of all that an answer says, by where it says it.
std::map<std::string, std::size_t> lengths_of(const net::Response& response) {
  std::map<std::string, std::size_t> out;
  out["status " + std::to_string(response.status)] = 0;
  for (const auto& [name, value] : response.headers) out["header " + name] = value.size();
  const Json flat = parse_json(response.body).value_or(Json(response.body)).flatten();
  for (const auto& [place, value] : flat.items()) out[place] = value.dump().size();
  return out;
}

// Names that nobody has, that somebody has who has no password yet, and that somebody has: no
// answer that needs no credential tells them apart.
TEST_F(UserPoolApi, TellsStrangersNothingOfWhoThereIs) {
  const std::string known = "alice@example.com";
  const std::string without = "bobby@example.com";
  const std::string nobody = "nobod@example.com";
  identity::User& alice = database_.users[add_user(known).sub.str()];
  alice.srp_verifier = ring_
                           ->seal(identity::make_srp_verifier(kPoolId, known, "Passw0rd!"),
                                  identity::srp_sealing_context(alice.sub))
                           .value();
  identity::User& bob = database_.users[add_user(without).sub.str()];
  bob.password_hash.clear();
  bob.signed_out_at = clock_.wall_now();
  bob.status = identity::UserStatus::force_change_password;
  const auto secret_block = [&](const std::string& name) -> Json {
    return body_of(open("InitiateAuth", {{"ClientId", kClientId},
                                         {"AuthFlow", "USER_SRP_AUTH"},
                                         {"AuthParameters", {{"USERNAME", name}, {"SRP_A", "2"}}}}))
        .value("/ChallengeParameters/SECRET_BLOCK"_json_pointer, Json());
  };
  const auto input_for = [&](const std::string& name, const std::string& flow) {
    return Json{{"ClientId", kClientId},
                {"Username", name},
                {"Password", "wrong passw0rd"},
                {"ConfirmationCode", "123456"},
                {"AuthFlow", flow},
                {"AuthParameters",
                 {{"USERNAME", name},
                  {"PASSWORD", "wrong passw0rd"},
                  {"SRP_A", "2"},
                  {"REFRESH_TOKEN", "x"}}},
                {"ChallengeName", "PASSWORD_VERIFIER"},
                {"ChallengeResponses",
                 {{"USERNAME", name},
                  {"PASSWORD_CLAIM_SECRET_BLOCK", secret_block(name)},
                  {"PASSWORD_CLAIM_SIGNATURE", "AAAA"},
                  {"TIMESTAMP", "Mon Nov 30 16:00:00 UTC 2026"}}},
                {"AccessToken", "x"},
                {"PreviousPassword", "x"},
                {"ProposedPassword", "another passw0rd"},
                {"Token", "x"},
                {"RefreshToken", "x"},
                {"UserAttributes", Json::array()},
                {"UserAttributeNames", Json::array()}};
  };
  for (const api::UserPoolOperation& operation : api::user_pool_operations()) {
    if (operation.is_signed) continue;
    for (const char* flow : {"USER_PASSWORD_AUTH", "USER_SRP_AUTH", "REFRESH_TOKEN_AUTH"}) {
      const std::string name(operation.name);
      SCOPED_TRACE(name + " " + flow);
      const auto expected = lengths_of(open(name, input_for(nobody, flow)));
      EXPECT_EQ(lengths_of(open(name, input_for(known, flow))), expected);
      EXPECT_EQ(lengths_of(open(name, input_for(without, flow))), expected);
    }
  }
}

TEST_F(UserPoolApi, TellsOfCodesByCognitosNames) {
  pool_options_.self_sign_up = true;
  pool_options_.prevent_user_existence_errors = false;
  start({});
  const Json bob = {{"ClientId", kClientId},
                    {"Username", "bob"},
                    {"Password", "Passw0rd!"},
                    {"ConfirmationCode", "12345"}};
  const net::Response signed_up = open("SignUp", bob);
  ASSERT_EQ(signed_up.status, 200) << signed_up.body;
  EXPECT_EQ(body_of(signed_up)["UserConfirmed"], false);
  EXPECT_EQ(body_of(signed_up)["UserSub"].get<std::string>().size(), 36U);
  EXPECT_EQ(body_of(signed_up)["CodeDeliveryDetails"]["DeliveryMedium"], "EMAIL");
  expect_pool_error(open("SignUp", bob), "UsernameExistsException", "User already exists");
  expect_pool_error(login("bob", "Passw0rd!"), "UserNotConfirmedException",
                    "User is not confirmed.");
  expect_pool_error(open("ConfirmSignUp", bob), "CodeMismatchException",
                    "Invalid verification code provided, please try again.");
  clock_.advance(pool_options_.code_lifetime);
  expect_pool_error(open("ConfirmSignUp", bob), "ExpiredCodeException",
                    "Invalid code provided, please request a code again.");
  const net::Response resent = open("ResendConfirmationCode", bob);
  ASSERT_EQ(resent.status, 200) << resent.body;
  EXPECT_EQ(body_of(resent)["CodeDeliveryDetails"]["AttributeName"], "email");
  Json confirmation = bob;
  confirmation["ConfirmationCode"] = code_sender_->sent.back().code;
  EXPECT_EQ(open("ConfirmSignUp", confirmation).body, "{}");
  code_sender_->fails = true;
  expect_pool_error(open("ForgotPassword", bob), "CodeDeliveryFailureException",
                    "The confirmation code could not be delivered.");
}

}  // namespace
}  // namespace holdfast::test
