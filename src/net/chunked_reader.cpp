#include "net/chunked_reader.hpp"

#include <algorithm>

namespace holdfast::net {
namespace {

// Size lines, extensions and trailers that a body may have in all, whatever its chunks: a chunk of
// one byte costs five of these.
constexpr std::size_t kOverheadBytesMax = 16 << 10;
constexpr std::size_t kOverheadBytesPerByte = 8;
constexpr std::size_t kSizeDigitsMax = 16;

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_text(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return (u >= 0x20 && u != 0x7f) || c == '\t';
}

}  // namespace

ChunkedReader::State ChunkedReader::read(std::string_view& bytes, std::string& body) {
  while (!bytes.empty()) {
    if (part_ == Part::data) {
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size()));
      body.append(bytes.substr(0, count));
      bytes.remove_prefix(count);
      remaining_ -= count;
      if (remaining_ == 0) part_ = Part::data_cr;
      continue;
    }
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (++overhead_bytes_ > kOverheadBytesMax + kOverheadBytesPerByte * body.size()) {
      return State::bad;
    }
    const State state = take(c);
    if (state != State::more) return state;
  }
  return State::more;
}

ChunkedReader::State ChunkedReader::take(char c) {
  switch (part_) {
    case Part::size:
      return take_size(c);
    case Part::extension:
      if (c == '\r') {
        part_ = Part::size_lf;
        return State::more;
      }
      return is_text(c) ? State::more : State::bad;
    case Part::size_lf:
      return c == '\n' ? end_size_line() : State::bad;
    case Part::data_cr:
      part_ = Part::data_lf;
      return c == '\r' ? State::more : State::bad;
    case Part::data_lf:
      part_ = Part::size;
      size_digits_ = 0;
      return c == '\n' ? State::more : State::bad;
    case Part::trailer:
      if (c == '\r') {
        part_ = Part::trailer_lf;
        return State::more;
      }
      ++trailer_line_bytes_;
      return is_text(c) ? State::more : State::bad;
    case Part::trailer_lf:
      if (c != '\n') return State::bad;
      if (trailer_line_bytes_ == 0) return State::done;
      trailer_line_bytes_ = 0;
      part_ = Part::trailer;
      return State::more;
    case Part::data:
      break;
  }
  return State::bad;
}

ChunkedReader::State ChunkedReader::take_size(char c) {
  if (const int digit = hex_digit(c); digit >= 0) {
    if (++size_digits_ > kSizeDigitsMax) return State::bad;
    remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
    return State::more;
  }
  if (size_digits_ == 0) return State::bad;
  if (c == '\r') {
    part_ = Part::size_lf;
    return State::more;
  }
  if (c != ';') return State::bad;
  part_ = Part::extension;
  return State::more;
}

ChunkedReader::State ChunkedReader::end_size_line() {
  if (remaining_ == 0) {
    part_ = Part::trailer;
    return State::more;
  }
  if (remaining_ > body_bytes_max_ - body_bytes_) return State::too_large;
  body_bytes_ += remaining_;
  part_ = Part::data;
  return State::more;
}

}  // namespace holdfast::net
