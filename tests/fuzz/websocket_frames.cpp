// What a WebSocket client sends.

#include <algorithm>
#include <string>

#include "fuzz/oracle.hpp"
#include "net/frame_reader.hpp"

namespace holdfast::fuzz {
namespace {

using net::FrameReader;
using Event = FrameReader::Event;

constexpr std::size_t kMessageMax = 300;

// RFC 3629, from the whole text.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || i + length > text.size()) return false;
    std::uint32_t point = length == 1 ? first : first & (0x7fU >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0U) != 0x80) return false;
      point = (point << 6U) | (next & 0x3fU);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    i += length;
  }
  return true;
}

template <class Next>
std::vector<std::string> events_of(std::string bytes, bool binary, Next next) {
  FrameReader reader(kMessageMax, binary);
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = next(bytes.size() - at);
    std::span<char> piece(bytes.data() + at, size);
    at += size;
    for (Event event = reader.read(piece); event != Event::more; event = reader.read(piece)) {
      if (event == Event::bad) {
        out.push_back("bad " + std::to_string(static_cast<int>(reader.error())));
        return out;
      }
      const std::string payload(reader.payload());
      if (event == Event::text) require(is_utf8(payload), "a text is UTF-8");
      const bool data = event == Event::text || event == Event::binary;
      require(payload.size() <= (data ? kMessageMax : 125), "a payload is within its limit");
      require(event != Event::binary || binary, "a binary message is allowed");
      out.push_back(std::to_string(static_cast<int>(event)) + " " + payload);
    }
    require(piece.empty(), "all bytes are taken");
  }
  out.push_back(reader.is_within() ? "within" : "between");
  return out;
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::fuzz;
  Input input(data, size);
  const std::uint8_t seed = input.byte();
  const std::string bytes(input.rest().substr(0, 4'096));
  const auto whole = events_of(bytes, seed % 2 == 0, [](std::size_t most) { return most; });
  Cuts cuts(seed);
  const auto cut =
      events_of(bytes, seed % 2 == 0, [&](std::size_t most) { return cuts.next(most); });
  require(whole == cut, "frames are the same however they are cut");
  return 0;
}
