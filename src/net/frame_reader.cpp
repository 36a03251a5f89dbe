// Reads WebSocket frames.

#include "frame_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace holdfast::net {
namespace {

enum Opcode : std::uint8_t { kContinuation, kText, kBinary, kClose = 8, kPing, kPong };

// Limits fragments without a byte in a row, because they bring a message no further.
constexpr std::uint32_t kEmptyFragmentsMax = 64;
constexpr std::size_t kMessageReserveMax = 64 << 10;

// Returns whether a Close may have this code (RFC 6455 section 7.4, and IANA's registry).
bool is_close_code(unsigned code) noexcept {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

std::uint64_t big_endian(std::string_view bytes) noexcept {
  std::uint64_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<std::uint8_t>(c);
  return number;
}

void unmask(std::span<char> bytes, const std::array<char, 4>& mask, std::uint8_t& at) noexcept {
  std::array<char, 8> repeated{};
  for (std::size_t i = 0; i < repeated.size(); ++i) repeated[i] = mask[(at + i) % 4];
  std::uint64_t key = 0;
  std::memcpy(&key, repeated.data(), sizeof(key));
  std::size_t i = 0;
  for (; bytes.size() - i >= 8; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof(word));
    word ^= key;
    std::memcpy(bytes.data() + i, &word, sizeof(word));
  }
  for (; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bytes[i] ^ mask[(at + i) % 4]);
  at = static_cast<std::uint8_t>((at + bytes.size()) % 4);
}

}  // namespace

FrameReader::Event FrameReader::fail(CloseCode code) noexcept {
  error_ = code;
  return Event::bad;
}

FrameReader::Event FrameReader::read(std::span<char>& bytes) {
  if (error_ != CloseCode::normal) return Event::bad;
  payload_ = {};
  done_ = std::string();
  for (;;) {
    if (!in_payload_) {
      while (!take_header(bytes)) {
        if (!start_checked_ && header_size_ >= 2) {
          if (check_start() == Event::bad) return Event::bad;
          continue;
        }
        return Event::more;
      }
      if (check_length() == Event::bad) return Event::bad;
      in_payload_ = true;
    }
    const Event event = take_payload(bytes);
    if (event != Event::more || in_payload_) return event;
  }
}

// Returns true when the header is there. Stops once behind the first two bytes, so that an error in
// them is reported before more is waited for.
bool FrameReader::take_header(std::span<char>& bytes) {
  const std::size_t due = start_checked_ ? header_bytes_due() : 2;
  const std::size_t count = std::min(due - header_size_, bytes.size());
  std::copy_n(bytes.begin(), count, header_.begin() + header_size_);
  header_size_ = static_cast<std::uint8_t>(header_size_ + count);
  bytes = bytes.subspan(count);
  return start_checked_ && header_size_ == due;
}

std::size_t FrameReader::header_bytes_due() const noexcept {
  const unsigned length = static_cast<std::uint8_t>(header_[1]) & 0x7f;
  const std::size_t extended = length == 127 ? 8 : length == 126 ? 2 : 0;
  return 2 + extended + mask_.size();
}

FrameReader::Event FrameReader::check_start() {
  start_checked_ = true;
  const auto first = static_cast<std::uint8_t>(header_[0]);
  const auto second = static_cast<std::uint8_t>(header_[1]);
  fin_ = (first & 0x80) != 0;
  opcode_ = first & 0x0f;
  // No extension was negotiated, and a client must mask (sections 5.1 and 5.2).
  if ((first & 0x70) != 0 || (second & 0x80) == 0) return fail(CloseCode::protocol_error);
  if (is_control()) {
    const bool known = opcode_ <= kPong;
    const bool short_and_whole = fin_ && (second & 0x7f) <= kControlBytesMax;
    return known && short_and_whole ? Event::more : fail(CloseCode::protocol_error);
  }
  if (opcode_ > kBinary || (opcode_ == kContinuation) != in_message_) {
    return fail(CloseCode::protocol_error);
  }
  if (opcode_ == kBinary && !binary_allowed_) return fail(CloseCode::unsupported_data);
  return Event::more;
}

FrameReader::Event FrameReader::check_length() {
  const std::size_t extended = header_size_ - 2 - mask_.size();
  left_ = static_cast<std::uint8_t>(header_[1]) & 0x7f;
  if (extended > 0) {
    left_ = big_endian({header_.data() + 2, extended});
    // Only the shortest form of a length is allowed (section 5.2).
    if (left_ < (extended == 2 ? 126U : 65'536U)) return fail(CloseCode::protocol_error);
  }
  std::copy_n(header_.begin() + 2 + static_cast<std::ptrdiff_t>(extended), mask_.size(),
              mask_.begin());
  mask_at_ = 0;
  header_size_ = 0;
  start_checked_ = false;
  return is_control() ? Event::more : check_data_length();
}

FrameReader::Event FrameReader::check_data_length() {
  if (!in_message_) {
    message_is_text_ = opcode_ == kText;
    message_bytes_ = 0;
    empty_fragments_ = 0;
    utf8_ = {};
  }
  in_message_ = true;
  if (left_ > message_bytes_max_ - message_bytes_) return fail(CloseCode::too_big);
  message_bytes_ += left_;
  if (left_ > 0) {
    empty_fragments_ = 0;
  } else if (!fin_ && ++empty_fragments_ > kEmptyFragmentsMax) {
    return fail(CloseCode::policy_violation);
  }
  return Event::more;
}

FrameReader::Event FrameReader::take_payload(std::span<char>& bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  const std::span<char> part = bytes.first(count);
  bytes = bytes.subspan(count);
  left_ -= count;
  unmask(part, mask_, mask_at_);
  const std::string_view text(part.data(), part.size());
  if (!is_control() && message_is_text_ && !utf8_.take(text)) {
    return fail(CloseCode::invalid_payload);
  }
  if (left_ == 0) return end_frame(text);
  std::string& kept = is_control() ? control_ : message_;
  if (kept.empty()) {
    kept.reserve(
        static_cast<std::size_t>(std::min<std::uint64_t>(left_ + count, kMessageReserveMax)));
  }
  kept.append(text);
  return Event::more;
}

FrameReader::Event FrameReader::end_frame(std::string_view part) {
  in_payload_ = false;
  if (is_control()) return end_control(part);
  if (!fin_) {
    message_.append(part);
    return Event::more;
  }
  if (message_is_text_ && !utf8_.is_whole()) return fail(CloseCode::invalid_payload);
  in_message_ = false;
  finish(message_, part);
  return message_is_text_ ? Event::text : Event::binary;
}

// Completes a payload. One that came whole is not copied.
void FrameReader::finish(std::string& kept, std::string_view last) {
  payload_ = last;
  if (kept.empty()) return;
  kept.append(last);
  done_ = std::exchange(kept, std::string());
  payload_ = done_;
}

FrameReader::Event FrameReader::end_control(std::string_view part) {
  finish(control_, part);
  switch (opcode_) {
    case kPing:
      return Event::ping;
    case kPong:
      return Event::pong;
    default:
      return check_close();
  }
}

FrameReader::Event FrameReader::check_close() {
  if (payload_.empty()) return Event::close;
  if (payload_.size() < 2) return fail(CloseCode::protocol_error);
  if (!is_close_code(static_cast<unsigned>(big_endian(payload_.substr(0, 2))))) {
    return fail(CloseCode::protocol_error);
  }
  Utf8Check reason;
  if (!reason.take(payload_.substr(2)) || !reason.is_whole()) {
    return fail(CloseCode::invalid_payload);
  }
  return Event::close;
}

}  // namespace holdfast::net
