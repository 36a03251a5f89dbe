// Tests RSA keys and signatures.

#include "identity/rsa.hpp"

#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>

namespace holdfast::identity {
namespace {

// RFC 7515, appendix A.2.
constexpr const char* kModulus =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
constexpr const char* kSignedText =
    "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ";
constexpr const char* kSignature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
    "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

std::string decode(const char* text) { return base64url_decode(text).value(); }

TEST(RsaPublicKey, VerifiesThePublishedExample) {
  const auto key = RsaPublicKey::make({.modulus = decode(kModulus), .exponent = decode("AQAB")});
  ASSERT_TRUE(key);
  EXPECT_TRUE(key->verify(kSignedText, decode(kSignature)));
}

TEST(RsaPublicKey, RefusesEveryChange) {
  const auto key = RsaPublicKey::make({.modulus = decode(kModulus), .exponent = decode("AQAB")});
  ASSERT_TRUE(key);
  const std::string signature = decode(kSignature);
  for (std::size_t i = 0; i < signature.size(); i += 17) {
    std::string changed = signature;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(key->verify(kSignedText, changed));
  }
  EXPECT_FALSE(key->verify(std::string(kSignedText) + "x", signature));
  EXPECT_FALSE(key->verify(kSignedText, ""));
  EXPECT_FALSE(key->verify(kSignedText, signature.substr(1)));
  EXPECT_FALSE(key->verify(kSignedText, std::string(1, '\0') + signature));
  EXPECT_FALSE(key->verify(kSignedText, std::string(256, '\0')));
  EXPECT_FALSE(key->verify(kSignedText, std::string(256, '\xff')));
}

TEST(RsaPublicKey, RefusesWeakAndAbsurdNumbers) {
  const std::string modulus = decode(kModulus);
  const auto make = [](const std::string& n, const std::string& e) {
    return RsaPublicKey::make({.modulus = n, .exponent = e}).has_value();
  };
  const std::string e = decode("AQAB");
  EXPECT_FALSE(make("", e));
  EXPECT_FALSE(make(modulus.substr(0, 128), e));
  EXPECT_FALSE(make(std::string(1025, '\xff'), e));
  EXPECT_FALSE(make(modulus.substr(0, 255) + '\x10', e));
  EXPECT_FALSE(make(modulus, ""));
  EXPECT_FALSE(make(modulus, "\x01"));
  EXPECT_FALSE(make(modulus, "\x04"));
  EXPECT_FALSE(make(modulus, std::string(8, '\xff')));
}

TEST(RsaPrivateKey, SignsWhatItsPublicKeyVerifiesAlsoAfterStoring) {
  const RsaPrivateKey key = RsaPrivateKey::generate(2048);
  const auto stored = RsaPrivateKey::parse(key.der().view());
  const auto public_key = RsaPublicKey::make(key.numbers());
  ASSERT_TRUE(stored && public_key);
  EXPECT_EQ(key.numbers().modulus.size(), 256U);
  EXPECT_TRUE(public_key->verify("text", key.sign("text")));
  EXPECT_TRUE(public_key->verify("text", stored->sign("text")));
  EXPECT_FALSE(public_key->verify("other", key.sign("text")));
  EXPECT_FALSE(RsaPublicKey::make(RsaPrivateKey::generate(2048).numbers())
                   ->verify("text", key.sign("text")));
}

TEST(RsaPrivateKey, ParsesNothingElse) {
  EXPECT_FALSE(RsaPrivateKey::parse(""));
  EXPECT_FALSE(RsaPrivateKey::parse("garbage"));
  const RsaPrivateKey key = RsaPrivateKey::generate(2048);
  const Secret der = key.der();
  EXPECT_FALSE(RsaPrivateKey::parse(der.view().substr(0, der.view().size() / 2)));
}

}  // namespace
}  // namespace holdfast::identity
