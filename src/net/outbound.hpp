#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "part.hpp"

namespace holdfast::net {

class TlsSession;

/// Gathers what one connection has to send until one `send` takes it all, and knows how far all
/// that it ever wrote has come. Empty, it holds no buffer.
class Outbound {
 public:
  enum class Flushed : std::uint8_t {
    all,     ///< the kernel has all of it
    waits,   ///< for the peer to take some
    broken,  ///< the connection is
  };

  /// Returns whether `size` bytes more may wait for the peer (`limits.outbound_bytes`).
  [[nodiscard]] bool has_room(const Part& part, std::size_t size) const noexcept {
    return waiting() + size <= part.limits().outbound_bytes + long_bytes_;
  }
  /// Lets the next `size` bytes be beyond that limit with what waits before them: they may have
  /// been accepted under a higher one, and they and all behind them would never come. One piece at
  /// a time.
  void allow_long(const Part& part, std::size_t size) noexcept;
  void append(Part& part, std::string_view first, std::string_view second = {});
  /// One call. `counted` gets the bytes that the kernel, or TLS, has taken.
  [[nodiscard]] Flushed flush(Part& part, int fd, TlsSession* tls, Counter& counted);
  /// Returns what was not sent; nothing is left here.
  [[nodiscard]] std::string take_rest();
  void clear() noexcept;

  [[nodiscard]] std::size_t waiting() const noexcept { return out_.size() - out_sent_; }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept { return bytes_written_; }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }

  /// Takes down what of the bytes written the peer's kernel has.
  void look_at_queue(int fd, const TlsSession* tls) noexcept;
  /// When it was last looked at: as they went over the wire, and as they were written.
  [[nodiscard]] std::uint64_t bytes_taken() const noexcept { return bytes_taken_; }
  [[nodiscard]] std::uint64_t bytes_arrived() const noexcept { return bytes_arrived_; }

 private:
  std::string out_;
  std::size_t out_sent_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_taken_ = 0;
  std::uint64_t bytes_arrived_ = 0;
  std::size_t long_bytes_ = 0;  ///< of what was let beyond the limit, while it waits
};

}  // namespace holdfast::net
