// Tests the rules for names, passwords and attributes.

#include "identity/pool_rules.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace holdfast::identity {
namespace {

const UserPoolOptions& options() {
  static const UserPoolOptions instance = [] {
    UserPoolOptions out;
    out.pool_id = "us-east-1_abcdefghi";
    out.client_id = "client1";
    out.password_refuse_common = false;
    return out;
  }();
  return instance;
}
std::string message(const PoolResult<void>& result) {
  return result ? "ok" : result.error().message;
}
std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(PoolRules, KnowTheOnePool) {
  EXPECT_TRUE(check_pool("us-east-1_abcdefghi", options()));
  EXPECT_EQ(message(check_pool("us-east-1_other", options())),
            "User pool us-east-1_other does not exist.");
  EXPECT_EQ(check_pool("us-east-1_other", options()).error().code, PoolErrc::resource_not_found);
  for (const char* id : {"x", "us east_1", "_x", "x_", "us-east-1_abc-def", "us-east-1_äbc"}) {
    const auto checked = check_pool(id, options());
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, PoolErrc::invalid_parameter);
    EXPECT_EQ(checked.error().message,
              std::string("1 validation error detected: Value '") + id +
                  "' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular "
                  R"(expression pattern: [\w-]+_[0-9a-zA-Z]+)");
  }
  EXPECT_TRUE(message(check_pool("", options())).ends_with("greater than or equal to 1"));
  EXPECT_TRUE(message(check_pool(std::string(56, 'x'), options()))
                  .ends_with("Member must have length less than or equal to 55"));
}

TEST(PoolRules, KnowTheOneClient) {
  EXPECT_TRUE(check_client("client1", options()));
  EXPECT_EQ(message(check_client("client2", options())),
            "User pool client client2 does not exist.");
  EXPECT_EQ(check_client("client2", options()).error().code, PoolErrc::resource_not_found);
  EXPECT_EQ(check_client("client 2", options()).error().code, PoolErrc::invalid_parameter);
  EXPECT_EQ(check_client("", options()).error().code, PoolErrc::invalid_parameter);
  EXPECT_EQ(check_client(std::string(129, 'x'), options()).error().code,
            PoolErrc::invalid_parameter);
}

TEST(PoolRules, AllowUsernamesOfEveryScriptWithoutSpaces) {
  for (const std::string& name :
       {std::string("testUser"), std::string("a"), std::string("a.b@example.com"),
        std::string("Ünï-日本語_ñ"), std::string("🙂"), std::string("a'b\"c\\d"), repeat("ä", 128),
        repeat("🙂", 128)}) {
    EXPECT_TRUE(is_username(name)) << name;
    EXPECT_TRUE(check_username(name)) << name;
  }
  for (const std::string& name :
       {std::string(), std::string(" "), std::string("a b"), std::string("a\tb"),
        std::string("a\n"), std::string("a\0b", 3), std::string("a\u00a0b"),
        std::string("a\u200bb"), std::string("a\u202eb"), std::string("a\u3000b"),
        std::string("\ufeffa"), std::string("\ue000"), std::string("\uffff"), std::string("\ufdd0"),
        std::string("\x7f"), std::string("\xff"), repeat("a", 129), repeat("ä", 129)}) {
    EXPECT_FALSE(is_username(name)) << testing::PrintToString(name);
    const auto checked = check_username(name);
    ASSERT_FALSE(checked) << testing::PrintToString(name);
    EXPECT_EQ(checked.error().code, PoolErrc::invalid_parameter);
  }
  EXPECT_EQ(message(check_username("a b")),
            "1 validation error detected: Value 'a b' at 'username' failed to satisfy constraint: "
            R"(Member must satisfy regular expression pattern: [\p{L}\p{M}\p{S}\p{N}\p{P}]+)");
  EXPECT_LT(message(check_username(std::string(1 << 20, 'a'))).size(), 300U);
  EXPECT_LT(message(check_username(repeat("\xff", 1000))).size(), 300U);
}

