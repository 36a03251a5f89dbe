#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/delivery/connection.hpp>

namespace holdfast::test {

/// A WebSocket without a network. What is flushed lies in `sent` until a client takes it.
class FakeConnection final : public delivery::Connection,
                             public std::enable_shared_from_this<FakeConnection> {
 public:
  enum class Kind : std::uint8_t { text, ping, close };
  struct Frame {
    Kind kind{};
    std::string bytes;
    delivery::CloseReason reason{};
  };

  void start(delivery::ConnectionEvents& events) override { events_ = &events; }
  WriteResult write_text(std::string_view frame) override {
    using State = WriteResult::State;
    if (ended_ || aborted || closing) return {.end = bytes_written_, .state = State::closed};
    if (bytes_written_ - bytes_sent_ + frame.size() > waiting_bytes_max) {
      return {.end = bytes_written_, .state = State::backpressure};
    }
    ++texts_written;
    if (on_text_written) on_text_written(frame);
    return {.end = write({Kind::text, std::string(frame), {}}), .state = State::ok};
  }
  bool can_fence() const noexcept override { return fences; }
  void write_fence(std::string_view bytes) override {
    ++pings_written;
    if (on_ping_written) on_ping_written(bytes);
    write({Kind::ping, std::string(bytes), {}});
  }
  void flush() override {
    ++flushes;
    if (!blocked) hand_over();
  }
  std::uint64_t bytes_sent() const override { return bytes_sent_; }
  std::uint64_t bytes_taken() const override { return bytes_taken_; }
  std::uint64_t bytes_arrived() const override { return bytes_taken_; }
  void close(delivery::CloseReason reason, std::string_view text) override {
    if (closing) return;
    closing = true;
    close_reason = reason;
    write({Kind::close, std::string(text), reason});
    flush();
  }
  void abort() override { aborted = true; }

  // ---- the test's side

  /// The kernel's buffer has room again, or is full.
  void set_blocked(bool block) {
    blocked = block;
    if (!blocked) hand_over();
  }
  /// The peer's kernel has taken everything that was handed over.
  void take_bytes() { bytes_taken_ = bytes_sent_; }
  void take_bytes(std::uint64_t count) {
    bytes_taken_ = std::min(bytes_sent_, bytes_taken_ + count);
  }

  [[nodiscard]] bool started() const noexcept { return events_ != nullptr; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  void pong(std::string_view bytes) {
    if (live() && !aborted) events_->on_fence(bytes);
  }
  void text(std::string_view bytes) {
    if (live() && !aborted) events_->on_text(bytes);
  }
  /// The connection is gone; nothing comes after.
  void end(const delivery::ConnectionEnd& how = {}) {
    if (!live()) return;
    ended_ = true;
    const auto keep = shared_from_this();  // whoever owns it may let go of it now
    events_->on_closed(how);
  }
  /// The client ends it with a Close of this code.
  void close_by_client(std::uint16_t code) {
    end({.by = delivery::ConnectionEnd::By::client, .code = code});
  }

  std::deque<Frame> sent;  ///< handed to the kernel, not yet seen by the client
  bool blocked = false;
  bool closing = false;
  bool aborted = false;
  bool fences = true;
  std::size_t waiting_bytes_max = SIZE_MAX;  ///< beyond it a text is not taken
  std::optional<delivery::CloseReason> close_reason;
  std::size_t texts_written = 0;
  std::size_t pings_written = 0;
  std::size_t flushes = 0;
  std::function<void(std::string_view)> on_text_written;
  std::function<void(std::string_view)> on_ping_written;

 private:
  [[nodiscard]] bool live() const noexcept { return events_ != nullptr && !ended_; }
  std::uint64_t write(Frame frame) {
    if (ended_ || aborted) return bytes_written_;
    bytes_written_ += frame.bytes.size() + 2;
    gathered_.push_back(std::move(frame));
    return bytes_written_;
  }
  void hand_over() {
    for (Frame& frame : gathered_) sent.push_back(std::move(frame));
    gathered_.clear();
    bytes_sent_ = bytes_written_;
  }

  delivery::ConnectionEvents* events_ = nullptr;
  std::deque<Frame> gathered_;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_taken_ = 0;
  bool ended_ = false;
};

/// Acts as a WebSocket client's stack: takes frames in order, keeps texts, answers Pings.
class ScriptedClient {
 public:
  explicit ScriptedClient(std::shared_ptr<FakeConnection> connection)
      : connection_(std::move(connection)) {}

  /// Takes everything that was sent, answering each Ping at once. A Close ends the connection.
  void run() {
    while (take_one()) {
    }
  }
  /// Takes everything, answers nothing.
  void read() {
    while (!connection_->sent.empty()) {
      auto frame = std::move(connection_->sent.front());
      connection_->sent.pop_front();
      keep(frame);
    }
    connection_->take_bytes();
  }
  /// Answers the Pings that `read` left.
  void answer_pings() {
    for (const std::string& ping : std::exchange(pings, {})) connection_->pong(ping);
  }

  [[nodiscard]] FakeConnection& connection() noexcept { return *connection_; }

  std::vector<std::string> texts;
  std::vector<std::string> pings;  ///< not answered yet

 private:
  bool take_one() {
    if (connection_->sent.empty()) return false;
    const auto frame = std::move(connection_->sent.front());
    connection_->sent.pop_front();
    connection_->take_bytes();
    keep(frame);
    answer_pings();
    if (frame.kind == FakeConnection::Kind::close) connection_->end();
    return true;
  }
  void keep(const FakeConnection::Frame& frame) {
    if (frame.kind == FakeConnection::Kind::text) texts.push_back(frame.bytes);
    if (frame.kind == FakeConnection::Kind::ping) pings.push_back(frame.bytes);
  }

  std::shared_ptr<FakeConnection> connection_;
};

}  // namespace holdfast::test
