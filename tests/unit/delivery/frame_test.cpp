// Frames that are encoded once for several connections.

#include "delivery/frame.hpp"

#include <gtest/gtest.h>

namespace holdfast::delivery {
namespace {

Message text_message(std::string payload, Sequence sequence = 1'769'076'000'000'001) {
  Message out;
  out.id = MessageId({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  out.sequence = sequence;
  out.payload = std::move(payload);
  return out;
}

/// Counts how often it is asked for a frame.
class CountingProtocol final : public ClientProtocol {
 public:
  explicit CountingProtocol(std::uint32_t key) : ClientProtocol({.name = "", .frame_key = key}) {}
  std::string_view encode(const Message& message, std::string& buffer) override {
    EXPECT_TRUE(buffer.empty());
    ++frames;
    return buffer = "<" + message.payload + ">";
  }
  ClientText read(std::string_view, const ProtocolContext&, Frames&) override { return {}; }

  int frames = 0;
};

TEST(FrameEncoder, MakesOneFrameForAllConnectionsOfOneKey) {
  FrameEncoder encoder;
  CountingProtocol laptop(7);
  CountingProtocol phone(7);
  CountingProtocol other(8);
  const Message message = text_message("hi");
  EXPECT_EQ(encoder.encode(message, laptop), "<hi>");
  EXPECT_EQ(encoder.encode(message, phone), "<hi>");
  EXPECT_EQ(laptop.frames + phone.frames, 1);
  EXPECT_EQ(encoder.encode(message, other), "<hi>");
  EXPECT_EQ(other.frames, 1);
}

TEST(FrameEncoder, MakesEachFrameThatHasNoKeyAndKeepsTheOthers) {
  FrameEncoder encoder;
  CountingProtocol keyed(7);
  CountingProtocol keyless(0);
  const Message message = text_message("hi");
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(encoder.encode(message, keyed), "<hi>");
    EXPECT_EQ(encoder.encode(message, keyless), "<hi>");
    EXPECT_EQ(keyless.frames, i);
  }
  EXPECT_EQ(keyed.frames, 1);
}

TEST(FrameEncoder, TellsMessagesOfOneSequenceApartByTheirIds) {
  FrameEncoder encoder;
  const ProtocolPtr payload = payload_protocol();
  const ProtocolPtr v1 = holdfast_v1_protocol();
  const Message first = text_message("first");
  Message second = text_message("second");
  second.id = MessageId({9});
  EXPECT_EQ(encoder.encode(first, *payload), R"({"Payload":"first"})");
  EXPECT_EQ(encoder.encode(second, *payload), R"({"Payload":"second"})");
  Message again = first;
  again.sequence = 99;  // a redrive keeps its id
  (void)encoder.encode(first, *v1);
  EXPECT_NE(encoder.encode(again, *v1).find("99"), std::string_view::npos);
}

TEST(FrameEncoder, ForgetsAFrameWhenItIsReset) {
  FrameEncoder encoder;
  CountingProtocol protocol(7);
  const Message message = text_message("hi");
  (void)encoder.encode(message, protocol);
  encoder.reset();
  EXPECT_EQ(encoder.encode(message, protocol), "<hi>");
  EXPECT_EQ(protocol.frames, 2);
}

}  // namespace
}  // namespace holdfast::delivery
