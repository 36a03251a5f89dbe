// The shapes of all of Autobahn's cases for servers without compression (its sections 1 to 7, 9 and
// 10, https://github.com/crossbario/autobahn-testsuite), against the echo server.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/net/echo_server.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::net {
namespace {

using test::EchoServer;
using test::kBinary;
using test::kClose;
using test::kPing;
using test::kPong;
using test::kText;
using test::make_close_frame;
using test::make_frame;
using test::RawClient;
using test::RawFrame;

/// A client's frames, and the frames that come back.
struct EchoCase {
  std::string number;             ///< Autobahn's
  std::vector<std::string> sent;  ///< in segments of their own
  struct Answer {
    int opcode = kText;
    std::string payload;
  };
  std::vector<Answer> answers;  ///< in their order
  /// Then it is closed with this code; 0: the client closes with 1000 and gets that back. -1: a
  /// Close without a code.
  int close_code = 0;
};

std::string part(std::string_view payload, bool first, bool fin, int opcode = kText) {
  return make_frame(payload, {.fin = fin, .opcode = first ? opcode : 0});
}

/// One message in frames of so many bytes.
std::string fragments(const std::string& payload, std::size_t size, int opcode = kText) {
  std::string out;
  for (std::size_t at = 0; at < payload.size(); at += size) {
    out += part(payload.substr(at, size), at == 0, at + size >= payload.size(), opcode);
  }
  return out;
}

std::vector<std::string> chopped(const std::string& bytes, std::size_t size) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size(); at += size) out.push_back(bytes.substr(at, size));
  return out;
}

std::string times(std::string_view text, std::size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::string utf8(char32_t c) {
  const auto byte = [](char32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 | c >> 6), byte(0x80 | (c & 0x3f))};
  if (c < 0x10000) {
    return {byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
  }
  return {byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 0x3f)), byte(0x80 | (c >> 6 & 0x3f)),
          byte(0x80 | (c & 0x3f))};
}

class Cases {
 public:
  std::vector<EchoCase> all;

  void echo(const std::string& number, const std::string& payload, std::size_t chop = 0,
            int opcode = kText) {
    const std::string frame = make_frame(payload, {.opcode = opcode});
    all.push_back(
        {number, chop > 0 ? chopped(frame, chop) : std::vector{frame}, {{opcode, payload}}, 0});
  }
  void refused(const std::string& number, std::vector<std::string> sent, int code = 1002,
               std::vector<EchoCase::Answer> answers = {}) {
    all.push_back({number, std::move(sent), std::move(answers), code});
  }
  void text_case(const std::string& number, const std::string& payload, bool valid) {
    valid ? echo(number, payload) : refused(number, {make_frame(payload)}, 1007);
  }
};

