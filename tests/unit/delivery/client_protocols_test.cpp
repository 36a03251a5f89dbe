// The protocols that clients may ask for: their frames and acknowledgements.

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/delivery/client_protocol.hpp>

namespace holdfast::delivery {
namespace {

Message odd_message(std::string payload) {
  Message out;
  out.user = UserId("user");
  out.id = MessageId({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  out.sequence = 1'769'076'000'000'001;
  out.accepted_at = wall_from_micros(1'769'076'000'123'456);
  out.payload = std::move(payload);
  return out;
}

std::string frame_of(const ProtocolPtr& protocol, std::string payload) {
  std::string buffer;
  const Message message = odd_message(std::move(payload));
  return std::string(protocol->encode(message, buffer));
}

ClientText read_by(const ProtocolPtr& protocol, std::string_view text) {
  Frames answer;
  return protocol->read(text, {.connection_id = "L0SM9cOFvHcCIhw", .now = {}}, answer);
}

std::optional<Sequence> acknowledged(std::string_view text) {
  const ClientText said = read_by(holdfast_v1_protocol(), text);
  EXPECT_NE(said.unrecognized, said.acknowledges.has_value()) << text;
  EXPECT_FALSE(said.violation);
  return said.acknowledges;
}

std::vector<std::string> odd_payloads() {
  std::string every_character;
  for (char c = 0; c < 127; ++c) every_character.push_back(c);
  every_character += "\x7f\u00df\u2028\u4e2d\U0001f600\U0010ffff";
  return {"x",
          every_character,
          std::string(3, '\0'),
          R"(","payload":"forged)",
          R"(\u0041\\)",
          R"({"type":"ack","sequence":5})",
          std::string(200'000, '"'),
          "\xef\xbb\xbf</script>"};
}

TEST(ClientProtocols, AreFoundByTheSubprotocolThatAClientAsksFor) {
  ASSERT_NE(find_subprotocol("holdfast.v1"), nullptr);
  EXPECT_EQ(find_subprotocol("holdfast.v1")->name(), "holdfast.v1");
  for (const char* const name : {"", "payload", "raw", "Holdfast.v1", "holdfast.v1 ", "holdfast"}) {
    EXPECT_EQ(find_subprotocol(name), nullptr) << name;
  }
  EXPECT_EQ(plain_protocol(FrameFormat::payload)->name(), "payload");
  EXPECT_EQ(plain_protocol(FrameFormat::raw)->name(), "raw");
}

TEST(ClientProtocols, HaveANameAndAFrameKeyOfTheirOwn) {
  std::set<std::string_view> names;
  std::set<std::uint32_t> keys;
  for (const ProtocolPtr& protocol : client_protocols()) {
    EXPECT_TRUE(names.insert(protocol->name()).second) << protocol->name();
    if (protocol->frame_key() == 0) continue;
    EXPECT_TRUE(keys.insert(protocol->frame_key()).second) << protocol->name();
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"payload", "raw", "holdfast.v1"}));
}

TEST(ClientProtocols, MakeTextFramesOfWhateverAMessageIs) {
  for (const ProtocolPtr& protocol : client_protocols()) {
    for (const std::string& payload : odd_payloads()) {
      EXPECT_TRUE(is_utf8(frame_of(protocol, payload))) << protocol->name();
    }
  }
}

TEST(ClientProtocols, AnswerUnrecognizedTextAsApiGatewayDoes) {
  for (const ProtocolPtr& protocol : client_protocols()) {
    SCOPED_TRACE(protocol->name());
    for (const char* const text : {"", "hello", "{", R"({"type":"ping"})", R"({"action":"x"})"}) {
      Frames answer;
      const ClientText said =
          protocol->read(text, {.connection_id = "L0SM9\"OFvHcCIhw", .now = {}}, answer);
      EXPECT_TRUE(said.unrecognized);
      EXPECT_FALSE(said.acknowledges);
      ASSERT_EQ(answer.size(), 1U);
      const auto json = parse_json(answer[0]);
      ASSERT_TRUE(json) << answer[0];
      EXPECT_EQ(json->size(), 3U);
      EXPECT_EQ(json->at("message"), "Forbidden");
      EXPECT_EQ(json->at("connectionId"), "L0SM9\"OFvHcCIhw");
      EXPECT_EQ(json->at("requestId").get<std::string>().size(), 36U);
    }
  }
}

TEST(PlainProtocols, LeaveAcknowledgingToTheFence) {
  for (const ProtocolPtr& protocol : {payload_protocol(), raw_protocol()}) {
    EXPECT_EQ(protocol->proof(), Proof::fence);
    const ClientText said = read_by(protocol, R"({"type":"ack","sequence":5})");
    EXPECT_TRUE(said.unrecognized);
    EXPECT_FALSE(said.acknowledges);
  }
}

TEST(PayloadProtocol, WrapsThePayloadAsTheCloudSystemDoes) {
  EXPECT_EQ(frame_of(payload_protocol(), "Serverless is cool"),
            R"({"Payload":"Serverless is cool"})");
  EXPECT_EQ(frame_of(payload_protocol(), "\"q\" \\ \n \x01 \u00e9"),
            "{\"Payload\":\"\\\"q\\\" \\\\ \\n \\u0001 \u00e9\"}");
  for (const std::string& payload : odd_payloads()) {
    const Json parsed = Json::parse(frame_of(payload_protocol(), payload));
    EXPECT_EQ(parsed.size(), 1U);
    EXPECT_EQ(parsed.at("Payload").get<std::string>(), payload);
  }
}

TEST(RawProtocol, SendsTheBareTextWithoutACopy) {
  std::string buffer;
  for (const std::string& payload : odd_payloads()) {
    const Message message = odd_message(payload);
    const std::string_view frame = raw_protocol()->encode(message, buffer);
    EXPECT_EQ(frame.data(), message.payload.data());
    EXPECT_EQ(frame, payload);
  }
}

TEST(HoldfastV1Protocol, CarriesIdSequenceAndTime) {
  EXPECT_EQ(frame_of(holdfast_v1_protocol(), "hi"),
            R"({"type":"message","messageId":"01020304-0506-0708-090a-0b0c0d0e0f10",)"
            R"("sequence":1769076000000001,"timestamp":1769076000123,"payload":"hi"})");
  for (const std::string& payload : odd_payloads()) {
    const Json parsed = Json::parse(frame_of(holdfast_v1_protocol(), payload));
    EXPECT_EQ(parsed.size(), 5U);
    EXPECT_EQ(parsed.at("payload").get<std::string>(), payload);
  }
}

TEST(HoldfastV1Protocol, LeavesAcknowledgingToTheClient) {
  EXPECT_EQ(holdfast_v1_protocol()->proof(), Proof::client);
  Frames answer;
  EXPECT_TRUE(
      holdfast_v1_protocol()
          ->read(R"({"type":"ack","sequence":5})", {.connection_id = "c", .now = {}}, answer)
          .acknowledges);
  EXPECT_TRUE(answer.empty());
}

TEST(HoldfastV1Protocol, TakesAcknowledgementsInBothOrdersWithAnySpace) {
  EXPECT_EQ(acknowledged(R"({"type":"ack","sequence":1769076000000001})"), 1'769'076'000'000'001);
  EXPECT_EQ(acknowledged(R"({"sequence":5,"type":"ack"})"), 5);
  EXPECT_EQ(acknowledged(" {\t\"type\" : \"ack\" ,\r\n \"sequence\" : 0 } "), 0);
  EXPECT_EQ(acknowledged(R"({"type":"ack","sequence":9007199254740992})"), 9'007'199'254'740'992);
}

TEST(HoldfastV1Protocol, TakesEverySpellingOfItsInteger) {
  for (const char* const number :
       {"1796046596041547", "1796046596041547.0", "1796046596041547.000", "1.796046596041547e15",
        "1.796046596041547E+15", "17960465960415470e-1", "1796046596041547e0"}) {
    const std::string spelled(number);
    EXPECT_EQ(acknowledged(R"({"type":"ack","sequence":)" + spelled + "}"), 1'796'046'596'041'547)
        << number;
    EXPECT_EQ(acknowledged(R"({"sequence":)" + spelled + R"( , "type":"ack"})"),
              1'796'046'596'041'547)
        << number;
  }
}

TEST(HoldfastV1Protocol, AcknowledgesByNothingElse) {
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
           R"({"Type":"ack","sequence":5})",
           R"({"type":"Ack","sequence":5})",
           R"({"type":"ack","Sequence":5})",
           R"({"type":"ack","sequence":[5]})",
           R"({"type":"ack","sequence":{"sequence":5}})",
           R"({"type":"ack","sequence":true})",
           R"({"type":"ack","sequence":0x5})",
           R"({"type":"ack","sequence":5 6})",
           R"({"type":"ack","sequence":1e400})",
           R"({"type":"ack","sequence":NaN})",
           R"({"type":"ack";"sequence":5})",
           R"({"type":"ack","sequence"=5})",
           R"({'type':'ack','sequence':5})",
           R"({"type":"ack"/**/,"sequence":5})",
           R"({"t\u0079pe":"ack","sequence":5})",
           R"([{"type":"ack","sequence":5}])",
           R"({"type":"ack","sequence":5}{"type":"ack","sequence":6})",
           R"({"type":"message","sequence":5})",
           "\xef\xbb\xbf{\"type\":\"ack\",\"sequence\":5}",
           "{\"type\":\"ack\",\v\"sequence\":5}",
           "{\"type\":\"ack\",\u00a0\"sequence\":5}",
       }) {
    EXPECT_FALSE(acknowledged(text)) << text;
  }
  EXPECT_FALSE(acknowledged(R"({"type":"ack","sequence":5})" + std::string(300, ' ')));
  EXPECT_FALSE(acknowledged(std::string_view("{\"type\":\"ack\",\"sequence\":5}\0", 29)));
}

}  // namespace
}  // namespace holdfast::delivery
