// Tests IAM policies: parsing, wildcards, conditions and decisions.

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>
#include <holdfast/iam/policy.hpp>

namespace holdfast::iam {
namespace {

constexpr std::string_view kMessageArn =
    "arn:aws:execute-api:us-east-1:000000000000:holdfast/prod/POST/message";

PolicyRequest invoke() {
  PolicyRequest request;
  request.action = "execute-api:Invoke";
  request.resource = kMessageArn;
  request.source_ip = "10.1.2.3";
  request.now = wall_from_micros(1'769'076'000'000'000);  // 2026-01-22T10:00:00Z
  request.username = "alice";
  return request;
}

std::string one_statement(const std::string& members) {
  return R"({"Version":"2012-10-17","Statement":[{)" + members + "}]}";
}
std::string allow(const std::string& action, const std::string& resource) {
  return one_statement(R"("Effect":"Allow","Action":)" + action + R"(,"Resource":)" + resource);
}
std::string allow_if(const std::string& condition) {
  return one_statement(R"("Effect":"Allow","Action":"*","Resource":"*","Condition":)" + condition);
}

Decision decide(const std::string& document, const PolicyRequest& request) {
  const auto policy = parse_policy(document);
  EXPECT_TRUE(policy) << document << ": " << policy.error().message << " at "
                      << policy.error().where;
  return policy ? (*policy)->evaluate(request) : Decision::implicit_deny;
}
bool allows(const std::string& document, const PolicyRequest& request = invoke()) {
  return decide(document, request) == Decision::allow;
}

std::string refused_at(const std::string& document) {
  const auto policy = parse_policy(document);
  if (policy) return "accepted";
  EXPECT_EQ(policy.error().code, Errc::invalid_argument);
  EXPECT_FALSE(policy.error().message.empty());
  return policy.error().where;
}

TEST(Policy, AllowAllAllowsAll) {
  EXPECT_TRUE(allows(std::string(kAllowAll)));
  PolicyRequest request = invoke();
  request.action = "cognito-idp:AdminCreateUser";
  EXPECT_TRUE(allows(std::string(kAllowAll), request));
  EXPECT_EQ((*parse_policy(kAllowAll))->document(), kAllowAll);
}

TEST(Policy, DeniesWhatNothingAllows) {
  EXPECT_EQ(decide(allow(R"("sqs:*")", R"("*")"), invoke()), Decision::implicit_deny);
  EXPECT_EQ(
      decide(allow(R"("*")", R"("arn:aws:execute-api:us-east-1:000000000000:other/*")"), invoke()),
      Decision::implicit_deny);
}

TEST(Policy, LetsAnExplicitDenyWin) {
  const std::string permit = R"({"Effect":"Allow","Action":"*","Resource":"*"})";
  const std::string deny =
      R"({"Effect":"Deny","Action":"execute-api:Invoke","Resource":"arn:*/POST/message"})";
  for (const std::string& both : {permit + "," + deny, deny + "," + permit}) {
    const std::string document = R"({"Version":"2012-10-17","Statement":[)" + both + "]}";
    EXPECT_EQ(decide(document, invoke()), Decision::explicit_deny);
    PolicyRequest other = invoke();
    other.resource = "arn:aws:execute-api:us-east-1:000000000000:holdfast/prod/POST/messages";
    EXPECT_EQ(decide(document, other), Decision::allow);
  }
}

TEST(Policy, ComparesActionsWithoutRegardToCaseAndResourcesWithIt) {
  EXPECT_TRUE(allows(allow(R"("EXECUTE-API:invoke")", R"("*")")));
  EXPECT_TRUE(allows(allow(R"("execute-api:In*")", R"("*")")));
  EXPECT_TRUE(allows(allow(R"("execute-api:Invok?")", R"("*")")));
  EXPECT_FALSE(allows(allow(R"("execute-api:Invoke?")", R"("*")")));
  EXPECT_FALSE(allows(allow(
      R"("*")", R"("arn:aws:execute-api:us-east-1:000000000000:holdfast/prod/post/message")")));
}

TEST(Policy, WildcardsSpanSlashesAndColons) {
  for (const char* resource :
       {"arn:*", "arn:aws:execute-api:*:*:holdfast/*", "arn:aws:execute-api:*/POST/message",
        "arn:aws:execute-api:us-east-?:*:holdfast/prod/??ST/message", "arn:**message",
        "arn:aws:execute-api:us-east-1:000000000000:holdfast/prod/POST/message*"}) {
    EXPECT_TRUE(allows(allow(R"("*")", '"' + std::string(resource) + '"'))) << resource;
  }
  for (const char* resource :
       {"arn:aws:execute-api:*/POST/messages", "arn:aws:execute-api", "arn:*/POST/message?",
        "arn:aws:execute-api:us-east-?:*:holdfast/prod/?OS/message"}) {
    EXPECT_FALSE(allows(allow(R"("*")", '"' + std::string(resource) + '"'))) << resource;
  }
}

TEST(Policy, MatchesOneCharacterWithAQuestionMark) {
  PolicyRequest request = invoke();
  request.resource = "arn:x/ä/😀";
  EXPECT_TRUE(allows(allow(R"("*")", R"("arn:x/?/?")"), request));
  EXPECT_TRUE(allows(allow(R"("*")", R"("arn:*?/?")"), request));
  EXPECT_FALSE(allows(allow(R"("*")", R"("arn:x/?*?/?")"), request));
}

TEST(Policy, MatchesHostilePatternsQuickly) {
  std::string pattern = "arn:";
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  const std::string text = "arn:" + std::string(20'000, 'a') + "b";
  PolicyRequest request = invoke();
  request.resource = text;
  EXPECT_FALSE(allows(allow(R"("*")", '"' + pattern + '"'), request));
}

TEST(Policy, NotActionAndNotResourceSelectTheRest) {
  const std::string not_action =
      one_statement(R"("Effect":"Allow","NotAction":["sqs:*","sns:*"],"Resource":"*")");
  EXPECT_TRUE(allows(not_action));
  PolicyRequest request = invoke();
  request.action = "sns:Publish";
  EXPECT_FALSE(allows(not_action, request));
  EXPECT_FALSE(allows(
      one_statement(R"("Effect":"Allow","Action":"*","NotResource":"arn:aws:execute-api:*")")));
  EXPECT_TRUE(
      allows(one_statement(R"("Effect":"Allow","Action":"*","NotResource":["arn:aws:sqs:*"])")));
}

TEST(Policy, TakesSingleValuesAndArrays) {
  EXPECT_TRUE(allows(allow(R"(["sqs:*","execute-api:*"])", R"(["arn:x","*"])")));
  EXPECT_TRUE(allows(
      R"({"Version":"2012-10-17","Id":"i","Statement":{"Sid":"s","Effect":"Allow","Action":"*","Resource":"*"}})"));
}

TEST(Policy, KnowsTheUsernameVariableAndQuotedWildcards) {
  PolicyRequest request = invoke();
  request.resource = "arn:x/alice/y";
  EXPECT_TRUE(allows(allow(R"("*")", R"("arn:x/${aws:username}/*")"), request));
  request.username = "*";
  EXPECT_FALSE(allows(allow(R"("*")", R"("arn:x/${aws:username}/*")"), request));
  request.resource = "arn:*";
  EXPECT_TRUE(allows(allow(R"("*")", R"("arn:${*}")"), request));
  request.resource = "arn:x";
  EXPECT_FALSE(allows(allow(R"("*")", R"("arn:${*}")"), request));
  EXPECT_EQ(refused_at(allow(R"("*")", R"("arn:${aws:userid}")")), "Statement[0].Resource");
  EXPECT_EQ(refused_at(allow(R"("*")", R"("arn:${aws:username")")), "Statement[0].Resource");
}

TEST(Policy, ComparesStringsOfConditions) {
  EXPECT_TRUE(allows(allow_if(R"({"StringEquals":{"aws:username":["bob","alice"]}})")));
  EXPECT_TRUE(allows(allow_if(R"({"StringEquals":{"AWS:UserName":"alice"}})")));
  EXPECT_FALSE(allows(allow_if(R"({"StringEquals":{"aws:username":"ALICE"}})")));
  EXPECT_FALSE(allows(allow_if(R"({"StringEquals":{"aws:username":"al*"}})")));
  EXPECT_TRUE(allows(allow_if(R"({"StringEqualsIgnoreCase":{"aws:username":"ALICE"}})")));
  EXPECT_FALSE(allows(allow_if(R"({"StringNotEqualsIgnoreCase":{"aws:username":"ALICE"}})")));
  EXPECT_TRUE(allows(allow_if(R"({"StringLike":{"aws:username":"al*"}})")));
  EXPECT_FALSE(allows(allow_if(R"({"StringNotLike":{"aws:username":["bob","al?ce"]}})")));
  EXPECT_TRUE(allows(allow_if(R"({"StringNotLike":{"aws:username":["bob","carol"]}})")));
  EXPECT_FALSE(allows(allow_if(R"({"StringNotEquals":{"aws:username":["bob","alice"]}})")));
}

TEST(Policy, AllConditionsMustHold) {
  EXPECT_FALSE(allows(allow_if(
      R"({"StringEquals":{"aws:username":"alice"},"IpAddress":{"aws:SourceIp":"192.168.0.0/16"}})")));
  EXPECT_TRUE(allows(allow_if(
      R"({"StringEquals":{"aws:username":"alice"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}})")));
}

bool allowed_from(const std::string& network, std::string_view address) {
  PolicyRequest request = invoke();
  request.source_ip = address;
  return allows(allow_if(R"({"IpAddress":{"aws:SourceIp":")" + network + R"("}})"), request);
}

TEST(Policy, ComparesAddressesByTheirBits) {
  EXPECT_TRUE(allowed_from("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(allowed_from("10.1.2.3", "10.1.2.4"));
  EXPECT_TRUE(allowed_from("10.1.0.0/15", "10.0.255.255"));
  EXPECT_FALSE(allowed_from("10.0.0.0/15", "10.2.0.0"));
  EXPECT_TRUE(allowed_from("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(allowed_from("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(allowed_from("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(allowed_from("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(allowed_from("10.0.0.0/8", "::ffff:10.9.8.7"));
  EXPECT_TRUE(allowed_from("::/0", "::1"));
  EXPECT_TRUE(allowed_from("fe80::/10", "fe80::1%eth0"));
  EXPECT_FALSE(allowed_from("10.0.0.0/8", ""));
  EXPECT_FALSE(allowed_from("10.0.0.0/8", "not an address"));
}

TEST(Policy, DoesNotWidenForAnAddressThatIsNotKnown) {
  for (const std::string unknown : {"", "unknown", "unix", "garbage", "10.0.0.1%eth0", "10.0.0",
                                    "10.0.0.1:80", "::g", "10.0.0.1, 10.0.0.2"}) {
    PolicyRequest request;
    request.action = "execute-api:Invoke";
    request.resource = "arn:aws:execute-api:us-east-1:1:a/prod/POST/message";
    request.source_ip = unknown;
    for (const char* condition : {"IpAddress", "NotIpAddress"}) {
      for (const char* networks :
           {R"("10.0.0.0/8")", R"("0.0.0.0/0")", R"(["::/0","10.1.0.0/16"])"}) {
        const std::string tested = std::string(R"("Action":"*","Resource":"*","Condition":{")") +
                                   condition + R"(":{"aws:SourceIp":)" + networks + "}}}";
        const auto with = [&](const std::string& statements) {
          return parse_policy(R"({"Version":"2012-10-17","Statement":[)" + statements + "]}")
              .value()
              ->evaluate(request);
        };
        SCOPED_TRACE(unknown + " " + tested);
        EXPECT_EQ(with(R"({"Effect":"Allow",)" + tested), Decision::implicit_deny);
        EXPECT_EQ(
            with(R"({"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny",)" + tested),
            Decision::explicit_deny);
      }
    }
  }
}

TEST(Policy, KnowsWhetherItAllowsAnythingAtAll) {
  EXPECT_TRUE(parse_policy(kAllowAll).value()->allows_something());
  EXPECT_TRUE(parse_policy(allow(R"(["s3:*","execute-api:Inv*"])", R"("arn:x")"))
                  .value()
                  ->allows_something());
  EXPECT_TRUE(parse_policy(one_statement(R"("Effect":"Allow","NotAction":"s3:*","Resource":"*")"))
                  .value()
                  ->allows_something());
  for (const std::string& nothing :
       {allow(R"("s3:GetObject")", R"("*")"), allow(R"(["s3:*","sqs:*"])", R"("*")"),
        one_statement(R"("Effect":"Allow","NotAction":"*","Resource":"*")"),
        one_statement(R"("Effect":"Deny","Action":"*","Resource":"*")")}) {
    EXPECT_FALSE(parse_policy(nothing).value()->allows_something()) << nothing;
  }
}

TEST(Policy, RefusesActionsOfItsServicesThatItDoesNotKnow) {
  const auto document = [](const std::string& element, const std::string& action) {
    return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",")" + element + R"(":")" +
           action + R"(","Resource":"*"}]})";
  };
  for (const char* element : {"Action", "NotAction"}) {
    for (const char* action :
         {"execute-api:Invok", "execute-api:InvalidateCache", "Execute-API:invoked",
          "cognito-idp:AdminAddUserToGroup", "cognito-idp:SignUp", "execute-api:Invoke ",
          "cloudformation:DescribeStack", "execute-api:manage"}) {
      const auto refused = parse_policy(document(element, action));
      ASSERT_FALSE(refused) << action;
      EXPECT_EQ(refused.error().code, Errc::invalid_argument);
      EXPECT_EQ(refused.error().where, std::string("Statement[0].") + element);
      EXPECT_NE(refused.error().message.find(action), std::string::npos);
      // One that was taken by an earlier version still opens, and matches nothing.
      EXPECT_TRUE(parse_kept_policy(document(element, action))) << action;
    }
    for (const char* action : {"*", "*:*", "execute-api:*", "EXECUTE-API:invoke",
                               "cognito-idp:Admin*", "cognito-idp:ListUser?", "*:DescribeStacks",
                               "s3:GetObject", "s3:*", "sqs:Send?essage", "execute-api:Invoke?"}) {
      EXPECT_TRUE(parse_policy(document(element, action))) << action;
    }
  }
}

// Returns whether an Allow with this condition applies; nullopt: the call has no user.
bool allows_user(const std::string& op, const std::string& values,
                 std::optional<std::string_view> user) {
  PolicyRequest request = invoke();
  request.user_id = user;
  return allows(allow_if("{\"" + op + R"(":{"holdfast:UserId":)" + values + "}}"), request);
}

TEST(PolicyUserTest, ComparesTheUserOfACall) {
  EXPECT_TRUE(allows_user("StringEquals", R"(["t1:a","t1:b"])", "t1:b"));
  EXPECT_FALSE(allows_user("StringEquals", R"(["t1:a","t1:b"])", "t1:B"));
  EXPECT_FALSE(allows_user("StringEquals", R"("t1:*")", "t1:a"));
  EXPECT_TRUE(allows_user("StringEqualsIgnoreCase", R"("t1:a")", "T1:A"));
  EXPECT_TRUE(allows_user("StringNotEquals", R"("t1:a")", "t1:b"));
  EXPECT_FALSE(allows_user("StringNotEquals", R"(["t1:a","t1:b"])", "t1:b"));
  EXPECT_TRUE(allows_user("StringLike", R"("t1:*")", "t1:a"));
  EXPECT_FALSE(allows_user("StringLike", R"("t1:*")", "t2:t1:a"));
  EXPECT_TRUE(allows_user("StringNotLike", R"("t1:*")", "t2:a"));
  EXPECT_FALSE(allows_user("StringNotLike", R"("t1:*")", "t1:a"));
  // The key's own name stands for itself, whatever is in it.
  EXPECT_TRUE(allows_user("StringLike", R"("${aws:username}:*")", "alice:1"));
  EXPECT_FALSE(allows_user("StringLike", R"("${aws:username}:*")", "bob:1"));
}

TEST(PolicyUserTest, DecidesWithoutAUserAsAwsDoes) {
  for (const char* positive : {"StringEquals", "StringEqualsIgnoreCase", "StringLike"}) {
    EXPECT_FALSE(allows_user(positive, R"("a")", std::nullopt)) << positive;
    EXPECT_FALSE(allows_user(positive, R"("")", std::nullopt)) << positive;
    EXPECT_TRUE(allows_user(positive + std::string("IfExists"), R"("a")", std::nullopt));
    EXPECT_TRUE(allows_user(positive + std::string("IfExists"), R"("a")", "a"));
    EXPECT_FALSE(allows_user(positive + std::string("IfExists"), R"("a")", "b"));
  }
  for (const char* negated : {"StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike"}) {
    EXPECT_TRUE(allows_user(negated, R"("a")", std::nullopt)) << negated;
    EXPECT_TRUE(allows_user(negated + std::string("IfExists"), R"("a")", std::nullopt));
    EXPECT_FALSE(allows_user(negated + std::string("IfExists"), R"("a")", "a"));
  }
  EXPECT_TRUE(allows_user("Null", R"("true")", std::nullopt));
  EXPECT_FALSE(allows_user("Null", "false", std::nullopt));
  EXPECT_FALSE(allows_user("Null", R"("true")", ""));
  EXPECT_TRUE(allows_user("Null", R"("false")", "a"));
  EXPECT_TRUE(allows_user("Null", R"(["true","false"])", "a"));
}

TEST(PolicyUserTest, TakesAnUnreadUserForTheOneWhoIsAllowedMost) {
  PolicyRequest unread = invoke();
  unread.user_unread = true;
  const auto with_deny = [](const std::string& condition) {
    return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},)"
           R"({"Effect":"Deny","Action":"*","Resource":"*","Condition":)" +
           condition + "}]}";
  };
  for (const char* condition :
       {R"({"StringLike":{"holdfast:UserId":"t1:*"}})",
        R"({"StringNotEquals":{"holdfast:UserId":"a"}})",
        R"({"StringEqualsIfExists":{"holdfast:UserId":"a"}})",
        R"({"Null":{"holdfast:UserId":"true"}})", R"({"Null":{"holdfast:UserId":"false"}})"}) {
    EXPECT_TRUE(allows(allow_if(condition), unread)) << condition;
    EXPECT_TRUE(allows(with_deny(condition), unread)) << condition;
  }
  // The other conditions of the statement still decide.
  const std::string other_network =
      R"({"StringLike":{"holdfast:UserId":"*"},"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}})";
  EXPECT_FALSE(allows(allow_if(other_network), unread));
  const std::string here = R"({"StringEquals":{"aws:username":"alice"}})";
  EXPECT_EQ(decide(with_deny(here), unread), Decision::explicit_deny);
}

TEST(PolicyUserTest, KnowsWhetherAConditionIsOnTheUser) {
  EXPECT_FALSE(parse_policy(kAllowAll).value()->names_user());
  EXPECT_FALSE(parse_policy(allow_if(R"({"StringEquals":{"aws:username":"holdfast:UserId"}})"))
                   .value()
                   ->names_user());
  for (const char* conditions :
       {R"({"StringEquals":{"aws:username":"a"},"StringLike":{"HOLDFAST:userid":"a"}})",
        R"({"StringEquals":{"holdfast:UserId":"a"},"StringLike":{"aws:username":"a"}})"}) {
    EXPECT_TRUE(parse_policy(allow_if(conditions)).value()->names_user()) << conditions;
  }
  EXPECT_TRUE(parse_policy(R"({"Version":"2012-10-17","Statement":[)"
                           R"({"Effect":"Allow","Action":"*","Resource":"*"},)"
                           R"({"Effect":"Deny","Action":"*","Resource":"*",)"
                           R"("Condition":{"Null":{"holdfast:UserId":"true"}}}]})")
                  .value()
                  ->names_user());
}

TEST(PolicyConditionTest, TakesIfExistsAndNullForEveryKey) {
  EXPECT_TRUE(allows(allow_if(R"({"StringEqualsIfExists":{"aws:username":"alice"}})")));
  EXPECT_FALSE(allows(allow_if(R"({"StringEqualsIfExists":{"aws:username":"bob"}})")));
  EXPECT_TRUE(allows(allow_if(R"({"IpAddressIfExists":{"aws:SourceIp":"10.0.0.0/8"}})")));
  EXPECT_FALSE(allows(allow_if(R"({"BoolIfExists":{"aws:SecureTransport":"true"}})")));
  EXPECT_FALSE(
      allows(allow_if(R"({"DateLessThanIfExists":{"aws:CurrentTime":"2026-01-22T10:00:00Z"}})")));
  for (const char* key :
       {"aws:username", "aws:SourceIp", "aws:SecureTransport", "aws:CurrentTime"}) {
    const std::string null = R"({"Null":{")" + std::string(key) + R"(":")";
    EXPECT_TRUE(allows(allow_if(null + R"(false"}})"))) << key;
    EXPECT_FALSE(allows(allow_if(null + R"(true"}})"))) << key;
  }
  // An address that is not known widens nothing.
  PolicyRequest unknown = invoke();
  unknown.source_ip = "garbage";
  for (const char* condition :
       {R"({"Null":{"aws:SourceIp":"true"}})", R"({"Null":{"aws:SourceIp":"false"}})",
        R"({"IpAddressIfExists":{"aws:SourceIp":"10.0.0.0/8"}})"}) {
    EXPECT_FALSE(allows(allow_if(condition), unknown)) << condition;
  }
}

TEST(Policy, NotIpAddressDeniesFromEverywhereElse) {
  const std::string document =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},)"
      R"({"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","::1"]}}}]})";
  EXPECT_EQ(decide(document, invoke()), Decision::allow);
  PolicyRequest request = invoke();
  request.source_ip = "11.0.0.1";
  EXPECT_EQ(decide(document, request), Decision::explicit_deny);
  request.source_ip = "";
  EXPECT_EQ(decide(document, request), Decision::explicit_deny);
}

TEST(Policy, ComparesSecureTransport) {
  PolicyRequest request = invoke();
  EXPECT_FALSE(allows(allow_if(R"({"Bool":{"aws:SecureTransport":"true"}})"), request));
  EXPECT_TRUE(allows(allow_if(R"({"Bool":{"aws:SecureTransport":false}})"), request));
  request.secure_transport = true;
  EXPECT_TRUE(allows(allow_if(R"({"Bool":{"aws:SecureTransport":"true"}})"), request));
}

TEST(Policy, ComparesDates) {
  const auto holds = [](const std::string& op, const std::string& date) {
    return allows(allow_if("{\"" + op + R"(":{"aws:CurrentTime":")" + date + R"("}})"));
  };
  const std::string now = "2026-01-22T10:00:00Z";
  EXPECT_TRUE(holds("DateEquals", now));
  EXPECT_FALSE(holds("DateNotEquals", now));
  EXPECT_FALSE(holds("DateLessThan", now));
  EXPECT_TRUE(holds("DateLessThanEquals", now));
  EXPECT_FALSE(holds("DateGreaterThan", now));
  EXPECT_TRUE(holds("DateGreaterThanEquals", now));
  EXPECT_TRUE(holds("DateLessThan", "2026-01-22T12:00:00+01:00"));
  EXPECT_TRUE(holds("DateGreaterThan", "2026-01-22"));
}

TEST(Policy, RefusesAtLoadWhatItDoesNotKnowAndSaysWhere) {
  EXPECT_EQ(
      refused_at(one_statement(R"("Effect":"Allow","Action":"*","Resource":"*","Principal":"*")")),
      "Statement[0].Principal");
  EXPECT_EQ(refused_at(R"({"Version":"2012-10-17","Statement":[],"Extra":1})"), "Extra");
  EXPECT_EQ(refused_at(allow_if(R"({"ArnLike":{"aws:SourceArn":"*"}})")),
            "Statement[0].Condition.ArnLike.aws:SourceArn");
  EXPECT_EQ(refused_at(allow_if(R"({"NullIfExists":{"aws:username":"true"}})")),
            "Statement[0].Condition.NullIfExists.aws:username");
  EXPECT_EQ(refused_at(allow_if(R"({"IfExists":{"aws:username":"a"}})")),
            "Statement[0].Condition.IfExists.aws:username");
  EXPECT_EQ(refused_at(allow_if(R"({"StringEqualsIfExistsIfExists":{"aws:username":"a"}})")),
            "Statement[0].Condition.StringEqualsIfExistsIfExists.aws:username");
  EXPECT_EQ(refused_at(allow_if(R"({"Null":{"holdfast:UserId":"perhaps"}})")),
            "Statement[0].Condition.Null.holdfast:UserId");
  EXPECT_EQ(refused_at(allow_if(R"({"Bool":{"holdfast:UserId":"true"}})")),
            "Statement[0].Condition.Bool.holdfast:UserId");
  EXPECT_EQ(refused_at(allow_if(R"({"StringEquals":{"aws:userid":"a"}})")),
            "Statement[0].Condition.StringEquals.aws:userid");
  EXPECT_EQ(refused_at(allow_if(R"({"StringEquals":{"aws:SourceIp":"10.0.0.1"}})")),
            "Statement[0].Condition.StringEquals.aws:SourceIp");
  EXPECT_EQ(refused_at(allow_if(R"({"stringequals":{"aws:username":"a"}})")),
            "Statement[0].Condition.stringequals.aws:username");
}

TEST(Policy, RefusesMissingAndMistypedElements) {
  EXPECT_EQ(refused_at("[]"), "");
  EXPECT_EQ(refused_at(R"({"Version":"2012-10-17"})"), "Statement");
  EXPECT_EQ(refused_at(R"({"Version":"2012-10-17","Statement":[]})"), "Statement");
  EXPECT_EQ(refused_at(R"({"Version":"2012-10-17","Statement":["x"]})"), "Statement[0]");
  EXPECT_EQ(refused_at(R"({"Statement":[]})"), "Version");
  EXPECT_EQ(refused_at(R"({"Version":"2008-10-17","Statement":[]})"), "Version");
  EXPECT_EQ(refused_at(R"({"Version":20121017,"Statement":[]})"), "Version");
  EXPECT_EQ(refused_at(one_statement(R"("Action":"*","Resource":"*")")), "Statement[0].Effect");
  EXPECT_EQ(refused_at(one_statement(R"("Effect":"allow","Action":"*","Resource":"*")")),
            "Statement[0].Effect");
  EXPECT_EQ(refused_at(one_statement(R"("Effect":"Allow","Resource":"*")")), "Statement[0]");
  EXPECT_EQ(
      refused_at(one_statement(R"("Effect":"Allow","Action":"*","NotAction":"*","Resource":"*")")),
      "Statement[0]");
  EXPECT_EQ(refused_at(one_statement(R"("Effect":"Allow","Action":"*")")), "Statement[0]");
  EXPECT_EQ(refused_at(allow("[]", R"("*")")), "Statement[0].Action");
  EXPECT_EQ(refused_at(allow(R"(["*",1])", R"("*")")), "Statement[0].Action[1]");
  EXPECT_EQ(refused_at(allow(R"({"a":"b"})", R"("*")")), "Statement[0].Action");
  EXPECT_EQ(refused_at(allow(R"("Invoke")", R"("*")")), "Statement[0].Action");
  EXPECT_EQ(refused_at(allow(R"("*")", R"("*/POST/message")")), "Statement[0].Resource");
  EXPECT_EQ(refused_at(one_statement(R"("Sid":1,"Effect":"Allow","Action":"*","Resource":"*")")),
            "Statement[0].Sid");
  EXPECT_EQ(refused_at(allow_if("[]")), "Statement[0].Condition");
  EXPECT_EQ(refused_at(allow_if(R"({"Bool":"x"})")), "Statement[0].Condition.Bool");
  EXPECT_EQ(refused_at(allow_if(R"({"Bool":{}})")), "Statement[0].Condition.Bool");
}

TEST(Policy, RefusesValuesThatAreNotOfTheOperatorsKind) {
  const auto place = [](const std::string& op, const std::string& key, const std::string& value) {
    return refused_at(allow_if("{\"" + op + "\":{\"" + key + "\":" + value + "}}"));
  };
  EXPECT_EQ(place("StringEquals", "aws:username", "[]"),
            "Statement[0].Condition.StringEquals.aws:username");
  EXPECT_EQ(place("StringEquals", "aws:username", R"(["a",1])"),
            "Statement[0].Condition.StringEquals.aws:username[1]");
  EXPECT_EQ(place("Bool", "aws:SecureTransport", R"("yes")"),
            "Statement[0].Condition.Bool.aws:SecureTransport");
  EXPECT_EQ(place("DateEquals", "aws:CurrentTime", R"("tomorrow")"),
            "Statement[0].Condition.DateEquals.aws:CurrentTime");
  for (const char* network :
       {"\"10.0.0.0/33\"", "\"10.0.0/8\"", "\"10.0.0.0/\"", "\"10.0.0.0/8x\"", "\"10.0.0.0/-1\"",
        "\"::/129\"", "\"\"", "7", "\"fe80::1%eth0/64\"", "\"localhost\""}) {
    EXPECT_EQ(place("IpAddress", "aws:SourceIp", network),
              "Statement[0].Condition.IpAddress.aws:SourceIp")
        << network;
  }
}

TEST(Policy, RefusesBrokenAndOversizedDocuments) {
  EXPECT_FALSE(parse_policy(""));
  EXPECT_FALSE(parse_policy("{"));
  EXPECT_EQ(
      refused_at(one_statement(R"("Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*")")),
      "Statement[0].Effect");
  EXPECT_FALSE(parse_policy(allow(R"("*")", "\"arn:" + std::string(30'000, 'a') + '"')));
  EXPECT_EQ(refused_at(allow(R"("*")", "\"arn:" + std::string(3'000, 'a') + '"')),
            "Statement[0].Resource");
}

}  // namespace
}  // namespace holdfast::iam