TEST(PoolRules, DemandEightCharactersAndNoClassesUnlessConfigured) {
  for (const std::string& password :
       {std::string("aaaaaaaa"), std::string("12345678"), std::string("пароль12"),
        std::string("🔑🔑🔑🔑🔑🔑🔑🔑"), std::string("two words"), std::string(256, 'x'),
        repeat("ä", 256), std::string(64, 'y')}) {
    EXPECT_EQ(message(check_password(password, options())), "ok") << password;
  }
  const auto refused = [&](const std::string& password) {
    const auto checked = check_password(password, options());
    EXPECT_EQ(checked.error().code, PoolErrc::invalid_password);
    return checked.error().message;
  };
  EXPECT_EQ(refused(""), "Password did not conform with policy: Password not long enough");
  EXPECT_EQ(refused("1234567"), "Password did not conform with policy: Password not long enough");
  EXPECT_EQ(refused("🔑🔑🔑🔑🔑🔑🔑"),
            "Password did not conform with policy: Password not long enough");
  EXPECT_EQ(refused(std::string(257, 'x')),
            "Password did not conform with policy: Password too long");
  for (const char* password : {" 12345678", "12345678 ", "12345678\n", "\t12345678"}) {
    EXPECT_NE(refused(password).find("regular expression"), std::string::npos);
  }
}

TEST(PoolRules, DemandTheCharactersThatAreConfigured) {
  UserPoolOptions strict = options();
  strict.password_require_lowercase = true;
  strict.password_require_uppercase = true;
  strict.password_require_numbers = true;
  strict.password_require_symbols = true;
  const std::string prefix = "Password did not conform with policy: Password must have ";
  EXPECT_EQ(message(check_password("abcd123!", strict)), prefix + "uppercase characters");
  EXPECT_EQ(message(check_password("ABCD123!", strict)), prefix + "lowercase characters");
  EXPECT_EQ(message(check_password("ABCDefg!", strict)), prefix + "numeric characters");
  EXPECT_EQ(message(check_password("ABCDe123", strict)), prefix + "symbol characters");
  for (const char symbol : std::string("^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+=")) {
    EXPECT_EQ(message(check_password(std::string("ABCDe12") + symbol, strict)), "ok") << symbol;
  }
}

