#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <holdfast/delivery/mailboxes.hpp>
#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

/// Makes the text frames of messages in one buffer that is reused.
class FrameEncoder {
 public:
  /// Valid until the next call. Asked again for the same message and format, it answers at once:
  /// several connections of a user receive the same frame.
  [[nodiscard]] std::string_view encode(const Message& message, FrameFormat format);
  /// Gives back what an unusually long message left behind, and forgets the last one.
  void reset();

 private:
  void encode_v1(const Message& message);

  std::string buffer_;
  MessageId last_id_;
  Sequence last_sequence_ = 0;
  FrameFormat last_format_{};
};

/// The sequence of `{"type":"ack","sequence":n}`, the members in either order; nullopt for
/// everything else: other members, other types, signs, fractions, numbers above 2^53.
[[nodiscard]] std::optional<Sequence> parse_ack(std::string_view text) noexcept;

/// What API Gateway answers to a text that no route takes.
[[nodiscard]] std::string forbidden_frame(std::string_view connection_id,
                                          std::string_view request_id);

}  // namespace holdfast::delivery
