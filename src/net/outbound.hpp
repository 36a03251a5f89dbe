#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "listener_shard.hpp"

namespace holdfast::net {

class TlsStream;

/// Gathers the bytes of one connection until one `send` takes them all. Knows how far all that was
/// written has come. Holds no buffer when it is empty.
class Outbound {
 public:
  enum class Flushed : std::uint8_t {
    all,     ///< the kernel has all of it
    waits,   ///< the peer must take some first
    broken,  ///< the connection is broken
  };

  /// Returns whether `size` bytes more may wait for the peer (`limits.outbound_bytes`).
  [[nodiscard]] bool has_room(const ListenerShard& shard, std::size_t size) const noexcept {
    return waiting() + size <= shard.limits().outbound_bytes + long_bytes_;
  }
  /// Lets the next `size` bytes exceed that limit, with all that waits before them. They may have
  /// been accepted under a higher limit, and would otherwise block all behind them. One piece at a
  /// time.
  void allow_long(const ListenerShard& shard, std::size_t size) noexcept;
  void append(ListenerShard& shard, std::string_view first, std::string_view second = {});
  /// Sends in one call. `counted` gets the bytes that the kernel, or TLS, has taken.
  [[nodiscard]] Flushed flush(ListenerShard& shard, int fd, TlsStream* tls, Counter& counted);
  /// Returns the unsent bytes, and leaves nothing here.
  [[nodiscard]] std::string take_rest();
  void clear() noexcept;

  [[nodiscard]] std::size_t waiting() const noexcept { return out_.size() - out_sent_; }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept { return bytes_written_; }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }

  /// Updates how much of the written bytes the peer's kernel has.
  void look_at_queue(int fd, const TlsStream* tls) noexcept;
  /// Returns the bytes that it had at the last update, as they went over the wire.
  [[nodiscard]] std::uint64_t bytes_taken() const noexcept { return bytes_taken_; }
  [[nodiscard]] std::uint64_t bytes_arrived() const noexcept { return bytes_arrived_; }

 private:
  std::string out_;
  std::size_t out_sent_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_taken_ = 0;
  std::uint64_t bytes_arrived_ = 0;
  std::size_t long_bytes_ = 0;  ///< the bytes that may exceed the limit, while they wait
};

}  // namespace holdfast::net
