#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "close_code.hpp"
#include "utf8_check.hpp"

namespace holdfast::net {

/// Reads the frames of a WebSocket client (RFC 6455 section 5), strictly, in pieces of any size.
/// Holds no memory between messages.
class FrameReader {
 public:
  enum class Event : std::uint8_t {
    more,  ///< all bytes are taken, and nothing is complete
    text,
    binary,
    ping,
    pong,
    close,
    bad,  ///< end the connection with `error`; nothing more is read
  };

  /// `binary_allowed`: a binary message is no error.
  explicit FrameReader(std::size_t message_bytes_max, bool binary_allowed = false)
      : message_bytes_max_(message_bytes_max), binary_allowed_(binary_allowed) {}

  void allow_binary() noexcept { binary_allowed_ = true; }

  /// Takes bytes from the front of `bytes` until something is complete. Unmasks them in place.
  [[nodiscard]] Event read(std::span<char>& bytes);
  /// Returns the payload of the complete message or control frame. Valid until the next call.
  [[nodiscard]] std::string_view payload() const noexcept { return payload_; }
  [[nodiscard]] CloseCode error() const noexcept { return error_; }
  /// Returns whether a frame or a message has begun and is not complete.
  [[nodiscard]] bool is_within() const noexcept {
    return header_size_ > 0 || in_payload_ || in_message_;
  }

 private:
  static constexpr std::size_t kHeaderBytesMax = 14;
  static constexpr std::size_t kControlBytesMax = 125;

  [[nodiscard]] Event fail(CloseCode code) noexcept;
  [[nodiscard]] bool is_control() const noexcept { return (opcode_ & 0x8) != 0; }
  bool take_header(std::span<char>& bytes);
  [[nodiscard]] std::size_t header_bytes_due() const noexcept;
  [[nodiscard]] Event check_start();
  [[nodiscard]] Event check_length();
  [[nodiscard]] Event check_data_length();
  [[nodiscard]] Event take_payload(std::span<char>& bytes);
  [[nodiscard]] Event end_frame(std::string_view part);
  void finish(std::string& kept, std::string_view last);
  [[nodiscard]] Event end_control(std::string_view part);
  [[nodiscard]] Event check_close();

  std::size_t message_bytes_max_;
  bool binary_allowed_;

  std::array<char, kHeaderBytesMax> header_{};
  std::uint8_t header_size_ = 0;
  bool start_checked_ = false;
  bool in_payload_ = false;
  bool fin_ = false;
  std::uint8_t opcode_ = 0;
  std::uint64_t left_ = 0;  ///< of the frame's payload
  std::array<char, 4> mask_{};
  std::uint8_t mask_at_ = 0;

  bool in_message_ = false;  ///< fragments are to come
  bool message_is_text_ = false;
  Utf8Check utf8_;
  std::uint64_t message_bytes_ = 0;    ///< including the lengths that its frames announced
  std::uint32_t empty_fragments_ = 0;  ///< since its last byte
  std::string message_;                ///< the bytes of a message so far, if it came in pieces
  std::string control_;  ///< the bytes of a control frame so far, if it came in pieces
  std::string done_;     ///< owns the text of `payload_`, if that came in pieces
  std::string_view payload_;
  CloseCode error_ = CloseCode::normal;
};

}  // namespace holdfast::net
