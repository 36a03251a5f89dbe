#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/role.hpp>

#include "net/asio.hpp"
#include "net/tls_session.hpp"

namespace holdfast::net {

/// The layer under Beast's WebSocket stream. What Beast writes gathers here and completes at once,
/// so a synchronous write is safe beside a pending read; the connection sends it when it is told to
/// flush, several frames in one call. Reads go to the socket.
class GatherStream {
 public:
  using executor_type = asio::io_context::executor_type;

  /// The connection behind it.
  class Owner {
   public:
    virtual ~Owner() = default;
    /// Takes bytes to send, never refuses.
    virtual void gather(std::string_view bytes) = 0;
    /// Beast wrote by itself, while reading: a Pong or a Close.
    virtual void on_own_frame() = 0;
    /// Whether reading may go on; asked before each read from the socket.
    virtual bool may_read() = 0;
  };

  /// `tls` is null on a plain socket.
  GatherStream(Owner& owner, Socket socket, std::shared_ptr<TlsSession> tls, std::string early)
      : owner_(owner), socket_(std::move(socket)), tls_(std::move(tls)), early_(std::move(early)) {
    if (tls_) tls_->reader_lives = true;
  }
  ~GatherStream() { (void)release_tls(); }
  GatherStream(const GatherStream&) = delete;
  GatherStream& operator=(const GatherStream&) = delete;

  [[nodiscard]] executor_type get_executor() noexcept { return socket_.get_executor(); }
  [[nodiscard]] Socket& socket() noexcept { return socket_; }
  [[nodiscard]] IoOutcome send(std::string_view bytes) {
    return tls_ ? tls_->send_some(bytes) : send_some(socket_.native_handle(), bytes);
  }
  /// Bytes that the kernel took to send `bytes` of the stream: as many, or the records of TLS.
  [[nodiscard]] std::uint64_t bytes_given(std::uint64_t bytes) const noexcept {
    return tls_ ? tls_->bytes_given() : bytes;
  }
  /// Ends reading; the socket's new owner goes on with it.
  [[nodiscard]] std::shared_ptr<TlsSession> release_tls() noexcept {
    if (tls_) tls_->reader_lives = false;
    return std::move(tls_);
  }

  template <class ConstBuffers>
  std::size_t write_some(const ConstBuffers& buffers, ErrorCode& ec) {
    ec = {};
    return take(buffers);
  }
  template <class ConstBuffers>
  std::size_t write_some(const ConstBuffers& buffers) {
    return take(buffers);
  }

  template <class ConstBuffers, class Handler>
  void async_write_some(const ConstBuffers& buffers, Handler&& handler) {
    const std::size_t bytes = take(buffers);
    owner_.on_own_frame();
    asio::post(socket_.get_executor(), boost::beast::bind_front_handler(
                                           std::forward<Handler>(handler), ErrorCode(), bytes));
  }

  template <class MutableBuffers, class Handler>
  void async_read_some(const MutableBuffers& buffers, Handler&& handler) {
    if (!owner_.may_read()) {
      asio::post(socket_.get_executor(),
                 boost::beast::bind_front_handler(std::forward<Handler>(handler),
                                                  ErrorCode(asio::error::operation_aborted),
                                                  std::size_t{0}));
    } else if (!early_.empty()) {
      const std::size_t bytes = asio::buffer_copy(buffers, asio::buffer(early_));
      early_.erase(0, bytes);
      if (early_.empty()) early_ = std::string();
      asio::post(socket_.get_executor(), boost::beast::bind_front_handler(
                                             std::forward<Handler>(handler), ErrorCode(), bytes));
    } else if (tls_) {
      asio::mutable_buffer first;
      for (auto it = asio::buffer_sequence_begin(buffers);
           it != asio::buffer_sequence_end(buffers) && first.size() == 0; ++it) {
        first = *it;
      }
      read_tls(first, std::forward<Handler>(handler));
    } else {
      socket_.async_read_some(buffers, std::forward<Handler>(handler));
    }
  }

  /// Beast asks for these of any stream; nothing here reads synchronously.
  template <class MutableBuffers>
  std::size_t read_some(const MutableBuffers&, ErrorCode& ec) {
    ec = asio::error::operation_not_supported;
    return 0;
  }
  template <class MutableBuffers>
  std::size_t read_some(const MutableBuffers&) {
    return 0;
  }

 private:
  // What is deciphered already is not waited for: the socket would not tell of it.
  template <class Handler>
  void read_tls(asio::mutable_buffer into, Handler&& handler) {
    if (tls_->has_more()) {
      const IoOutcome outcome = receive(*tls_, into);
      if (!outcome.blocked) {
        asio::post(socket_.get_executor(),
                   boost::beast::bind_front_handler(std::forward<Handler>(handler),
                                                    error_of(outcome), outcome.bytes));
        return;
      }
    }
    wait_tls(into, std::forward<Handler>(handler));
  }

  template <class Handler>
  void wait_tls(asio::mutable_buffer into, Handler&& handler) {
    const bool to_send = tls_->receive_waits_to_send();
    // The stream may be gone when this runs; the session tells.
    socket_.async_wait(
        to_send ? Socket::wait_write : Socket::wait_read,
        [this, tls = tls_, into, handler = std::forward<Handler>(handler)](ErrorCode ec) mutable {
          if (!ec && !tls->reader_lives) ec = asio::error::operation_aborted;
          if (ec) return handler(ec, std::size_t{0});
          const IoOutcome outcome = receive(*tls, into);
          if (outcome.blocked) return wait_tls(into, std::move(handler));
          handler(error_of(outcome), outcome.bytes);
        });
  }

  static IoOutcome receive(TlsSession& tls, asio::mutable_buffer into) noexcept {
    return tls.receive_some({static_cast<char*>(into.data()), into.size()});
  }
  static ErrorCode error_of(const IoOutcome& outcome) {
    return outcome.ended ? ErrorCode(asio::error::eof) : ErrorCode();
  }

  template <class ConstBuffers>
  std::size_t take(const ConstBuffers& buffers) {
    std::size_t bytes = 0;
    for (const asio::const_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
      owner_.gather({static_cast<const char*>(buffer.data()), buffer.size()});
      bytes += buffer.size();
    }
    return bytes;
  }

  Owner& owner_;
  Socket socket_;
  std::shared_ptr<TlsSession> tls_;  ///< null on a plain socket
  std::string early_;                ///< came with the request, before the socket was handed over
};

// Beast ends a stream through these. The connection does that itself, after it has flushed.
inline void teardown(boost::beast::role_type, GatherStream&, ErrorCode& ec) { ec = {}; }
template <class Handler>
void async_teardown(boost::beast::role_type, GatherStream& stream, Handler&& handler) {
  asio::post(stream.get_executor(),
             boost::beast::bind_front_handler(std::forward<Handler>(handler), ErrorCode()));
}
inline void beast_close_socket(GatherStream& stream) {
  ErrorCode ignored;
  stream.socket().close(ignored);
}

}  // namespace holdfast::net
