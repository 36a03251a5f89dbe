#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/write_result.hpp>
#include <holdfast/net/log_fields.hpp>

namespace holdfast::net {

/// Writes the body of an answer bit by bit, on its shard. Commands are ordered; none blocks, and
/// none calls back from inside itself. Written bytes gather in memory until `flush`.
///
/// The answer is over by `end`, by `abort`, or with its listener. It is also over when the client
/// ends the connection or sends anything more, or takes nothing for `limits.write_timeout_ms`.
/// when nothing that was written reaches it for `limits.write_timeout_ms`, or with its listener.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  /// Calls `told` when the answer is over: once, last, in a turn of its own. The writer keeps
  /// itself alive until then. A writer that is dropped without this call is aborted.
  virtual void on_closed(std::move_only_function<void()> told) = 0;
  /// Adds a piece of the body. The result counts all bytes of the answer, head and framing
  /// included. `backpressure`: more than `limits.outbound_bytes` would wait for the client.
  virtual WriteResult write(std::string_view bytes) = 0;
  /// Hands everything written to the kernel, in one call where it fits.
  virtual void flush() = 0;
  /// Completes the body. Sends what was written, then ends the connection in order.
  virtual void end() = 0;
  /// Ends at once, so that the client can tell that the body is not whole.
  virtual void abort() = 0;
  /// Returns the bytes handed to the kernel so far. Never falls.
  [[nodiscard]] virtual std::uint64_t bytes_sent() const = 0;
  /// Returns the bytes that the client's kernel has taken so far, as they go over the wire. Never
  /// falls.
  [[nodiscard]] virtual std::uint64_t bytes_taken() const = 0;
  /// Returns the bytes, as `write` counts them, that the client's kernel has certainly taken. Keeps
  /// the last number after the end.
  [[nodiscard]] virtual std::uint64_t bytes_arrived() const = 0;
};

/// Begins an answer whose body comes bit by bit. Its connection ends with it.
struct StreamAccepted {
  std::size_t shard = 0;  ///< where it is written
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< as of a `Response`
  LogFields log_fields{};                                      ///< as of a `Response`
  /// Ends the answer in order when its listener drains. False: its writer ends it in time, as a
  /// mailbox closes its connections; `Listener::close` aborts the rest.
  bool ends_on_drain = true;
  /// Called on that shard when the head is written. For an answer without a body, as of `HEAD`, the
  /// writer is over already.
  std::move_only_function<void(std::shared_ptr<ResponseWriter>)> on_open{};
};

}  // namespace holdfast::net
