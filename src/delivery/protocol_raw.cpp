// The bare text of messages, for clients that know nothing of Holdfast.

#include <holdfast/delivery/client_protocol.hpp>

#include "frame.hpp"

namespace holdfast::delivery {
namespace {

class RawProtocol final : public ClientProtocol {
 public:
  // No key: there is nothing to make.
  RawProtocol() : ClientProtocol({.name = "raw"}) {}

  std::string_view encode(const Message& message, std::string& /*buffer*/) override {
    return message.payload;
  }
  ClientText read(std::string_view /*text*/, const ProtocolContext& context, Frames& out) override {
    return answer_unrecognized(context, out);
  }
};

}  // namespace

ProtocolPtr raw_protocol() {
  static RawProtocol protocol;
  return ProtocolPtr(&protocol);
}

}  // namespace holdfast::delivery
