// The registry: which protocols there are, and how a client comes to each.

#include <array>

#include <holdfast/delivery/client_protocol.hpp>

namespace holdfast::delivery {
namespace {

struct Subprotocol {
  std::string_view name;
  MakeProtocol make;
};

/// The protocols that clients may ask for.
constexpr std::array kSubprotocols{Subprotocol{"holdfast.v1", &holdfast_v1_protocol}};

}  // namespace

ProtocolPtr plain_protocol(FrameFormat format) {
  return format == FrameFormat::raw ? raw_protocol() : payload_protocol();
}

ProtocolPtr find_subprotocol(std::string_view name) {
  for (const Subprotocol& known : kSubprotocols) {
    if (known.name == name) return known.make();
  }
  return nullptr;
}

std::vector<ProtocolPtr> client_protocols() {
  std::vector<ProtocolPtr> out;
  out.push_back(payload_protocol());
  out.push_back(raw_protocol());
  for (const Subprotocol& known : kSubprotocols) out.push_back(known.make());
  return out;
}

}  // namespace holdfast::delivery
