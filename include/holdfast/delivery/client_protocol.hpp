#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/delivery/connection.hpp>
#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

/// Proof that a client has received the messages of its connection.
enum class Proof : std::uint8_t {
  fence,   ///< the Pong to the Ping behind them
  client,  ///< the client's own word
};

/// Text frames to write, in order.
using Frames = std::vector<std::string>;

/// A connection's state, which a protocol is given with each call.
struct ProtocolContext {
  std::string_view connection_id;
  SteadyTime now;
};

/// Why a connection is to be closed.
struct Violation {
  CloseReason reason{};
  std::string_view text;  ///< for people
};

/// The meaning of a client's text.
struct ClientText {
  /// Everything up to it. The mailbox judges whether this connection was sent that at all.
  std::optional<Sequence> acknowledges{};
  bool unrecognized = false;  ///< nothing of this protocol; many are a flood, which is not answered
  std::optional<Violation> violation{};
};

/// The language of a connection: what goes over it, and what a client's texts mean. It knows
/// neither the log nor the socket, and no clock but what it is told. On the mailbox's shard; one
/// that is shared belongs to all connections and shards at once, so it has no state.
class ClientProtocol {
 public:
  /// Facts of the protocol that never change.
  struct Traits {
    std::string_view name;
    Proof proof = Proof::fence;
    /// Protocols with equal keys make equal frames of a message, which is then encoded once for all
    /// of a user's connections; 0: never so.
    std::uint32_t frame_key = 0;
    bool shared = true;
  };

  virtual ~ClientProtocol() = default;
  ClientProtocol(const ClientProtocol&) = delete;
  ClientProtocol& operator=(const ClientProtocol&) = delete;

  [[nodiscard]] std::string_view name() const noexcept { return traits_.name; }
  [[nodiscard]] Proof proof() const noexcept { return traits_.proof; }
  [[nodiscard]] std::uint32_t frame_key() const noexcept { return traits_.frame_key; }
  [[nodiscard]] bool is_shared() const noexcept { return traits_.shared; }
  /// The connection takes messages now. While it does not, nothing waits for it; when it begins to,
  /// it begins behind what is acknowledged.
  [[nodiscard]] bool delivers() const noexcept { return delivers_; }

  /// Returns the frames that go before the first message.
  virtual void open(const ProtocolContext& /*context*/, Frames& /*out*/) {}
  /// One message's frame: made in `buffer`, which is empty, or a part of the message itself.
  [[nodiscard]] virtual std::string_view encode(const Message& message, std::string& buffer) = 0;
  /// Takes a text of the client: complete, valid UTF-8, and otherwise whatever it may be. `out` is
  /// the answer.
  [[nodiscard]] virtual ClientText read(std::string_view text, const ProtocolContext& context,
                                        Frames& out) = 0;
  /// Called about every second while the connection is open: what is due, or why it is to be
  /// closed.
  [[nodiscard]] virtual std::optional<Violation> tick(const ProtocolContext& /*context*/,
                                                      Frames& /*out*/) {
    return std::nullopt;
  }

 protected:
  constexpr explicit ClientProtocol(const Traits& traits) noexcept : traits_(traits) {}
  /// In `read` and `tick`. Not for one that is shared.
  void set_delivers(bool delivers) noexcept { delivers_ = delivers; }

 private:
  Traits traits_;
  bool delivers_ = true;
};

/// A connection's protocol: its own, or one that is shared.
struct LetGoOfProtocol {
  void operator()(ClientProtocol* protocol) const noexcept {
    if (!protocol->is_shared()) delete protocol;
  }
};
using ProtocolPtr = std::unique_ptr<ClientProtocol, LetGoOfProtocol>;
using MakeProtocol = ProtocolPtr (*)();

/// `{"Payload":"<message>"}`, the cloud system's.
[[nodiscard]] ProtocolPtr payload_protocol();
/// The bare text.
[[nodiscard]] ProtocolPtr raw_protocol();
/// Subprotocol `holdfast.v1`: ids, sequence, acknowledgements by the client.
[[nodiscard]] ProtocolPtr holdfast_v1_protocol();

/// Creates the protocol of clients that ask for no subprotocol.
enum class FrameFormat : std::uint8_t { payload, raw };
[[nodiscard]] ProtocolPtr plain_protocol(FrameFormat format);
/// Creates the protocol of this name; null when there is none.
[[nodiscard]] ProtocolPtr find_subprotocol(std::string_view name);
/// One of each, for tests.
[[nodiscard]] std::vector<ProtocolPtr> client_protocols();

}  // namespace holdfast::delivery
