// The cloud system's frame, for clients that know nothing of Holdfast.

#include <holdfast/base/encoding.hpp>
#include <holdfast/delivery/client_protocol.hpp>

#include "frame.hpp"

namespace holdfast::delivery {
namespace {

class PayloadProtocol final : public ClientProtocol {
 public:
  PayloadProtocol() : ClientProtocol({.name = "payload", .frame_key = frame_key::kPayload}) {}

  std::string_view encode(const Message& message, std::string& buffer) override {
    buffer += R"({"Payload":")";
    append_json_escaped(buffer, message.payload);
    buffer += R"("})";
    return buffer;
  }
  ClientText read(std::string_view /*text*/, const ProtocolContext& context, Frames& out) override {
    return answer_unrecognized(context, out);
  }
};

}  // namespace

ProtocolPtr payload_protocol() {
  static PayloadProtocol protocol;
  return ProtocolPtr(&protocol);
}

}  // namespace holdfast::delivery
