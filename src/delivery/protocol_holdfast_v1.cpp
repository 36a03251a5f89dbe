// The subprotocol `holdfast.v1`, for clients that acknowledge what they have processed.

#include <algorithm>
#include <array>
#include <charconv>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/delivery/client_protocol.hpp>

#include "frame.hpp"

namespace holdfast::delivery {
namespace {

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

/// The sequence of `{"type":"ack","sequence":n}`, the members in either order; nullopt for
/// everything else: other members, other types, signs, fractions, numbers above 2^53.
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

class HoldfastV1Protocol final : public ClientProtocol {
 public:
  HoldfastV1Protocol()
      : ClientProtocol(
            {.name = "holdfast.v1", .proof = Proof::client, .frame_key = frame_key::kHoldfastV1}) {}

  std::string_view encode(const Message& message, std::string& buffer) override {
    std::array<char, 36> id;
    message.id.write(id.data());
    buffer += R"({"type":"message","messageId":")";
    buffer.append(id.data(), id.size());
    buffer += R"(","sequence":)";
    append_number(buffer, message.sequence);
    buffer += R"(,"timestamp":)";
    append_number(buffer, unix_millis(message.accepted_at));
    buffer += R"(,"payload":")";
    append_json_escaped(buffer, message.payload);
    buffer += R"("})";
    return buffer;
  }
  ClientText read(std::string_view text, const ProtocolContext& context, Frames& out) override {
    if (const auto sequence = parse_ack(text)) return {.acknowledges = sequence};
    return answer_unrecognized(context, out);
  }
};

}  // namespace

ProtocolPtr holdfast_v1_protocol() {
  static HoldfastV1Protocol protocol;
  return ProtocolPtr(&protocol);
}

}  // namespace holdfast::delivery
