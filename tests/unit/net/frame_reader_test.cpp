// Tests the reader of WebSocket frames with every cut of its input.

#include "net/frame_reader.hpp"

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "support/net/raw_client.hpp"

namespace holdfast::net {
namespace {

using test::make_close_frame;
using test::make_frame;
using Event = FrameReader::Event;

/// Reads bytes in pieces of these sizes, over and over. Returns the events.
std::vector<std::string> told(std::string bytes, const std::vector<std::size_t>& pieces) {
  FrameReader reader(100'000, true);
  std::vector<std::string> out;
  std::size_t at = 0;
  for (std::size_t i = 0; at < bytes.size(); ++i) {
    const std::size_t size = std::min(pieces[i % pieces.size()], bytes.size() - at);
    std::span<char> piece(bytes.data() + at, size);
    at += size;
    for (;;) {
      const Event event = reader.read(piece);
      if (event == Event::more) break;
      if (event == Event::bad) {
        out.push_back("bad " + std::to_string(static_cast<int>(reader.error())));
        return out;
      }
      constexpr const char* kNames[] = {"more ", "text ", "binary ", "ping ", "pong ", "close "};
      out.push_back(kNames[static_cast<int>(event)] + std::string(reader.payload()));
    }
    EXPECT_TRUE(piece.empty());
  }
  return out;
}

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kCharacters = {"a", "\xc3\xa9", "\xe2\x82\xac",
                                                       "\xf0\x9f\x98\x80", std::string(1, '\0')};
  std::string out;
  const unsigned sizes[] = {0, 1, 3, 50, 130, 70'000};
  const std::size_t size = random() % (sizes[random() % 6] + 1);
  while (out.size() < size) out += kCharacters[random() % kCharacters.size()];
  return out;
}

// Messages in fragments, with control frames between them, however the bytes are cut.
TEST(FrameReaderTest, TellsTheSameHoweverTheBytesAreCut) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    std::vector<std::string> expected;
    for (unsigned messages = 1 + random() % 4; messages > 0; --messages) {
      const std::string text = random_text(random);
      const bool binary = random() % 4 == 0;
      std::size_t at = 0;
      for (bool first = true, fin = false; !fin; first = false) {
        const std::size_t size = random() % (text.size() - at + 1);
        fin = random() % 3 == 0;
        const std::string part = fin ? text.substr(at) : text.substr(at, size);
        at += part.size();
        bytes += make_frame(part, {.fin = fin, .opcode = !first ? 0 : binary ? 2 : 1});
        if (!fin && random() % 3 == 0) {
          bytes += make_frame("p" + std::to_string(at), {.opcode = 9});
          expected.push_back("ping p" + std::to_string(at));
        }
      }
      expected.push_back((binary ? "binary " : "text ") + text);
    }
    bytes += make_close_frame(1000, "bye");
    expected.push_back(
        "close \x03\xe8"
        "bye");
    EXPECT_EQ(told(bytes, {bytes.size()}), expected);
    EXPECT_EQ(told(bytes, {1 + random() % 7, 1 + random() % 3000}), expected);
    if (bytes.size() < 5'000) {
      EXPECT_EQ(told(bytes, {1}), expected);
    }
  }
}

// No bytes do harm, and the cut does not decide what they are.
TEST(FrameReaderTest, SurvivesEverything) {
  std::mt19937 random(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = make_frame("abc", {.fin = random() % 2 == 0}) +
                        make_frame("\xe2\x82\xac", {.opcode = static_cast<int>(random() % 3)}) +
                        make_frame("p", {.opcode = 8 + static_cast<int>(random() % 3)});
    for (unsigned i = random() % 5; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto whole = told(bytes, {bytes.size()});
    EXPECT_EQ(told(bytes, {1}), whole);
    EXPECT_EQ(told(bytes, {1 + random() % 5, 1 + random() % 9}), whole);
  }
}

// A fault in the first bytes is told on them: nothing more is waited for.
TEST(FrameReaderTest, TellsAFaultAsSoonAsItIsThere) {
  EXPECT_EQ(told("\x91\x80", {1}), std::vector<std::string>{"bad 1002"}) << "reserved bit";
  EXPECT_EQ(told("\x83\x80", {1}), std::vector<std::string>{"bad 1002"}) << "reserved opcode";
  EXPECT_EQ(told("\x81\x05", {1}), std::vector<std::string>{"bad 1002"}) << "not masked";
  EXPECT_EQ(told("\x89\xfe", {1}), std::vector<std::string>{"bad 1002"}) << "long ping";
  EXPECT_EQ(told(make_frame("\xe2\x28 and much more").substr(0, 8), {1}),
            std::vector<std::string>{"bad 1007"});
  EXPECT_EQ(told(make_frame(std::string(100'001, 'x')).substr(0, 14), {1}),
            std::vector<std::string>{"bad 1009"});
}

TEST(FrameReaderTest, KnowsUtf8) {
  const auto is_text = [](const std::string& text) {
    return told(make_frame(text), {3})[0] != "bad 1007";
  };
  for (const char* good :
       {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_text(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff", "\xc2",
        "\xe0\xa0", "\xf0\x90\x80", "\xc2\x41", "\xe0\xa0\x41"}) {
    EXPECT_FALSE(is_text(bad)) << bad;
  }
}

}  // namespace
}  // namespace holdfast::net
