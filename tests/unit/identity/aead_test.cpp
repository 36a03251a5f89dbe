// Tests sealing and opening: AES-256-GCM and XAES-256-GCM, with published vectors.

#include "identity/aead.hpp"

#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>

namespace holdfast::identity {
namespace {

std::string hex(std::string_view text) { return hex_decode(text).value(); }

// The GCM specification's test cases 14 and 16 (AES-256).
TEST(Aead, OpensThePublishedVectors) {
  EXPECT_EQ(aead_open(std::string(32, '\0'),
                      std::string(12, '\0') + hex("cea7403d4d606b6e074ec5d3baf39d18"
                                                  "d0d1c8a799996bf0265b98b5d48ab919"),
                      ""),
            std::string(16, '\0'));
  EXPECT_EQ(aead_open(hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
                      hex("cafebabefacedbaddecaf888"
                          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                          "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                          "76fc6ece0f4e1768cddf8853bb2d551b"),
                      hex("feedfacedeadbeeffeedfacedeadbeefabaddad2")),
            hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"));
}

// Those of the specification (C2SP, c2sp.org/XAES-256-GCM): one key for each value of the bit that
// the derivation of the mask looks at.
TEST(Xaes, SealsAsThePublishedVectors) {
  const std::string nonce = "ABCDEFGHIJKLMNOPQRSTUVWX";
  EXPECT_EQ(xaes_seal(std::string(32, '\x01'), nonce, "XAES-256-GCM", ""),
            nonce + hex("ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"));
  EXPECT_EQ(xaes_seal(std::string(32, '\x03'), nonce, "XAES-256-GCM", "c2sp.org/XAES-256-GCM"),
            nonce + hex("986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"));
}

TEST(Xaes, OpensWhatItSealedAndRefusesEveryChange) {
  const std::string key(32, 'k');
  for (const std::string& text : {std::string(), std::string("x"), std::string(5000, 'y')}) {
    EXPECT_EQ(xaes_open(key, xaes_seal(key, text, "data"), "data"), text);
  }
  const std::string sealed = xaes_seal(key, "some text", "data");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    ASSERT_FALSE(xaes_open(key, changed, "data")) << i;
    ASSERT_FALSE(xaes_open(key, sealed.substr(0, i), "data")) << i;
  }
  EXPECT_FALSE(xaes_open(key, sealed, "datb"));
  EXPECT_FALSE(xaes_open(std::string(32, 'j'), sealed, "data"));
  EXPECT_FALSE(xaes_open("short", sealed, "data"));
  EXPECT_NE(xaes_seal(key, "text", ""), xaes_seal(key, "text", ""));
}

TEST(Aead, OpensWhatItSealed) {
  const std::string key(32, 'k');
  for (const std::string& text : {std::string(), std::string("x"), std::string(5000, 'y')}) {
    EXPECT_EQ(aead_open(key, aead_seal(key, text, "data"), "data"), text);
  }
}

TEST(Aead, NeverUsesANonceTwice) {
  const std::string key(32, 'k');
  EXPECT_NE(aead_seal(key, "text", "").substr(0, kAeadNonceBytes),
            aead_seal(key, "text", "").substr(0, kAeadNonceBytes));
}

TEST(Aead, RefusesEveryChange) {
  const std::string key(32, 'k');
  const std::string sealed = aead_seal(key, "some text", "data");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = sealed;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      ASSERT_FALSE(aead_open(key, changed, "data")) << i;
    }
    ASSERT_FALSE(aead_open(key, sealed.substr(0, i), "data")) << i;
  }
  EXPECT_FALSE(aead_open(key, sealed + "x", "data"));
  EXPECT_FALSE(aead_open(key, sealed, "datb"));
  EXPECT_FALSE(aead_open(key, sealed, ""));
  EXPECT_FALSE(aead_open(std::string(32, 'j'), sealed, "data"));
  EXPECT_FALSE(aead_open("short", sealed, "data"));
}

}  // namespace
}  // namespace holdfast::identity
