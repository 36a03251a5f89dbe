// Tests the arithmetic of SRP against a known client.

#include "identity/srp.hpp"

#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

#include "support/identity/srp_client.hpp"

namespace holdfast::identity {
namespace {

constexpr const char* kSrpPool = "us-east-1_abcdefghi";

// The results of AuthenticationHelper in amazon-cognito-identity-js 6.3.21, over the 3072-bit group
// of RFC 5054. The client's secret is SHA-256("client"), the server's SHA-256("server").
const std::string kKnownSalt = hex_decode("5f8e1cababababababababababababab").value();
const char* const kKnownPublic =
    "9d59be6f422234ba9a7d9bf3831b6f9f22168c6cbcf317f6f13a9d7311274b909329c7ffbfa91fe5"
    "3910eb55092ec1112c2c02bef759085f52ca2aaff463b21c73d7fb0920e6a74714ae9acdaae6d4d7"
    "db89ebe4d594e6b3381b8dd9d716554a7e16e881d04862a978a2e9da59c392a02a5f38c232f69783"
    "b5110011c4a9e1394a036a3ca2ccc295ce644da4dd3ffd25f0aeb2f49c865b315b55dc5e074fe23f"
    "686e64af2daaf75928fa22c9987827b7d967c1b2a455dc1ef87e2fefc25bd990fe57a51c6a0e5c65"
    "9d90cf47ddd86e5f0f443e528c73218bbad9bfa0199478033cbe6599e2bb73c68d2ff14398eedb22"
    "b31477fe466e34d7d85ed99620a551df0c66164e31de4f1890e0c41347496947a41b2a8e01d8763d"
    "a5d2cf5a1357b5acd468127c02c007e650bdf9b73243b550740db2c1f5b2f8fe68f4a70f269a2e06"
    "92907e22cc92073b6d1915f5780489314787ea6c7e6e2ee6946d68f4bdcebe859d46a231040a08d8"
    "1fba031272a269c7d8c1f91dc809f3810cc20615993f1557";

std::string sha256_hex(std::string_view bytes) { return hex_encode(view(sha256(bytes))); }

TEST(Srp, MatchesAKnownExample) {
  const std::string kept = make_srp_verifier(kSrpPool, "ALICE", "pässword1", kKnownSalt);
  EXPECT_EQ(kept.substr(0, 16), kKnownSalt);
  EXPECT_EQ(sha256_hex(kept.substr(16)),
            "eac7fe8ec7c5c01fbfa8d93c548786ce9743cf4cfcbe32dcd2178255fdb3fd59");
  const auto challenge = make_srp_challenge(kept, kKnownPublic, view(sha256("server")));
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->salt_hex, "5f8e1cababababababababababababab");
  EXPECT_EQ(sha256_hex(challenge->public_hex),
            "880f8791b5ebe3e468450fa286d916a765d8828a64f401d13dd8a1ee23f1673e");
  EXPECT_EQ(hex_encode(challenge->key), "c10f5e25bc0048623cc2cee2d68f705f");
  EXPECT_EQ(hex_encode(srp_proof(challenge->key, kSrpPool, "alice", "block",
                                 "Sun Nov 22 12:33:21 UTC 2026")),
            "4b12589bd71f3f04945b5aad2422d54bedd0f9788135e74773ebf0607c848c65");
}

TEST(Srp, AgreesWithAClientAboutTheRightPasswordAlone) {
  // Several rounds: numbers with a set top bit, or with leading zeros, are hashed otherwise.
  for (int round = 0; round < 6; ++round) {
    const std::string kept = make_srp_verifier(kSrpPool, "alice", "password1");
    const test::SrpClient client;
    const auto challenge = make_srp_challenge(kept, client.public_hex(), random_string(32));
    ASSERT_TRUE(challenge);
    const auto key_of = [&](const std::string& password) {
      return client.key("abcdefghi", "alice", password, challenge->salt_hex, challenge->public_hex);
    };
    EXPECT_EQ(key_of("password1"), challenge->key);
    EXPECT_NE(key_of("password2"), challenge->key);
  }
}

TEST(Srp, RefusesAPublicNumberThatGivesTheKeyAway) {
  const std::string kept = make_srp_verifier(kSrpPool, "alice", "password1");
  const std::string secret = random_string(32);
  const std::string prime = test::SrpClient::prime_hex();
  for (const std::string& bad : {std::string(), std::string("0"), std::string("000000"), prime,
                                 "00" + prime, std::string("xyz"), std::string(2000, 'f')}) {
    EXPECT_FALSE(make_srp_challenge(kept, bad, secret)) << bad;
  }
  EXPECT_TRUE(make_srp_challenge(kept, "5", secret));
}

TEST(Srp, ReturnsAConstantSaltForAnUnknownName) {
  const std::string decoy = make_srp_decoy("secret", "nobody");
  EXPECT_EQ(make_srp_decoy("secret", "NOBODY"), decoy);
  EXPECT_NE(make_srp_decoy("secret", "somebody").substr(0, 16), decoy.substr(0, 16));
  EXPECT_NE(make_srp_decoy("other", "nobody").substr(0, 16), decoy.substr(0, 16));
  EXPECT_TRUE(make_srp_challenge(decoy, kKnownPublic, random_string(32)));
}

}  // namespace
}  // namespace holdfast::identity
