// Tests username folding, UTF-8 and user states.

#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/identity/user.hpp>

#include "identity/unicode.hpp"

namespace holdfast::identity {
namespace {

TEST(FoldUsername, FoldsEveryScriptWithCase) {
  EXPECT_EQ(fold_username("TestUser-1_x@Example.COM"), "testuser-1_x@example.com");
  EXPECT_EQ(fold_username("ÀÉÎÕÜÞ×"), "àéîõüþ×");
  EXPECT_EQ(fold_username("ĀĲĹŇŸŽ"), "āĳĺňÿž");
  EXPECT_EQ(fold_username("ΑΒΓΆΏΣ"), "αβγάώσ");
  EXPECT_EQ(fold_username("ЀЖЯҐӀ"), "ѐжяґӏ");
  EXPECT_EQ(fold_username("ԱՖ"), "աֆ");
  EXPECT_EQ(fold_username("ẞ"), "ß");
  EXPECT_EQ(fold_username("Ａ𐐀"), "ａ𐐨");
}

TEST(FoldUsername, MakesVariantsOfOneLetterEqual) {
  EXPECT_EQ(fold_username("ς"), fold_username("Σ"));
  EXPECT_EQ(fold_username("µ"), fold_username("Μ"));
  EXPECT_EQ(fold_username("ſ"), "s");
  EXPECT_EQ(fold_username("\u212a"), "k");  // the Kelvin sign
}

TEST(FoldUsername, LeavesWhatHasNoCaseAlone) {
  EXPECT_EQ(fold_username("ı日本語ß🙂"), "ı日本語ß🙂");
  EXPECT_EQ(fold_username("İ"), "İ");
  EXPECT_EQ(fold_username(""), "");
  EXPECT_EQ(fold_username("A\xff\xc3"), "a\xff\xc3");
}

TEST(FoldUsername, ChangesNothingTheSecondTime) {
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    ASSERT_EQ(fold(fold(c)), fold(c)) << std::hex << static_cast<std::uint32_t>(c);
  }
}

// Stored usernames are unique by their folding, and SRP's verifiers are made from it: where this
// fails, a newer library folds more letters, and a migration has to fold what is stored again.
TEST(FoldUsername, FoldsAsStoredNamesAre) {
  std::string folded;
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    if (c < 0xd800 || c > 0xdfff) append_utf8(folded, fold(c));
  }
  EXPECT_EQ(hex_encode(view(sha256(folded))),
            "728daaad03f614c5171406a2d2e7993663eb05ab7c4dd5f0a4081a8975e69b09");
}

TEST(Unicode, SeesLettersMarksNumbersPunctuationAndSymbols) {
  for (const char32_t c : {U'a', U'7', U'-', U'+', U'\u0301', U'\u65e5', U'\U0001f642'}) {
    EXPECT_TRUE(is_visible(c)) << static_cast<std::uint32_t>(c);
  }
  for (const char32_t c : {U'\0', U'\x1f', U' ', U'\x7f', U'\u00a0', U'\u00ad', U'\u200b',
                           U'\u202e', U'\u2028', U'\u3000', U'\ue000', U'\ufeff', U'\ufffe',
                           U'\ufdd0', U'\U000e0041', U'\U000f0000', U'\U0010ffff'}) {
    EXPECT_FALSE(is_visible(c)) << static_cast<std::uint32_t>(c);
  }
}

TEST(Unicode, RefusesIllFormedUtf8) {
  for (const std::string text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xc3"}) {
    std::size_t position = 0;
    EXPECT_FALSE(next_code_point(text, position)) << testing::PrintToString(text);
    EXPECT_EQ(position, 1U);
  }
}

TEST(Unicode, ReadsBackWhatItWrites) {
  for (const char32_t c : {U'\0', U'a', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\ud7ff', U'\uffff',
                           U'\U00010000', U'\U0010ffff'}) {
    std::string text;
    append_utf8(text, c);
    std::size_t position = 0;
    EXPECT_EQ(next_code_point(text, position), c);
    EXPECT_EQ(position, text.size());
  }
}

TEST(UserStatus, HasCognitosNames) {
  EXPECT_STREQ(to_string(UserStatus::unconfirmed), "UNCONFIRMED");
  EXPECT_STREQ(to_string(UserStatus::confirmed), "CONFIRMED");
  EXPECT_STREQ(to_string(UserStatus::force_change_password), "FORCE_CHANGE_PASSWORD");
  EXPECT_STREQ(to_string(UserStatus::reset_required), "RESET_REQUIRED");
}

}  // namespace
}  // namespace holdfast::identity
