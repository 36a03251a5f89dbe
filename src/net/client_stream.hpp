#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>

#include <holdfast/net/client.hpp>

#include "asio.hpp"

namespace holdfast::net {

using Deadline = std::chrono::steady_clock::time_point;
[[nodiscard]] inline Deadline deadline_in(Milliseconds timeout) {
  return std::chrono::steady_clock::now() + timeout;
}

/// Runs the loop until `done` or the deadline. Returns `done`.
bool run_until(asio::io_context& context, Deadline deadline, const bool& done);

using IoHandler = std::move_only_function<void(ErrorCode, std::size_t)>;

/// A client's connection over TCP, a Unix socket or TLS.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual void read(asio::mutable_buffer into, IoHandler handler) = 0;
  virtual void write(asio::const_buffer from, IoHandler handler) = 0;
  virtual Socket& socket() = 0;
};
/// Connects and shakes hands. Errors: `unavailable`, `invalid_argument` (the CA file).
[[nodiscard]] Result<std::unique_ptr<Transport>> connect_transport(asio::io_context& context,
                                                                   const Url& url,
                                                                   const TlsClientOptions& tls,
                                                                   Deadline deadline);

/// Shows every transport to Beast as one type, so that its templates are compiled once.
class ClientStream {
 public:
  using executor_type = asio::io_context::executor_type;

  explicit ClientStream(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

  [[nodiscard]] executor_type get_executor() noexcept { return socket().get_executor(); }
  [[nodiscard]] Socket& socket() noexcept { return transport_->socket(); }

  template <class MutableBuffers, class Handler>
  void async_read_some(const MutableBuffers& buffers, Handler&& handler) {
    asio::mutable_buffer first;
    for (auto it = asio::buffer_sequence_begin(buffers);
         it != asio::buffer_sequence_end(buffers) && first.size() == 0; ++it) {
      first = *it;
    }
    transport_->read(first, IoHandler(std::forward<Handler>(handler)));
  }
  template <class ConstBuffers, class Handler>
  void async_write_some(const ConstBuffers& buffers, Handler&& handler) {
    asio::const_buffer first;
    for (auto it = asio::buffer_sequence_begin(buffers);
         it != asio::buffer_sequence_end(buffers) && first.size() == 0; ++it) {
      first = *it;
    }
    transport_->write(first, IoHandler(std::forward<Handler>(handler)));
  }

 private:
  std::unique_ptr<Transport> transport_;
};

// Ends a stream as Beast asks. The peer has sent its last word, so there is nothing to wait for.
template <class Handler>
void async_teardown(boost::beast::role_type, ClientStream& stream, Handler&& handler) {
  ErrorCode ignored;
  stream.socket().shutdown(Socket::shutdown_both, ignored);
  asio::post(stream.get_executor(),
             [handler = std::forward<Handler>(handler)]() mutable { handler(ErrorCode()); });
}
inline void beast_close_socket(ClientStream& stream) {
  ErrorCode ignored;
  stream.socket().close(ignored);
}

}  // namespace holdfast::net