TEST(PoolRules, RefusePasswordsThatManyPeopleUse) {
  UserPoolOptions rules = options();
  rules.password_refuse_common = true;
  rules.password_min_length = 6;
  rules.name = "Chatter";
  for (const char* const password :
       {"password",
        "12345678",
        "123456",
        "PassWord",
        "qwertyuiop",
        "iloveyou",
        "11111111",
        "holdfast",
        "Holdfast1",
        "!holdfast2026!",
        "chatter",
        "Chatter99",
        "CHATTER-1",
        "Password1!",
        "00000000",
        "aaaaaaaa",
        "AaAaAaAa",
        "letmein123",
        "passwordpassword",
        "administrator",
        "Admin2026!",
        "holdfastholdfast",
        "chatterChatter1",
        "\xef\xbc\xb0\xef\xbc\xa1\xef\xbc\xb3\xef\xbc\xb3\xef\xbc\xb7\xef\xbc\xaf"
        "\xef\xbc\xb2\xef\xbc\xa4",
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"}) {
    const auto checked = check_password(password, rules);
    ASSERT_FALSE(checked) << password;
    EXPECT_EQ(checked.error().code, PoolErrc::invalid_password);
  }
  for (const char* const password :
       {"correct horse battery", "pass word password", "hold-fast-to-it", "chatterbox!",
        "x#83$1920", "abcabcabd-17", "administrate!9k",
        "\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c-7", "kT9#vq2LmZ"}) {
    EXPECT_EQ(message(check_password(password, rules)), "ok") << password;
  }
  rules.password_refuse_common = false;
  EXPECT_EQ(message(check_password("password", rules)), "ok");
}

TEST(PoolRules, RefusePasswordsMadeOfTheUsername) {
  UserPoolOptions rules = options();
  rules.password_refuse_common = true;
  for (const auto& [name, password] : {std::pair("alice", "alice"),
                                       {"Alice", "ALICE123"},
                                       {"alice", "!!alice!!"},
                                       {"alice", "AliceAlice1"},
                                       {"zoe.smith@example.com", "zoe.smith"},
                                       {"zoe@example.com", "Zoe@Example.com"},
                                       {"4711", "4711"},
                                       {"a", "a1234567"}}) {
    EXPECT_FALSE(check_password_of(name, password, rules)) << name << " " << password;
  }
  for (const auto& [name, password] : {std::pair("alice", "alice in chains"),
                                       {"4711", "47114711"},
                                       {"zoe@example.com", "zoeken!"}}) {
    EXPECT_TRUE(check_password_of(name, password, rules)) << name << " " << password;
  }
}

TEST(PoolRules, DemandTheFormOfAddresses) {
  for (const char* const good :
       {"a@b", "a.b+c@example.com", "o'brien@example.co.uk", "x@[192.0.2.1]",
        "x@[IPv6:2001:db8::1]", "m\xc3\xbcller@example.com", "a@m\xc3\xbcller.example", ""}) {
    EXPECT_EQ(message(check_attributes({{"email", good}})), "ok") << good;
  }
  for (const std::string& bad :
       {std::string("eve@x.example\r\nBcc: all@x.example"), std::string("eve@x.example\n"),
        std::string("\"a\r\nBcc: b\"@x.example"), std::string("a\0@x.example", 12),
        std::string("eve"), std::string("@x.example"), std::string("eve@"),
        std::string("eve@x..example"), std::string("eve@-x.example"), std::string("eve@x-.example"),
        std::string(".eve@x.example"), std::string("eve.@x.example"),
        std::string("e..ve@x.example"), std::string("eve smith@x.example"),
        std::string("eve@x example"), std::string("eve@x.example,all@x.example"),
        std::string("Eve <eve@x.example>"),
        // Spellings by which one mailbox would be counted as many.
        std::string("\"eve\"@x.example"), std::string("\"\\eve\"@x.example"),
        std::string("\"a@x.example, b\"@y.example"), std::string("eve@x@y.example"),
        std::string("eve@[1.2.3.4"), std::string("eve\xe2\x80\xa8@x.example"),
        std::string(65, 'a') + "@x.example", "a@" + std::string(64, 'b') + ".example",
        std::string(64, 'a') + "@" + repeat("b.", 100) + "example"}) {
    EXPECT_EQ(message(check_attributes({{"email", bad}})), "Invalid email address format.") << bad;
  }
  for (const char* const good : {"+14155550123", "+4930123456", "+123456789012345", ""}) {
    EXPECT_EQ(message(check_attributes({{"phone_number", good}})), "ok") << good;
  }
  for (const char* const bad : {"14155550123", "+0123456", "+1 415 555", "+1-415",
                                "+1234567890123456", "+", "+1", "+1415x", "+1415\n", "tel:+1415"}) {
    EXPECT_EQ(message(check_attributes({{"phone_number", bad}})), "Invalid phone number format.")
        << bad;
  }
}

TEST(PoolRules, AllowStandardAndCustomAttributesOfBoundedSize) {
  EXPECT_TRUE(check_attributes({{"email", "a@b"}, {"custom:team", "x"}, {"name", "Ä"}}));
  for (const char* name : {"iss", "exp", "token_use", "cognito:username", "cognito:groups", "Email",
                           "custom:", "custom:a b", ""}) {
    const auto checked = check_attributes({{name, "x"}});
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code, PoolErrc::invalid_parameter);
    EXPECT_EQ(checked.error().message, std::string("Attributes did not conform to the schema: ") +
                                           name + ": Attribute does not exist in the schema.");
  }
  EXPECT_EQ(message(check_attributes({{"sub", "x"}})),
            "Cannot modify the non-mutable attribute sub");
  EXPECT_TRUE(check_attributes({{"name", std::string(4000, 'x')}}));
  EXPECT_FALSE(check_attributes({{"name", std::string(4100, 'x')}}));
  EXPECT_FALSE(check_attributes({{"name", std::string(1000, '\x01')}}));
  EXPECT_FALSE(check_attributes({{"name", "\xff"}}));
}

TEST(PoolRules, NameTheMissingParameter) {
  const Attributes given{{"USERNAME", "x"}, {"PASSWORD", ""}};
  EXPECT_EQ(required(given, "USERNAME").value(), "x");
  EXPECT_EQ(required(given, "PASSWORD").error().message, "Missing required parameter PASSWORD");
  EXPECT_EQ(required(given, "SRP_A").error().message, "Missing required parameter SRP_A");
}

}  // namespace
}  // namespace holdfast::identity
