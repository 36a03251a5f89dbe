#include "delivery/frame.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::delivery {
namespace {

constexpr std::size_t kKeptBuffer = 16 << 10;

void append_number(std::string& out, std::int64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

/// Reads the few tokens that an acknowledgement is made of.
class AckReader {
 public:
  explicit AckReader(std::string_view text) noexcept : rest_(text) {}

  bool symbol(char c) noexcept {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool string(std::string_view quoted) noexcept {
    skip_space();
    if (!rest_.starts_with(quoted)) return false;
    rest_.remove_prefix(quoted.size());
    return true;
  }
  std::optional<Sequence> number() noexcept {
    skip_space();
    const std::size_t size = std::min(rest_.find_first_not_of("0123456789+-.eE"), rest_.size());
    const auto out = json_integer(rest_.substr(0, size));
    rest_.remove_prefix(size);
    // A sequence is never negative.
    if (!out || *out < 0) return std::nullopt;
    return out;
  }
  bool end() noexcept {
    skip_space();
    return rest_.empty();
  }

 private:
  void skip_space() noexcept {
    const std::size_t first = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(first == std::string_view::npos ? rest_.size() : first);
  }

  std::string_view rest_;
};

}  // namespace

std::string_view FrameEncoder::encode(const Message& message, FrameFormat format) {
  if (format == FrameFormat::raw) return message.payload;
  // A sequence alone would not do: numbers of two users from an earlier process may be equal.
  if (message.sequence == last_sequence_ && message.id == last_id_ && format == last_format_) {
    return buffer_;
  }
  buffer_.clear();
  if (format == FrameFormat::holdfast_v1) {
    encode_v1(message);
  } else {
    buffer_ += R"({"Payload":")";
    append_json_escaped(buffer_, message.payload);
    buffer_ += R"("})";
  }
  last_id_ = message.id;
  last_sequence_ = message.sequence;
  last_format_ = format;
  return buffer_;
}

void FrameEncoder::encode_v1(const Message& message) {
  std::array<char, 36> id;
  message.id.write(id.data());
  buffer_ += R"({"type":"message","messageId":")";
  buffer_.append(id.data(), id.size());
  buffer_ += R"(","sequence":)";
  append_number(buffer_, message.sequence);
  buffer_ += R"(,"timestamp":)";
  append_number(buffer_, unix_millis(message.accepted_at));
  buffer_ += R"(,"payload":")";
  append_json_escaped(buffer_, message.payload);
  buffer_ += R"("})";
}

void FrameEncoder::reset() {
  last_sequence_ = 0;
  if (buffer_.capacity() > kKeptBuffer) buffer_ = {};
}

std::optional<Sequence> parse_ack(std::string_view text) noexcept {
  constexpr std::size_t longest = 256;
  if (text.size() > longest) return std::nullopt;
  AckReader reader(text);
  if (!reader.symbol('{')) return std::nullopt;
  std::optional<Sequence> sequence;
  bool has_type = false;
  for (int member = 0; member < 2; ++member) {
    if (member == 1 && !reader.symbol(',')) return std::nullopt;
    if (!has_type && reader.string(R"("type")")) {
      has_type = reader.symbol(':') && reader.string(R"("ack")");
      if (!has_type) return std::nullopt;
    } else if (!sequence && reader.string(R"("sequence")")) {
      if (!reader.symbol(':')) return std::nullopt;
      sequence = reader.number();
      if (!sequence) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  if (!reader.symbol('}') || !reader.end()) return std::nullopt;
  return sequence;
}

std::string forbidden_frame(std::string_view connection_id, std::string_view request_id) {
  std::string out = R"({"message":"Forbidden","connectionId":")";
  append_json_escaped(out, connection_id);
  out += R"(","requestId":")";
  append_json_escaped(out, request_id);
  out += R"("})";
  return out;
}

}  // namespace holdfast::delivery
