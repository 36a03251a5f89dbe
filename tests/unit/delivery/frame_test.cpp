#include "delivery/frame.hpp"

#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

namespace holdfast::delivery {
namespace {

Message message(std::string payload, Sequence sequence = 1'769'076'000'000'001) {
  Message out;
  out.user = UserId("user");
  out.id = MessageId({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  out.sequence = sequence;
  out.accepted_at = wall_from_micros(1'769'076'000'123'456);
  out.payload = std::move(payload);
  return out;
}

TEST(FrameEncoder, WrapsThePayloadAsTheCloudSystemDoes) {
  FrameEncoder encoder;
  EXPECT_EQ(encoder.encode(message("Serverless is cool"), FrameFormat::payload),
            R"({"Payload":"Serverless is cool"})");
  EXPECT_EQ(encoder.encode(message("\"q\" \\ \n \x01 \u00e9", 7), FrameFormat::payload),
            "{\"Payload\":\"\\\"q\\\" \\\\ \\n \\u0001 \u00e9\"}");
}

TEST(FrameEncoder, SendsTheBareTextWhenRaw) {
  FrameEncoder encoder;
  EXPECT_EQ(encoder.encode(message("a \"b\""), FrameFormat::raw), "a \"b\"");
}

TEST(FrameEncoder, CarriesIdSequenceAndTimeUnderHoldfastV1) {
  FrameEncoder encoder;
  EXPECT_EQ(encoder.encode(message("hi"), FrameFormat::holdfast_v1),
            R"({"type":"message","messageId":"01020304-0506-0708-090a-0b0c0d0e0f10",)"
            R"("sequence":1769076000000001,"timestamp":1769076000123,"payload":"hi"})");
}

TEST(FrameEncoder, MakesJsonThatAStrictParserTakes) {
  FrameEncoder encoder;
  std::string every_byte;
  for (char c = 1; c < 127; ++c) every_byte.push_back(c);
  every_byte += "\u00df\u4e2d\U0001f600";
  for (const FrameFormat format : {FrameFormat::payload, FrameFormat::holdfast_v1}) {
    const auto parsed = parse_json(encoder.encode(message(every_byte), format));
    ASSERT_TRUE(parsed);
    const char* const name = format == FrameFormat::payload ? "Payload" : "payload";
    EXPECT_EQ(parsed->at(name).get<std::string>(), every_byte);
  }
}

TEST(FrameEncoder, TellsMessagesOfOneSequenceApartByTheirIds) {
  FrameEncoder encoder;
  Message first = message("first");
  Message second = message("second");
  second.id = MessageId({9});
  EXPECT_EQ(encoder.encode(first, FrameFormat::payload), R"({"Payload":"first"})");
  EXPECT_EQ(encoder.encode(second, FrameFormat::payload), R"({"Payload":"second"})");
  Message again = first;
  again.sequence = 99;  // a redrive keeps its id
  (void)encoder.encode(first, FrameFormat::holdfast_v1);
  EXPECT_NE(encoder.encode(again, FrameFormat::holdfast_v1).find("99"), std::string_view::npos);
}

TEST(ParseAck, TakesBothOrdersAndAnySpace) {
  EXPECT_EQ(parse_ack(R"({"type":"ack","sequence":1769076000000001})"), 1'769'076'000'000'001);
  EXPECT_EQ(parse_ack(R"({"sequence":5,"type":"ack"})"), 5);
  EXPECT_EQ(parse_ack(" {\t\"type\" : \"ack\" ,\r\n \"sequence\" : 0 } "), 0);
  EXPECT_EQ(parse_ack(R"({"type":"ack","sequence":9007199254740992})"), 9'007'199'254'740'992);
}

TEST(ParseAck, TakesEverySpellingOfItsInteger) {
  for (const char* const number :
       {"1796046596041547", "1796046596041547.0", "1796046596041547.000", "1.796046596041547e15",
        "1.796046596041547E+15", "17960465960415470e-1", "1796046596041547e0"}) {
    const std::string spelled(number);
    EXPECT_EQ(parse_ack(R"({"type":"ack","sequence":)" + spelled + "}"), 1'796'046'596'041'547)
        << number;
    EXPECT_EQ(parse_ack(R"({"sequence":)" + spelled + R"( , "type":"ack"})"), 1'796'046'596'041'547)
        << number;
  }
}

TEST(ParseAck, RefusesEverythingElse) {
  for (const char* const text : {
           "",
           "{}",
           "hello",
           "null",
           R"({"type":"ack"})",
           R"({"sequence":5})",
           R"({"type":"ack","sequence":5)",
           R"({"type":"ack","sequence":5}})",
           R"({"type":"ack","sequence":5} x)",
           R"({"type":"ack","sequence":5,})",
           R"({"type":"ack","sequence":5,"more":1})",
           R"({"type":"ack","type":"ack"})",
           R"({"sequence":5,"sequence":5})",
           R"({"type":"nack","sequence":5})",
           R"({"type":"ack","sequence":"5"})",
           R"({"type":"ack","sequence":-5})",
           R"({"type":"ack","sequence":+5})",
           R"({"type":"ack","sequence":05})",
           R"({"type":"ack","sequence":5.5})",
           R"({"type":"ack","sequence":5e-1})",
           R"({"type":"ack","sequence":4503599627370497.5})",
           R"({"type":"ack","sequence":9007199254740993.0})",
           R"({"type":"ack","sequence":-5.0})",
           R"({"type":"ack","sequence":5.})",
           R"({"type":"ack","sequence":5e})",
           R"({"type":"ack","sequence":"5.0"})",
           R"({"type":"ack","sequence":9007199254740993})",
           R"({"type":"ack","sequence":99999999999999999999999})",
           R"({"type":"ack","sequence":})",
           R"({"type":"ack","sequence":null})",
           R"({type:"ack","sequence":5})",
           R"(["ack",5])",
       }) {
    EXPECT_FALSE(parse_ack(text)) << text;
  }
  EXPECT_FALSE(parse_ack(R"({"type":"ack","sequence":5})" + std::string(300, ' ')));
}

TEST(ForbiddenFrame, LooksLikeApiGateways) {
  EXPECT_EQ(forbidden_frame("L0SM9cOFvHcCIhw", "r-1"),
            R"({"message":"Forbidden","connectionId":"L0SM9cOFvHcCIhw","requestId":"r-1"})");
}

}  // namespace
}  // namespace holdfast::delivery
