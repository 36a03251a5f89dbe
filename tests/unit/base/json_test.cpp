// Tests the strict JSON parser.

#include <cstdint>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

namespace holdfast {
namespace {

using namespace std::string_view_literals;

std::string place_of(std::string_view text) {
  const auto parsed = parse_json(text);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
  return parsed.error().where;
}

TEST(Json, KeepsValuesAndTheOrderOfMembers) {
  const auto parsed =
      parse_json(R"( {"b":[1,-2,3.5,true,null],"a":{"x":"gr\u00fc\uD83D\ude00"}} )");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->dump(), R"({"b":[1,-2,3.5,true,null],"a":{"x":"grü😀"}})");
  EXPECT_EQ(parse_json("17")->get<int>(), 17);
}

TEST(Json, RefusesDuplicateNamesAndNamesTheMember) {
  EXPECT_EQ(place_of(R"({"userId":"a","userId":"b"})"), "userId");
  EXPECT_EQ(place_of(R"({"a":1,"\u0061":2})"), "a");
  EXPECT_EQ(place_of(R"({"messages":[{"a":1},{"b":{"c":1,"c":2}}]})"), "messages[1].b.c");
  EXPECT_EQ(place_of(R"({"":1,"":2})"), "");
  EXPECT_EQ(place_of(R"({"a":{"x":1},"b":{"x":1}})"), "accepted");
}

TEST(Json, FindsDuplicatesInLargeObjectsToo) {
  std::string text = "{";
  for (int i = 0; i < 5000; ++i) text += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_TRUE(parse_json(text + R"("z":1})"));
  EXPECT_EQ(place_of(text + R"("k3":1})"), "k3");
  EXPECT_EQ(place_of(text + R"("k4999":1})"), "k4999");
}

TEST(Json, RefusesByteOrderMarksAndUtf16) {
  EXPECT_FALSE(parse_json("\xef\xbb\xbf{}"));
  EXPECT_FALSE(parse_json("\xff\xfe{\0}\0"sv));
  EXPECT_FALSE(parse_json("\xfe\xff\0{\0}"sv));
  EXPECT_FALSE(parse_json("{\0}\0"sv));
  EXPECT_FALSE(parse_json("\0{\0}"sv));
}

TEST(Json, RefusesNulWhereverItStands) {
  EXPECT_FALSE(parse_json("{}\0"sv));
  EXPECT_FALSE(parse_json("{\"a\":1}\0trailing"sv));
  EXPECT_FALSE(parse_json("{\"a\":\"x\0y\"}"sv));
  EXPECT_EQ(place_of(R"({"message":"x\u0000y"})"), "message");
  EXPECT_EQ(place_of(R"({"a":["ok","x\u0000y"]})"), "a[1]");
  EXPECT_FALSE(parse_json(R"({"a\u0000b":1})"));
  EXPECT_FALSE(parse_json("\0"sv));
}

TEST(Json, RefusesLoneSurrogates) {
  for (const char* text : {R"(["\ud800"])", R"(["\udc00"])", R"(["\ud800x"])",
                           R"(["\ud800\ud800"])", R"(["\udc00\ud800"])", R"(["\ud800\u0041"])"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
}

TEST(Json, RefusesInvalidUtf8) {
  for (const char* bytes :
       {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xc3"}) {
    EXPECT_EQ(place_of("{\"message\":\"" + std::string(bytes) + "\"}"), "message");
    EXPECT_FALSE(parse_json("{\"" + std::string(bytes) + "\":1}"));
  }
}

TEST(Json, RefusesDepthBeyondItsLimitHoweverDeep) {
  const auto nested = [](std::size_t depth, char open, char close) {
    return std::string(depth, open) + std::string(depth, close);
  };
  EXPECT_TRUE(parse_json(nested(32, '[', ']')));
  EXPECT_FALSE(parse_json(nested(33, '[', ']')));
  EXPECT_FALSE(parse_json(nested(100'000, '[', ']')));
  EXPECT_FALSE(parse_json(std::string(100'000, '[')));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  const auto deep = parse_json(objects);
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().message, "nested too deeply");
}

TEST(Json, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_EQ(place_of(R"({"ttlSeconds":1e999})"), "ttlSeconds");
  EXPECT_EQ(place_of("[1,-1e999]"), "[1]");
  EXPECT_FALSE(parse_json("[" + std::string(400, '9') + "]"));
  EXPECT_TRUE(parse_json("[1e308,123456789012345678901234567890]"));
  for (const char* text : {"01", "+1", ".5", "1.", "0x10", "NaN", "Infinity", "-", "1e"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
}

TEST(Json, RefusesWhatStandsBehindTheValue) {
  for (const char* text : {"{} x", "{}{}", "[]]", "1 2", "null,", "{}\v", "\"a\"\"b\""}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
  EXPECT_TRUE(parse_json(" \t\r\n{} \t\r\n"));
}

TEST(Json, RefusesWhatOtherDialectsAllow) {
  for (const char* text :
       {"", " ", "{a:1}", "{'a':1}", "[1,]", "{\"a\":1,}", "// c\n1", "/* c */1", "[1 2]",
        "{\"a\" 1}", "\"\n\"", "\"\\x\"", "\"\\u12g4\"", "True", "{\"a\"}", "["}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
}

TEST(Json, KeepsNumbersAsTheirDigitsSay) {
  EXPECT_EQ(parse_json("9223372036854775807")->get<std::int64_t>(), INT64_MAX);
  EXPECT_EQ(parse_json("-9223372036854775808")->get<std::int64_t>(), INT64_MIN);
  EXPECT_EQ(parse_json("18446744073709551615")->get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(parse_json("18446744073709551616")->get<double>(), 18446744073709551616.0);
  EXPECT_EQ(parse_json("-9223372036854775809")->get<double>(), -9223372036854775809.0);
  EXPECT_EQ(parse_json("0.1")->get<double>(), 0.1);
  EXPECT_EQ(parse_json("1e-400")->get<double>(), 0.0);
  EXPECT_EQ(parse_json("5e-324")->get<double>(), 5e-324);
  EXPECT_EQ(parse_json("-0")->get<int>(), 0);
}

// Most texts of a few tokens are no JSON, by one token.
TEST(Json, AcceptsTextsOfTokensAsAnotherParserDoes) {
  constexpr std::string_view kTokens[] = {
      "{",    "}",    "[",     "]",    ",",       ":",       "\"n\"",        "\"\"",
      "0",    "-1",   "1.5",   "2e3",  "01",      "1.",      ".5",           "-",
      "true", "null", "false", "nul",  "truex",   "\"\\n\"", "\"\\u00e9\"",  "\"\\ud83d\\ude00\"",
      "\"",   "\\",   " ",     "\r\n", "\"\\x\"", "\"\t\"",  "\"\xc3\xa9\"", "\"\x80\""};
  std::mt19937 random(7);
  std::size_t accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    const int tokens = 1 + static_cast<int>(random() % 7);
    for (int i = 0; i < tokens; ++i) text += kTokens[random() % std::size(kTokens)];
    const std::size_t name = text.find("\"n\"");
    if (text.find("\"n\"", name + 1) != std::string::npos) continue;  // names may not repeat
    const bool expected = nlohmann::json::accept(text);
    EXPECT_EQ(parse_json(text).has_value(), expected) << text;
    accepted += expected;
  }
  EXPECT_GT(accepted, 5'000U);
}

TEST(Json, SaysWhereButNeverQuotesAtLength) {
  const std::string name(100'000, 'k');
  const auto parsed = parse_json("{\"" + name + "\":1,\"" + name + "\":2}");
  ASSERT_FALSE(parsed);
  EXPECT_LE(parsed.error().where.size(), 64U);
  const auto umlauts = parse_json("{\"x" + std::string("ää") + std::string(62, 'a') + "ä\":}");
  ASSERT_FALSE(umlauts);
  EXPECT_EQ(parse_json(R"({"secret":"hunter2" "x"})").error().message.find("hunter2"),
            std::string::npos);
}

TEST(Json, RefusesTextBeyondItsLimit) {
  JsonLimits limits;
  limits.bytes = 10;
  EXPECT_TRUE(parse_json("[12345678]", limits));
  const auto parsed = parse_json("[123456789]", limits);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace holdfast
