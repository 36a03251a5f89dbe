// Tests ids of messages and users.

#include <regex>
#include <unordered_set>

#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>

namespace holdfast {
namespace {

const WallTime kGenerated = wall_from_micros(1'645'557'742'000'123);

TEST(Ids, MessageIdsCarryTheirMillisecondVersionAndVariant) {
  const std::string text = MessageId::generate(kGenerated).str();
  EXPECT_TRUE(std::regex_match(
      text, std::regex("017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")))
      << text;
}

TEST(Ids, MessageIdsOfLaterMillisecondsSortBehind) {
  MessageId last;
  for (int i = 0; i < 1000; ++i) {
    const MessageId next = MessageId::generate(kGenerated + Milliseconds(i));
    EXPECT_LT(last, next);
    EXPECT_LT(last.str(), next.str());
    last = next;
  }
}

TEST(Ids, IdsDoNotRepeat) {
  std::unordered_set<MessageId> messages;
  std::unordered_set<ConnectionId> connections;
  std::unordered_set<std::string> uuids;
  for (int i = 0; i < 10'000; ++i) {
    messages.insert(MessageId::generate(kGenerated));
    connections.insert(generate_connection_id());
    uuids.insert(generate_uuid());
  }
  EXPECT_EQ(messages.size(), 10'000U);
  EXPECT_EQ(connections.size(), 10'000U);
  EXPECT_EQ(uuids.size(), 10'000U);
}

TEST(Ids, UuidsAreOfVersionFour) {
  EXPECT_TRUE(std::regex_match(
      generate_uuid(),
      std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")));
}

TEST(Ids, ConnectionIdsAreUnpaddedBase64Url) {
  const ConnectionId id = generate_connection_id();
  EXPECT_EQ(id.str().size(), 16U);
  EXPECT_TRUE(base64url_decode(id.str()));
}

TEST(Ids, ConnectionIdsDoNotLookLikeACommandLinesOption) {
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_FALSE(generate_connection_id().str().starts_with('-'));
  }
}

TEST(Ids, MessageIdsKeepTheirBytes) {
  const MessageId id = MessageId::generate(kGenerated);
  EXPECT_EQ(MessageId(id.bytes()), id);
  EXPECT_NE(MessageId(), id);
  EXPECT_EQ(MessageId().str(), "00000000-0000-0000-0000-000000000000");
}

}  // namespace
}  // namespace holdfast
