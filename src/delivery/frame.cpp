// Encodes a message's frame once for all connections of a protocol.

#include "frame.hpp"

#include <holdfast/base/encoding.hpp>

namespace holdfast::delivery {
namespace {

constexpr std::size_t kKeptBuffer = 16 << 10;

}  // namespace

std::string_view FrameEncoder::encode(const Message& message, ClientProtocol& protocol) {
  const std::uint32_t key = protocol.frame_key();
  if (key == 0) {
    unkept_.clear();
    return protocol.encode(message, unkept_);
  }
  // A sequence alone would not do: numbers of two users from an earlier process may be equal.
  if (message.sequence == last_sequence_ && message.id == last_id_ && key == last_key_) {
    return frame_;
  }
  buffer_.clear();
  frame_ = protocol.encode(message, buffer_);
  last_id_ = message.id;
  last_sequence_ = message.sequence;
  last_key_ = key;
  return frame_;
}

void FrameEncoder::reset() {
  last_sequence_ = 0;
  frame_ = {};
  for (std::string* const buffer : {&buffer_, &unkept_}) {
    if (buffer->capacity() > kKeptBuffer) *buffer = {};
  }
}

ClientText answer_unrecognized(const ProtocolContext& context, Frames& out) {
  std::string frame = R"({"message":"Forbidden","connectionId":")";
  append_json_escaped(frame, context.connection_id);
  frame += R"(","requestId":")";
  append_json_escaped(frame, generate_uuid());
  frame += R"("})";
  out.push_back(std::move(frame));
  return {.unrecognized = true};
}

}  // namespace holdfast::delivery
