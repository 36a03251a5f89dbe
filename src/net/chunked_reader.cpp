// Reads chunked bodies.

#include "chunked_reader.hpp"

#include <algorithm>
#include <string_view>

#include <holdfast/base/ascii.hpp>

#include "http_head.hpp"

namespace holdfast::net {
namespace {

// Limits size lines, extensions and trailers together, however many chunks a body has. A chunk of
// one byte costs five of these bytes.
constexpr std::size_t kOverheadBytesMax = 16 << 10;
constexpr std::size_t kOverheadBytesPerByte = 8;
constexpr std::size_t kSizeDigitsMax = 16;
constexpr std::size_t kTrailersMax = 100;

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
      return take_trailer(c);
    case Part::trailer_lf:
      return c == '\n' ? end_trailer() : State::bad;
    case Part::data:
      return State::bad;
    default:
      return take_extension(c);
  }
}

ChunkedReader::State ChunkedReader::take_size(char c) {
  if (const int digit = ascii::hex_value(c); digit >= 0) {
    if (++size_digits_ > kSizeDigitsMax) return State::bad;
    remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
    return State::more;
  }
  if (size_digits_ == 0) return State::bad;
  if (c == '\r') {
    part_ = Part::size_lf;
    return State::more;
  }
  part_ = Part::after_size;
  return take_extension(c);
}

// Takes `;name`, `;name=value` or `;name="value"`, each any number of times (section 7.1.1).
ChunkedReader::State ChunkedReader::take_extension(char c) {
  const bool space = c == ' ' || c == '\t';
  const bool token = ascii::is_token({&c, 1});
  switch (part_) {
    case Part::after_size:
      // White space here is a sender's mistake that must be accepted, before a `;` alone.
      if (c == ';') part_ = Part::name_start;
      return space || c == ';' ? State::more : State::bad;
    case Part::name_start:
      if (token) part_ = Part::name;
      return token || space ? State::more : State::bad;
    case Part::name:
      return token ? State::more : end_extension(c, Part::after_name);
    case Part::after_name:
      return space ? State::more : end_extension(c, Part::after_name);
    case Part::value_start:
      if (token) part_ = Part::value;
      if (c == '"') part_ = Part::quoted;
      return token || space || c == '"' ? State::more : State::bad;
    case Part::value:
      return token ? State::more : end_extension(c, Part::after_value);
    case Part::quoted:
      if (c == '"') part_ = Part::quoted_end;
      if (c == '\\') part_ = Part::quoted_pair;
      return is_text(c) ? State::more : State::bad;
    case Part::quoted_pair:
      part_ = Part::quoted;
      return is_text(c) ? State::more : State::bad;
    case Part::quoted_end:
      return end_extension(c, Part::after_value);
    default:
      return space ? State::more : end_extension(c, Part::after_value);
  }
}

ChunkedReader::State ChunkedReader::end_extension(char c, Part otherwise) {
  const bool named = otherwise == Part::after_name;
  // White space stands between two parts, never at the end.
  if (c == '\r' && part_ != otherwise) {
    part_ = Part::size_lf;
  } else if (c == ';') {
    part_ = Part::name_start;
  } else if (c == '=' && named) {
    part_ = Part::value_start;
  } else if (c == ' ' || c == '\t') {
    part_ = otherwise;
  } else {
    return State::bad;
  }
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

ChunkedReader::State ChunkedReader::take_trailer(char c) {
  if (c == '\r') {
    part_ = Part::trailer_lf;
    return State::more;
  }
  trailer_ += c;
  return is_text(c) ? State::more : State::bad;
}

// Checks a trailer as a header field (section 7.1.2), and drops it.
ChunkedReader::State ChunkedReader::end_trailer() {
  part_ = Part::trailer;
  if (trailer_.empty()) return State::done;
  const std::string_view line = trailer_;
  const std::size_t colon = line.find(':');
  const bool good = ++trailers_ <= kTrailersMax && colon != line.npos &&
                    ascii::is_token(line.substr(0, colon)) &&
                    is_field_value(line.substr(colon + 1));
  trailer_.clear();
  return good ? State::more : State::bad;
}

}  // namespace holdfast::net
