#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <holdfast/delivery/client_protocol.hpp>
#include <holdfast/delivery/connection.hpp>
#include <holdfast/delivery/mailboxes.hpp>

#include "execution_ring.hpp"
#include "failed_attempts.hpp"
#include "fence_window.hpp"
#include "ring.hpp"
#include "send_unsent_messages.hpp"

namespace holdfast::delivery {

class Mailbox;
class ShardContext;

/// One connection's place in its user's log: how far it has been sent, what it has not
/// acknowledged, its fences. It hears the connection's events and hands them to the mailbox.
class Cursor final : public ConnectionEvents {
 public:
  enum class State : std::uint8_t {
    attached,  ///< registered, not started: receives nothing yet
    open,
    close_pending,  ///< receives no more, and is closed when its fences are back
    closing,        ///< the Close is sent; Pongs still count
    ended,          ///< no longer of the mailbox; waits for `on_closed`
  };
  /// Says where a message comes from that is sent.
  enum class Source : std::uint8_t { tail, store };

  Cursor(ShardContext& shard, Mailbox& mailbox, const ConnectionInfo& info, ProtocolPtr protocol,
         std::shared_ptr<Connection> connection);

  void on_fence(std::string_view bytes) override;
  void on_text(std::string_view text) override;
  void on_closed(const ConnectionEnd& end) override;

  // ---- identity
  [[nodiscard]] std::string_view id() const noexcept { return detail(0); }
  /// Until it is ended.
  [[nodiscard]] const UserId& user() const noexcept;
  [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }
  /// Until it is ended.
  [[nodiscard]] Mailbox& mailbox() noexcept { return *mailbox_; }
  [[nodiscard]] Connection& connection() noexcept { return *connection_; }
  [[nodiscard]] ConnectionInfo info() const;
  [[nodiscard]] WallTime connected_at() const noexcept { return connected_at_; }
  /// To the second.
  [[nodiscard]] BootTime opened_at() const noexcept { return BootTime(Seconds(opened_s_)); }
  /// Through which it was opened; empty when that is not known.
  [[nodiscard]] std::string_view login() const noexcept { return detail(4); }

  // ---- the log
  [[nodiscard]] Sequence position() const noexcept { return position_; }
  void move_to(Sequence position) noexcept {
    if (position > position_) position_ = position;
  }
  [[nodiscard]] Proof proof() const noexcept { return protocol_->proof(); }
  /// Its protocol takes messages now.
  [[nodiscard]] bool delivers() const noexcept { return protocol_->delivers(); }
  /// Room for one more message that is sent and not acknowledged.
  [[nodiscard]] bool has_credit() const noexcept;
  [[nodiscard]] std::size_t credit_messages() const noexcept;
  [[nodiscard]] std::size_t page_bytes() const noexcept;
  /// It was sent this and has not acknowledged it.
  [[nodiscard]] bool is_unacked(Sequence sequence) const noexcept;
  /// Writes the message's frame; the flush comes at the end of the turn.
  void send(const Message& message, Source source);
  /// Writes a text that is no message. False when what was posted before waits for the client.
  [[nodiscard]] bool post(std::string_view text);
  /// Everything sent up to `sequence` is acknowledged; answers the last of it, 0 if there was none.
  /// What is at or below `known` was acknowledged by another connection before.
  [[nodiscard]] Sequence settle(Sequence sequence, Sequence known);
  /// Calls `each` with the id and sequence of what it was sent up to `sequence` and has not
  /// acknowledged, in order, but for what was rejected.
  template <class Each>
  void for_each_unacked(Sequence sequence, const Each& each) const;
  /// The message was not accepted after all.
  void mark_rejected(Sequence sequence) noexcept;
  /// An acknowledgement is not likely to come within `ack_wait`.
  [[nodiscard]] bool slow() const noexcept;

  // ---- fences
  /// A Ping behind what has none yet, if one more may be in flight; `idle`: in any case.
  void fence(bool idle = false);
  /// Returns whether all it was sent is acknowledged, as far as a Pong or an ack can still come.
  [[nodiscard]] bool quiet() const noexcept;
  /// Called now and then: does what its protocol has due, pings when idle, gives memory back. True
  /// when there was no progress for too long.
  [[nodiscard]] bool sweep();

  /// Where the log begins for it: it is open.
  void begin_at(Sequence position) noexcept;
  /// Sends what its protocol begins with.
  void greet();
  /// Its user's connections have failed at messages: it is asked for a sign of life first, and what
  /// is at or below `alone_to` goes one by one.
  void take_care(Sequence alone_to);
  /// It was asked for a sign of life before its first message.
  [[nodiscard]] bool is_careful() const noexcept { return careful_; }
  /// Where it ended in the log, when that was at a message that was sent to it. What is at or below
  /// `settled` is acknowledged.
  [[nodiscard]] std::optional<EndedAt> ended_at(const ConnectionEnd& end, Sequence settled) const;
  /// The first that it was sent and has not acknowledged; 0 when there is none. What is at or below
  /// `settled` is acknowledged.
  [[nodiscard]] Sequence first_unacked(Sequence settled) const noexcept;
  /// Returns whether the server has not begun to close it.
  [[nodiscard]] bool stays() const noexcept {
    return state == State::attached || state == State::open;
  }
  /// The longest frame that it has acknowledged.
  [[nodiscard]] std::uint32_t longest_taken() const noexcept { return longest_taken_; }
  /// The id of a message that it was sent and has not acknowledged.
  [[nodiscard]] std::optional<MessageId> id_of(Sequence sequence) const;
  /// The mailbox has let it go.
  void detach() noexcept;
  /// Ends a connection that breaks the rules.
  void close_for_violation(CloseReason reason, std::string_view text);
  /// Fences, and hands everything to the kernel.
  void flush();

