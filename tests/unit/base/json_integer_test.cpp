// Tests integers in every form of JSON.

#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

namespace holdfast {
namespace {

TEST(JsonInteger, TakesEverySpellingOfAnInteger) {
  const std::pair<const char*, std::int64_t> rows[] = {
      {"0", 0},
      {"-0", 0},
      {"0.0", 0},
      {"0e0", 0},
      {"0E+999999999999", 0},
      {"0.000e-5", 0},
      {"60", 60},
      {"60.0", 60},
      {"6e1", 60},
      {"6E+1", 60},
      {"600e-1", 60},
      {"0.6e2", 60},
      {"0.06e3", 60},
      {"6.000000000000000000000000000e1", 60},
      {"-60.0", -60},
      {"1e3", 1000},
      {"1796046596041547.0", 1'796'046'596'041'547},
      {"1.796046596041547e15", 1'796'046'596'041'547},
      {"1796046596041547000e-3", 1'796'046'596'041'547},
      {"9007199254740992", 9'007'199'254'740'992},
      {"9007199254740992.0", 9'007'199'254'740'992},
      {"-9007199254740992", -9'007'199'254'740'992}};
  for (const auto& [text, value] : rows) {
    EXPECT_EQ(json_integer(text), value) << text;
    const auto parsed = parse_json(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_TRUE(parsed->is_number_integer()) << text;
    EXPECT_EQ(parsed->get<std::int64_t>(), value) << text;
  }
}

TEST(JsonInteger, TakesNothingElse) {
  for (const char* text : {"60.5",
                           "0.1",
                           "1e-1",
                           "60.00000000000000000000000001",
                           "4503599627370497.5",
                           "9007199254740991.9",
                           "1.5e0",
                           "9007199254740993.0",
                           "9007199254740994",
                           "1e16",
                           "1e300",
                           "-1e16",
                           "",
                           "-",
                           "+1",
                           "01",
                           "00",
                           ".5",
                           "5.",
                           "1e",
                           "1e+",
                           "1.e1",
                           "0x10",
                           "1 ",
                           " 1",
                           "1,0",
                           "NaN",
                           "\"60\"",
                           "6 0"}) {
    EXPECT_EQ(json_integer(text), std::nullopt) << text;
  }
  for (const char* text : {"60.5", "4503599627370497.5", "1e16", "9007199254740993.0"}) {
    EXPECT_TRUE(parse_json(text).value().is_number_float()) << text;
  }
}

}  // namespace
}  // namespace holdfast
