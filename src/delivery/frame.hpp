#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <holdfast/delivery/client_protocol.hpp>
#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

/// Of protocols whose frames are the same for all of a user's connections; see `frame_key`.
namespace frame_key {
inline constexpr std::uint32_t kPayload = 1;
inline constexpr std::uint32_t kHoldfastV1 = 2;
}  // namespace frame_key

/// Has protocols make the frames of messages, in buffers that are reused.
class FrameEncoder {
 public:
  /// Valid until the next call, and while the message lives. Asked again for the same message and
  /// key, it answers at once: several connections of a user receive the same frame.
  [[nodiscard]] std::string_view encode(const Message& message, ClientProtocol& protocol);
  /// Gives back what an unusually long message left behind, and forgets the last one.
  void reset();

 private:
  std::string buffer_;
  std::string unkept_;  ///< for frames without a key, which leave the last one in place
  std::string_view frame_;
  MessageId last_id_;
  Sequence last_sequence_ = 0;
  std::uint32_t last_key_ = 0;
};

/// Answers a text that no protocol knows as API Gateway answers what has no route.
[[nodiscard]] ClientText answer_unrecognized(const ProtocolContext& context, Frames& out);

}  // namespace holdfast::delivery