  State state = State::attached;
  SendUnsentMessages unsent;
  ExecutionRing::Handle execution;
  bool dirty = false;       ///< is in the shard's list of those to flush
  std::uint32_t index = 0;  ///< in the shard's list of all

 private:
  struct Unacked {
    Sequence sequence = 0;
    std::uint64_t end = 0;  ///< of its frame, in bytes written
    WallTime accepted_at;
    std::uint32_t bytes : 30 = 0;
    std::uint32_t rejected : 1 = 0;
    std::uint32_t from_store : 1 = 0;  ///< it was read from the store
    std::uint32_t sent_ms = 0;
    MessageId id;
  };

  /// Messages and fences under way. An idle connection has none: there are many of those.
  struct Window {
    Window(std::uint64_t nonce, std::uint64_t sent) noexcept
        : written(sent), answered(sent), fences(nonce) {}

    Ring<Unacked> unacked;
    std::size_t unacked_bytes = 0;
    std::uint64_t posted = 0;  ///< the end of the last text posted, in bytes written
    std::uint64_t written;     ///< of the last text, likewise
    std::uint64_t answered;    ///< of the last that a Pong came back for
    Sequence alone_to = 0;     ///< up to here one message goes at a time
    FenceWindow fences;
  };

  /// Returns whether the next message waits for those before it.
  [[nodiscard]] bool one_by_one() const noexcept;
  [[nodiscard]] Microseconds patience(std::uint64_t arrived) const noexcept;
  void on_ack(Sequence sequence);
  [[nodiscard]] bool is_flood();
  [[nodiscard]] ProtocolContext context() const noexcept;
  void write(const Frames& frames);
  /// Answers the offset of its end. Aborts a connection that has no room for it.
  std::uint64_t write_text(std::string_view text);
  /// The protocol may have begun, or ceased, to take messages.
  void look_at_delivery(bool delivered);
  void tick();
  [[nodiscard]] Window& window();
  [[nodiscard]] std::size_t unacked_messages() const noexcept;
  [[nodiscard]] std::size_t unacked_bytes() const noexcept;
  [[nodiscard]] std::size_t fences() const noexcept;
  [[nodiscard]] std::uint64_t posted_bytes_waiting() const noexcept;
  [[nodiscard]] const Unacked* last_up_to(Sequence sequence) const noexcept;
  [[nodiscard]] std::string_view detail(int n) const noexcept;
  [[nodiscard]] std::size_t fence_bytes() const noexcept;
  void mark_dirty();
  void count_acknowledged(const Unacked& message) noexcept;
  void measure(std::uint32_t sent_ms) noexcept;
  [[nodiscard]] std::uint32_t now_ms() const noexcept;
  [[nodiscard]] std::uint32_t now_us() const noexcept;

  ShardContext& shard_;
  Mailbox* mailbox_;
  std::shared_ptr<Connection> connection_;
  const ProtocolPtr protocol_;
  std::unique_ptr<char[]> details_;  ///< id, username, address and agent, each behind its length
  WallTime connected_at_;
  std::uint64_t serial_;

  Sequence position_ = 0;
  Sequence sent_ = 0;  ///< the last one sent
  std::unique_ptr<Window> window_;
  std::uint32_t page_bytes_;
  std::uint32_t longest_taken_ = 0;
  std::uint32_t unfenced_bytes_ = 0;
  bool unfenced_ = false;
  bool careful_ = false;
  std::uint8_t fences_back_ = 0;        ///< acknowledged ones, as far as they are counted
  bool taken_known_ = false;            ///< `bytes_taken_` was looked up since the last progress
  std::uint32_t round_trip_ms_x8_ = 0;  ///< smoothed
  std::uint32_t texts_ = 0;             ///< that were unrecognized, less what time forgave
  std::uint32_t texts_since_ms_ = 0;
  std::uint32_t opened_s_;   ///< boot time
  std::uint32_t active_ms_;  ///< when it last said something or was sent something
  std::uint64_t bytes_taken_ = 0;
  SteadyTime progress_at_;
  SteadyTime ping_at_;
};

template <class Each>
void Cursor::for_each_unacked(Sequence sequence, const Each& each) const {
  if (!window_) return;
  const Ring<Unacked>& unacked = window_->unacked;
  for (std::size_t i = 0; i < unacked.size() && unacked[i].sequence <= sequence; ++i) {
    if (unacked[i].rejected == 0) each(unacked[i].id, unacked[i].sequence);
  }
}

}  // namespace holdfast::delivery