// 1: framing. 2: pings and pongs.
void add_framing(Cases& cases) {
  const std::size_t sizes[] = {0, 125, 126, 127, 128, 65'535, 65'536};
  for (const int section : {1, 2}) {
    const int opcode = section == 1 ? kText : kBinary;
    const std::string byte = section == 1 ? "*" : "\xfe";
    const std::string prefix = "1." + std::to_string(section) + ".";
    int number = 0;
    for (const std::size_t size : sizes) {
      cases.echo(prefix + std::to_string(++number), times(byte, size), 0, opcode);
    }
    cases.echo(prefix + "8", times(byte, 65'536), 997, opcode);
  }
  const auto ping = [](std::string_view payload) { return make_frame(payload, {.opcode = kPing}); };
  const std::string longest(125, '\xfe');
  auto& all = cases.all;
  all.push_back({"2.1", {ping("")}, {{kPong, ""}}});
  all.push_back({"2.2", {ping("Hello, world!")}, {{kPong, "Hello, world!"}}});
  const std::string binary("\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 8);
  all.push_back({"2.3", {ping(binary)}, {{kPong, binary}}});
  all.push_back({"2.4", {ping(longest)}, {{kPong, longest}}});
  cases.refused("2.5", {ping(std::string(126, '\xfe'))});
  all.push_back({"2.6", chopped(ping(longest), 1), {{kPong, longest}}});
  const auto pong = [](std::string_view payload) { return make_frame(payload, {.opcode = kPong}); };
  all.push_back({"2.7", {pong("")}, {}});
  all.push_back({"2.8", {pong("unsolicited")}, {}});
  all.push_back({"2.9", {pong("unsolicited") + ping("ping")}, {{kPong, "ping"}}});
  for (const bool chop : {false, true}) {
    EchoCase ten{chop ? "2.11" : "2.10", {}, {}};
    for (int i = 0; i < 10; ++i) {
      const std::string payload = "payload-" + std::to_string(i);
      for (auto& piece : chopped(ping(payload), chop ? 1 : 100)) ten.sent.push_back(piece);
      ten.answers.push_back({kPong, payload});
    }
    all.push_back(std::move(ten));
  }
}

// 3: reserved bits. 4: reserved opcodes.
void add_reserved(Cases& cases) {
  const std::string hello = "Hello, world!";
  const std::string good = make_frame(hello);
  const std::string ping = make_frame("", {.opcode = kPing});
  const auto bad = [&](int bits, int opcode = kText) {
    return make_frame(opcode == kClose ? "" : hello, {.opcode = opcode, .reserved_bits = bits});
  };
  cases.refused("3.1", {bad(1)});
  cases.refused("3.2", {good + bad(2) + ping}, 1002, {{kText, hello}});
  cases.refused("3.3", {good, bad(3), ping}, 1002, {{kText, hello}});
  cases.refused("3.4", chopped(good + bad(4) + ping, 1), 1002, {{kText, hello}});
  cases.refused("3.5", {bad(5, kBinary)});
  cases.refused("3.6", {bad(6, kPing)});
  cases.refused("3.7", {bad(7, kClose)});
  for (const int section : {1, 2}) {
    const int base = section == 1 ? 3 : 11;
    const std::string prefix = "4." + std::to_string(section) + ".";
    const auto frame = [&](int more, std::string_view payload = "") {
      return make_frame(payload, {.opcode = base + more});
    };
    cases.refused(prefix + "1", {frame(0)});
    cases.refused(prefix + "2", {frame(1, "reserved opcode payload")});
    cases.refused(prefix + "3", {good + frame(2) + ping}, 1002, {{kText, hello}});
    cases.refused(prefix + "4", {good + frame(3, "reserved") + ping}, 1002, {{kText, hello}});
    cases.refused(prefix + "5", chopped(good + frame(4, "reserved") + ping, 1), 1002,
                  {{kText, hello}});
  }
}

// 5: fragmentation.
void add_fragmentation(Cases& cases) {
  auto& all = cases.all;
  const auto ping = [](std::string_view payload) { return make_frame(payload, {.opcode = kPing}); };
  const std::string one = part("fragment1", true, false);
  const std::string two = part("fragment2", false, true);
  const std::string both = "fragment1fragment2";
  cases.refused("5.1", {make_frame("a", {.fin = false, .opcode = kPing}) + two});
  cases.refused("5.2", {make_frame("a", {.fin = false, .opcode = kPong}) + two});
  all.push_back({"5.3", {one + two}, {{kText, both}}});
  all.push_back({"5.4", {one, two}, {{kText, both}}});
  all.push_back({"5.5", chopped(one + two, 1), {{kText, both}}});
  all.push_back({"5.6", {one + ping("ping") + two}, {{kPong, "ping"}, {kText, both}}});
  all.push_back({"5.7", {one, ping("ping"), two}, {{kPong, "ping"}, {kText, both}}});
  all.push_back({"5.8", chopped(one + ping("ping") + two, 1), {{kPong, "ping"}, {kText, both}}});
  const std::string orphan = part("non-continuation", false, true);
  const std::string hello = make_frame("Hello, world!");
  cases.refused("5.9", {orphan + hello});
  cases.refused("5.10", {orphan, hello});
  cases.refused("5.11", chopped(orphan + hello, 1));
  const std::string open_orphan = part("non-continuation", false, false);
  cases.refused("5.12", {open_orphan + hello});
  cases.refused("5.13", {open_orphan, hello});
  cases.refused("5.14", chopped(open_orphan + hello, 1));
  cases.refused("5.15",
                {one + two + part("fragment3", false, false) + part("fragment4", true, true)}, 1002,
                {{kText, both}});
  const std::string round = part("fragment1", false, false) + part("fragment2", true, false) +
                            part("fragment3", false, true);
  cases.refused("5.16", {times(round, 2)});
  cases.refused("5.17", {times(part("fragment1", false, true) + part("fragment2", true, false) +
                                   part("fragment3", false, true),
                               2)});
  cases.refused("5.18", {one + part("fragment2", true, true)});
  std::vector<std::string> five;
  for (int i = 1; i <= 5; ++i) five.push_back(part("fragment" + std::to_string(i), i == 1, i == 5));
  const std::string whole = "fragment1fragment2fragment3fragment4fragment5";
  const std::vector<EchoCase::Answer> answers = {
      {kPong, "ping1"}, {kPong, "ping2"}, {kText, whole}};
  all.push_back({"5.19",
                 {five[0] + five[1] + ping("ping1"), five[2] + five[3] + ping("ping2") + five[4]},
                 answers});
  all.push_back({"5.20",
                 {five[0], five[1], ping("ping1"), five[2], five[3], ping("ping2"), five[4]},
                 answers});
}

// 6: UTF-8. Those that are refused are refused on the fragment that breaks it.
void add_utf8(Cases& cases) {
  auto& all = cases.all;
  const std::string greek =
      "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!";
  const std::string kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
  cases.echo("6.1.1", "");
  all.push_back({"6.1.2",
                 {part("", true, false) + part("", false, false) + part("", false, true)},
                 {{kText, ""}}});
  all.push_back({"6.1.3",
                 {part("", true, false) + part("middle", false, false) + part("", false, true)},
                 {{kText, "middle"}}});
  cases.echo("6.2.1", greek);
  all.push_back({"6.2.2",
                 {part(greek.substr(0, 12), true, false), part(greek.substr(12), false, true)},
                 {{kText, greek}}});
  all.push_back({"6.2.3", {fragments(greek, 1)}, {{kText, greek}}});
  all.push_back({"6.2.4", {fragments(kosme, 1)}, {{kText, kosme}}});
  const std::string invalid = kosme +
                              "\xed\xa0\x80"
                              "edited";
  cases.refused("6.3.1", {make_frame(invalid)}, 1007);
  cases.refused("6.3.2", {fragments(invalid, 1)}, 1007);
  // The end of the message is never sent.
  const std::string beyond = kosme + "\xf4\x90\x80\x80";
  cases.refused("6.4.1", {part(kosme, true, false), part("\xf4\x90\x80\x80", false, false)}, 1007);
  cases.refused("6.4.2", {part(kosme + "\xf4", true, false), part("\x90", false, false)}, 1007);
  const std::string frame = make_frame(beyond + "edited");
  cases.refused("6.4.3", {frame.substr(0, 6 + kosme.size() + 4)}, 1007);
  cases.refused("6.4.4",
                {frame.substr(0, 6 + kosme.size() + 1), frame.substr(6 + kosme.size() + 1, 1)},
                1007);
  int number = 0;
  // Cut behind each of its characters.
  for (const std::size_t size : {2, 5, 7, 9, 11}) {
    cases.text_case("6.5." + std::to_string(++number), kosme.substr(0, size), true);
  }
  struct Text {
    const char* number;
    std::string bytes;
    bool valid;
  };
  const std::string hello = "Hello-\xc2\xb5@\xc3\x9f-UTF-8!!";
  const Text texts[] = {
      {"6.6.1", "\xce", false},
      {"6.6.2", "\xce\xba", true},
      {"6.6.3", "\xce\xba\xe1", false},
      {"6.6.4", "\xce\xba\xe1\xbd", false},
      {"6.6.5", "\xce\xba\xe1\xbd\xb9", true},
      {"6.6.6", "\xce\xba\xe1\xbd\xb9\xcf", false},
      {"6.6.7", "\xce\xba\xe1\xbd\xb9\xcf\x83", true},
      {"6.6.8", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce", false},
      {"6.6.9", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc", true},
      {"6.6.10", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce", false},
      {"6.6.11", kosme, true},
      {"6.7.1", std::string(1, '\0'), true},
      {"6.7.2", "\xc2\x80", true},
      {"6.7.3", "\xe0\xa0\x80", true},
      {"6.7.4", "\xf0\x90\x80\x80", true},
      {"6.8.1", "\xf8\x88\x80\x80\x80", false},
      {"6.8.2", "\xfc\x84\x80\x80\x80\x80", false},
      {"6.9.1", "\x7f", true},
      {"6.9.2", "\xdf\xbf", true},
      {"6.9.3", "\xef\xbf\xbf", true},
      {"6.9.4", "\xf4\x8f\xbf\xbf", true},
      {"6.10.1", "\xf7\xbf\xbf\xbf", false},
      {"6.10.2", "\xfb\xbf\xbf\xbf\xbf", false},
      {"6.10.3", "\xfd\xbf\xbf\xbf\xbf\xbf", false},
      {"6.11.1", "\xed\x9f\xbf", true},
      {"6.11.2", "\xee\x80\x80", true},
      {"6.11.3", "\xef\xbf\xbd", true},
      {"6.11.4", "\xf4\x8f\xbf\xbf", true},
      {"6.11.5", "\xf4\x90\x80\x80", false},
      {"6.12.1", "\x80", false},
      {"6.12.2", "\xbf", false},
      {"6.12.3", "\x80\xbf", false},
      {"6.12.4", "\x80\xbf\x80", false},
      {"6.12.5", "\x80\xbf\x80\xbf", false},
      {"6.12.6", "\x80\xbf\x80\xbf\x80", false},
      {"6.12.7", "\x80\xbf\x80\xbf\x80\xbf", false},
      {"6.12.8", "\x80\x81\x82\x83\xbd\xbe", false},
      {"6.13.1", "\xc0 \xc1 \xc2 \xdf ", false},
      {"6.13.2", "\xe0 \xe1 \xee \xef ", false},
      {"6.13.3", "\xf0 \xf1 \xf6 \xf7 ", false},
      {"6.13.4", "\xf8 \xf9 \xfa \xfb ", false},
      {"6.13.5", "\xfc \xfd ", false},
      {"6.14.1", "\xc0", false},
      {"6.14.2", "\xe0\x80", false},
      {"6.14.3", "\xf0\x80\x80", false},
      {"6.14.4", "\xf8\x80\x80\x80", false},
      {"6.14.5", "\xfc\x80\x80\x80\x80", false},
      {"6.14.6", "\xdf", false},
      {"6.14.7", "\xef\xbf", false},
      {"6.14.8", "\xf7\xbf\xbf", false},
      {"6.14.9", "\xfb\xbf\xbf\xbf", false},
      {"6.14.10", "\xfd\xbf\xbf\xbf\xbf", false},
      {"6.15.1", "\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf", false},
      {"6.16.1", "\xfe", false},
      {"6.16.2", "\xff", false},
      {"6.16.3", "\xfe\xfe\xff\xff", false},
      {"6.17.1", "\xc0\xaf", false},
      {"6.17.2", "\xe0\x80\xaf", false},
      {"6.17.3", "\xf0\x80\x80\xaf", false},
      {"6.17.4", "\xf8\x80\x80\x80\xaf", false},
      {"6.17.5", "\xfc\x80\x80\x80\x80\xaf", false},
      {"6.18.1", "\xc1\xbf", false},
      {"6.18.2", "\xe0\x9f\xbf", false},
      {"6.18.3", "\xf0\x8f\xbf\xbf", false},
      {"6.18.4", "\xf8\x87\xbf\xbf\xbf", false},
      {"6.18.5", "\xfc\x83\xbf\xbf\xbf\xbf", false},
      {"6.19.1", "\xc0\x80", false},
      {"6.19.2", "\xe0\x80\x80", false},
      {"6.19.3", "\xf0\x80\x80\x80", false},
      {"6.19.4", "\xf8\x80\x80\x80\x80", false},
      {"6.19.5", "\xfc\x80\x80\x80\x80\x80", false},
      {"6.20.1", "\xed\xa0\x80", false},
      {"6.20.2", "\xed\xad\xbf", false},
      {"6.20.3", "\xed\xae\x80", false},
      {"6.20.4", "\xed\xaf\xbf", false},
      {"6.20.5", "\xed\xb0\x80", false},
      {"6.20.6", "\xed\xbe\x80", false},
      {"6.20.7", "\xed\xbf\xbf", false},
      {"6.21.1", "\xed\xa0\x80\xed\xb0\x80", false},
      {"6.21.2", "\xed\xa0\x80\xed\xbf\xbf", false},
      {"6.21.3", "\xed\xad\xbf\xed\xb0\x80", false},
      {"6.21.4", "\xed\xad\xbf\xed\xbf\xbf", false},
      {"6.21.5", "\xed\xae\x80\xed\xb0\x80", false},
      {"6.21.6", "\xed\xae\x80\xed\xbf\xbf", false},
      {"6.21.7", "\xed\xaf\xbf\xed\xb0\x80", false},
      {"6.21.8", "\xed\xaf\xbf\xed\xbf\xbf", false},
  };
  for (const Text& text : texts) cases.text_case(text.number, text.bytes, text.valid);
  // Non-characters are valid.
  number = 0;
  for (char32_t plane = 0; plane <= 16; ++plane) {
    for (const char32_t end : {0xfffeU, 0xffffU}) {
      cases.text_case("6.22." + std::to_string(++number), utf8(plane << 16 | end), true);
    }
  }
  number = 0;
  for (char32_t special = 0xfff9; special <= 0xffff; ++special) {
    cases.text_case("6.23." + std::to_string(++number), utf8(special), true);
  }
}

// 7: closing.
void add_closing(Cases& cases) {
  const std::string close = make_close_frame(1000);
  const std::string hello = make_frame("Hello World!");
  const std::string ping = make_frame("ping", {.opcode = kPing});
  auto& all = cases.all;
  all.push_back({"7.1.1", {hello, close}, {{kText, "Hello World!"}}, 1000});
  all.push_back({"7.1.2", {close + close}, {}, 1000});
  all.push_back({"7.1.3", {close + ping}, {}, 1000});
  all.push_back({"7.1.4", {close + hello}, {}, 1000});
  all.push_back({"7.1.5",
                 {part("fragment1", true, false) + close + part("fragment2", false, true)},
                 {},
                 1000});
  const std::string large = times("BAsd7&jh23", 26'214);
  all.push_back({"7.1.6",
                 {make_frame(large) + hello + close + ping},
                 {{kText, large}, {kText, "Hello World!"}},
                 1000});
  all.push_back({"7.3.1", {make_frame("", {.opcode = kClose})}, {}, 1000});
  cases.refused("7.3.2", {make_frame("a", {.opcode = kClose})});
  all.push_back({"7.3.3", {close}, {}, 1000});
  all.push_back({"7.3.4", {make_close_frame(1000, "Hello World!")}, {}, 1000});
  all.push_back({"7.3.5", {make_close_frame(1000, std::string(123, '*'))}, {}, 1000});
  cases.refused("7.3.6", {make_close_frame(1000, std::string(124, '*'))});
  cases.refused("7.5.1",
                {make_close_frame(1000,
                                  "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
                                  "edited")},
                1007);
  int number = 0;
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999}) {
    all.push_back({"7.7." + std::to_string(++number), {make_close_frame(code)}, {}, code});
  }
  number = 0;
  for (const int code : {0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999}) {
    cases.refused("7.9." + std::to_string(++number), {make_close_frame(code)});
  }
  number = 0;
  for (const int code : {5000, 65'535}) {
    cases.refused("7.13." + std::to_string(++number), {make_close_frame(code)});
  }
}

// 9: limits. 10: fragments of one size.
void add_limits(Cases& cases) {
  constexpr std::size_t kKiB = 1 << 10;
  auto& all = cases.all;
  const auto add = [&all](const std::string& prefix, int number, const std::string& payload,
                          std::vector<std::string> sent, int opcode) {
    all.push_back({prefix + std::to_string(number), std::move(sent), {{opcode, payload}}});
  };
  for (const int section : {1, 2}) {
    const int opcode = section == 1 ? kText : kBinary;
    const std::string prefix = "9." + std::to_string(section) + ".";
    int number = 0;
    for (const std::size_t size : {64, 256, 1024, 4096, 8192, 16'384}) {
      const std::string payload = times("*", size * kKiB);
      add(prefix, ++number, payload, {make_frame(payload, {.opcode = opcode})}, opcode);
    }
  }
  for (const int section : {3, 4}) {
    const int opcode = section == 3 ? kText : kBinary;
    const std::string payload = times("*", 4 * kKiB * kKiB);
    int number = 0;
    for (const std::size_t size : {64UZ, 256UZ, kKiB, 4 * kKiB, 16 * kKiB, 64 * kKiB, 256 * kKiB,
                                   kKiB * kKiB, 4 * kKiB * kKiB}) {
      add("9." + std::to_string(section) + ".", ++number, payload,
          {fragments(payload, size, opcode)}, opcode);
    }
  }
  for (const int section : {5, 6}) {
    const int opcode = section == 5 ? kText : kBinary;
    const std::string payload = times("*", kKiB * kKiB);
    int number = 0;
    for (const std::size_t chop : {64, 128, 256, 512, 1024, 2048}) {
      add("9." + std::to_string(section) + ".", ++number, payload,
          chopped(make_frame(payload, {.opcode = opcode}), chop), opcode);
    }
  }
  for (const int section : {7, 8}) {
    const int opcode = section == 7 ? kText : kBinary;
    int number = 0;
    for (const std::size_t size : {0, 16, 64, 256, 1024, 4096}) {
      EchoCase many{"9." + std::to_string(section) + "." + std::to_string(++number), {}, {}};
      const std::string payload = times("*", size);
      for (int i = 0; i < 1000; ++i) {
        many.sent.push_back(make_frame(payload, {.opcode = opcode}));
        many.answers.push_back({opcode, payload});
      }
      all.push_back(std::move(many));
    }
  }
  const std::string payload = times("*", 65'536);
  add("10.1.", 1, payload, {fragments(payload, 1300)}, kText);
}

struct Section {
  const char* name;
  void (*add)(Cases&);
};
class EchoCasesTest : public testing::TestWithParam<Section> {};

void expect_answers(const std::string& address, const EchoCase& c) {
  RawClient client(address);
  ASSERT_EQ(client.upgrade("/ws").value().status, 101);
  constexpr Milliseconds kPatience{20'000};
  // Messages are taken as they come, or both sides would wait for the other to read.
  std::thread sender([&] {
    for (const std::string& segment : c.sent) {
      if (!client.send(segment)) return;
    }
    if (c.close_code == 0) client.send(make_close_frame(1000));
  });
  for (const EchoCase::Answer& answer : c.answers) {
    const auto frame = client.read_frame(kPatience);
    if (!frame) {
      ADD_FAILURE() << c.number << ": no answer";
      break;
    }
    EXPECT_EQ(frame->opcode(), answer.opcode) << c.number;
    EXPECT_TRUE(frame->payload == answer.payload) << c.number << ": " << frame->payload.size();
  }
  sender.join();
  const auto close = client.read_frame(kPatience);
  ASSERT_TRUE(close) << c.number << ": no Close";
  EXPECT_EQ(close->opcode(), kClose) << c.number;
  EXPECT_EQ(close->close_code(), c.close_code == 0 ? 1000 : c.close_code) << c.number;
  EXPECT_TRUE(client.ends()) << c.number;
  EXPECT_EQ(client.pending(), "") << c.number;
}

TEST_P(EchoCasesTest, GetsTheAnswerOfTheRfc) {
  const EchoServer server;
  Cases cases;
  GetParam().add(cases);
  for (const EchoCase& c : cases.all) expect_answers(server.address(), c);
}

INSTANTIATE_TEST_SUITE_P(Autobahn, EchoCasesTest,
                         testing::Values(Section{"Framing", add_framing},
                                         Section{"Reserved", add_reserved},
                                         Section{"Fragmentation", add_fragmentation},
                                         Section{"Utf8", add_utf8}, Section{"Closing", add_closing},
                                         Section{"Limits", add_limits}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace holdfast::net
