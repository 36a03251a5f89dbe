// Tests encodings: Base64, hexadecimal, UTF-8, percent and JSON.

#include <array>

#include <gtest/gtest.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

namespace holdfast {
namespace {

TEST(Encoding, RoundTripsEveryLengthInEveryAlphabet) {
  for (std::size_t length = 0; length < 70; ++length) {
    const std::string bytes = random_string(length);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(hex_decode(hex_encode(bytes)), bytes);
    EXPECT_EQ(percent_decode(percent_encode(bytes)), bytes);
  }
}

TEST(Encoding, MatchesTheVectorsOfRfc4648) {
  constexpr std::array<std::pair<const char*, const char*>, 7> vectors = {{{"", ""},
                                                                           {"f", "Zg=="},
                                                                           {"fo", "Zm8="},
                                                                           {"foo", "Zm9v"},
                                                                           {"foob", "Zm9vYg=="},
                                                                           {"fooba", "Zm9vYmE="},
                                                                           {"foobar", "Zm9vYmFy"}}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
  }
  EXPECT_EQ(base64url_encode("\xfb\xff\xfe"), "-__-");
  EXPECT_EQ(base64_encode("\xfb\xff\xfe"), "+//+");
}

TEST(Encoding, FindsTheFirstByteThatIsNotPlainAtEveryPlaceOfAWord) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
    for (std::size_t before = 0; before < 20; ++before) {
      for (const std::size_t after : {0U, 1U, 9U}) {
        std::string text(before, 'a');
        text += static_cast<char>(byte);
        text.append(after, '~');
        EXPECT_EQ(plain_length(text), plain ? text.size() : before) << byte << " at " << before;
      }
    }
  }
}

TEST(Encoding, RefusesBase64UrlThatIsNotCanonical) {
  for (const char* text : {"A", "AAAAA", "Zg==", "Zm8=", "Zh", "Zm9", "Zm8=A", "+/+/", "Zm 8",
                           "Zm8\n", "=", "Zg=", "Z\xc3\xa4g"}) {
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
  }
  EXPECT_EQ(base64url_decode("Zg"), "f");
  EXPECT_EQ(base64url_decode(std::string_view("Zg\0A", 4)), std::nullopt);
}

TEST(Encoding, RefusesBase64ThatIsNotCanonical) {
  for (const char* text : {"Zg", "Zm8", "Zh==", "Zm9=", "Zg=A", "====", "A===", "Zm9v====", "-_-_",
                           "Zm9v\n", "Z==="}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  }
}

TEST(Encoding, RefusesHexOfOddLengthOrOtherCharacters) {
  EXPECT_EQ(hex_decode("abc"), std::nullopt);
  EXPECT_EQ(hex_decode("0g"), std::nullopt);
  EXPECT_EQ(hex_decode(" 0"), std::nullopt);
  EXPECT_EQ(hex_decode("0AfF"), "\x0a\xff");
}

TEST(Encoding, PercentEncodesAllButTheUnreserved) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("/ +@=%\xc3\xa4"), "%2F%20%2B%40%3D%25%C3%A4");
  EXPECT_EQ(percent_encode("/a b/", true), "/a%20b/");
}

TEST(Encoding, PercentDecodesOnceAndRefusesBrokenEscapes) {
  EXPECT_EQ(percent_decode("a%2525+b"), "a%25+b");
  EXPECT_EQ(percent_decode("%c3%A4"), "\xc3\xa4");
  for (const char* text : {"%", "%2", "%zz", "a%2", "%%20", "% 2"}) {
    EXPECT_EQ(percent_decode(text), std::nullopt) << text;
  }
}

TEST(Encoding, KnowsWellFormedUtf8) {
  for (const char* text :
       {"", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "gr\xc3\xbc\xc3\x9f"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const char* text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe", "\xc2",
        "\xe1\x80", "\xf1\x80\x80", "\xc2\x41", "\xe1\x80\x41", "\xf1\x80\x80\x41", "a\xc3",
        "\xc3\xa4\xa4"}) {
    EXPECT_FALSE(is_utf8(text)) << hex_encode(text);
  }
}

TEST(Encoding, EscapesWhatJsonStringsMayNotHold) {
  std::string out = "x";
  append_json_escaped(out, std::string_view("a\"\\\n\r\t\b\0\x1f/\xc3\xa4", 12));
  EXPECT_EQ(out, "xa\\\"\\\\\\n\\r\\t\\u0008\\u0000\\u001f/\xc3\xa4");
}

}  // namespace
}  // namespace holdfast
