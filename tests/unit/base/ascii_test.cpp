// Tests comparing, trimming and lowering ASCII text.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <holdfast/base/ascii.hpp>

namespace holdfast {
namespace {

TEST(AsciiTest, KnowsTheClassOfEveryByte) {
  const std::string_view digits = "0123456789";
  const std::string_view lower = "abcdefghijklmnopqrstuvwxyz";
  const std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string_view marks = "!#$%&'*+-.^_`|~";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    SCOPED_TRACE(byte);
    EXPECT_EQ(ascii::is_digit(c), digits.contains(c));
    EXPECT_EQ(ascii::is_lower(c), lower.contains(c));
    EXPECT_EQ(ascii::is_upper(c), upper.contains(c));
    EXPECT_EQ(ascii::is_letter(c), lower.contains(c) || upper.contains(c));
    const bool alphanumeric = digits.contains(c) || lower.contains(c) || upper.contains(c);
    EXPECT_EQ(ascii::is_alphanumeric(c), alphanumeric);
    EXPECT_EQ(ascii::is_token_char(c), alphanumeric || marks.contains(c));
  }
}

TEST(AsciiTest, ReadsHexadecimalDigitsOfBothCases) {
  int found = 0;
  for (int byte = 0; byte < 256; ++byte) found += ascii::hex_value(static_cast<char>(byte)) >= 0;
  EXPECT_EQ(found, 22);
  EXPECT_EQ(ascii::hex_value('0'), 0);
  EXPECT_EQ(ascii::hex_value('9'), 9);
  EXPECT_EQ(ascii::hex_value('a'), 10);
  EXPECT_EQ(ascii::hex_value('F'), 15);
  EXPECT_EQ(ascii::hex_value('g'), -1);
}

TEST(AsciiTest, LowersLettersAlone) {
  EXPECT_EQ(ascii::to_lower("AZ az 09 @[`{ \xc3\x84"), "az az 09 @[`{ \xc3\x84");
  EXPECT_EQ(ascii::to_lower(std::string_view("A\0B", 3)), std::string("a\0b", 3));
  EXPECT_EQ(ascii::to_lower(""), "");
  std::string text = "Kept ";
  ascii::append_lower(text, "HOST");
  EXPECT_EQ(text, "Kept host");
}

TEST(AsciiTest, ComparesWithoutRegardToCase) {
  EXPECT_TRUE(ascii::iequals("", ""));
  EXPECT_TRUE(ascii::iequals("Content-LENGTH", "content-length"));
  EXPECT_FALSE(ascii::iequals("host", "hosts"));
  EXPECT_FALSE(ascii::iequals("host", "hos"));
  // 32 apart, and no letters.
  EXPECT_FALSE(ascii::iequals("@", "`"));
  EXPECT_FALSE(ascii::iequals("[", "{"));
  // Letters of other alphabets have a case of their own.
  EXPECT_FALSE(ascii::iequals("\xc3\x84", "\xc3\xa4"));
  EXPECT_FALSE(ascii::iequals("\xc4", "\xe4"));
}

TEST(AsciiTest, TrimsBlanksAtTheEndsAlone) {
  EXPECT_EQ(ascii::trim(""), "");
  EXPECT_EQ(ascii::trim(" \t "), "");
  EXPECT_EQ(ascii::trim("a"), "a");
  EXPECT_EQ(ascii::trim("\t a \t b  "), "a \t b");
  EXPECT_EQ(ascii::trim("a\r\n"), "a\r\n");
  EXPECT_EQ(ascii::trim("\r\n a\n", " \t\r\n"), "a");
  EXPECT_EQ(ascii::trim(std::string_view("\0a", 2)), std::string_view("\0a", 2));
}

TEST(AsciiTest, WantsACharacterInAToken) {
  EXPECT_TRUE(ascii::is_token("X-Amz-Date"));
  EXPECT_FALSE(ascii::is_token(""));
  EXPECT_FALSE(ascii::is_token("a b"));
  EXPECT_FALSE(ascii::is_token("a:"));
  EXPECT_FALSE(ascii::is_token("\xc3\xa4"));
}

}  // namespace
}  // namespace holdfast
