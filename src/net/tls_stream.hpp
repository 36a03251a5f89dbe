#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <openssl/ssl.h>

#include <holdfast/net/tls.hpp>

#include "socket_io.hpp"

namespace holdfast::net {

/// Runs TLS on one socket, in place of `receive_some` and `send_some`. Both also drive the
/// handshake. It may move to another thread between two calls. The caller owns the descriptor.
class TlsStream {
 public:
  TlsStream(SSL_CTX* context, int fd);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  [[nodiscard]] IoOutcome receive_some(std::span<char> into) noexcept;
  /// Sends. After `blocked`, the next call brings the same bytes again, maybe with more behind
  /// them.
  [[nodiscard]] IoOutcome send_some(std::string_view first, std::string_view second = {});
  /// Hands over bytes that were received before. Call it once, before all else.
  void put_early(std::string bytes) noexcept { early_ = std::move(bytes); }
  /// Called by OpenSSL, which does its own I/O inside the calls above.
  [[nodiscard]] IoOutcome read_socket(std::span<char> into) noexcept;
  [[nodiscard]] IoOutcome write_socket(std::string_view bytes) noexcept;
  /// Tells the peer that nothing follows. Does not wait.
  void send_close_notify() noexcept;

  /// Returns the bytes of records and handshake that the kernel has taken.
  [[nodiscard]] std::uint64_t bytes_given() const noexcept { return bytes_given_; }

  /// Returns whether there may be more to receive than the socket reports. If so, call again
  /// without a wait.
  [[nodiscard]] bool has_more() const noexcept { return more_; }
  /// Returns whether a blocked receive waits for the socket to become writable.
  [[nodiscard]] bool receive_waits_to_send() const noexcept { return receive_waits_to_send_; }
  /// Returns whether a blocked send waits for the socket to become readable.
  [[nodiscard]] bool send_waits_to_receive() const noexcept { return send_waits_to_receive_; }
  /// Returns whether the peer has begun a handshake and not finished it.
  [[nodiscard]] bool is_in_handshake() const noexcept;
  /// Returns whether the peer began with a plain HTTP request, which TLS cannot answer.
  [[nodiscard]] bool was_plain_http() const noexcept { return plain_http_; }

 private:
  IoOutcome outcome_of_failure(int result, bool& other_direction) noexcept;
  static void count_key_updates(int sent, int version, int content_type, const void* message,
                                std::size_t length, SSL* ssl, void* stream);

  int fd_;
  std::string early_;
  SSL* const ssl_;
  bool more_ = false;
  bool receive_waits_to_send_ = false;
  bool send_waits_to_receive_ = false;
  bool plain_http_ = false;
  bool broken_ = false;
  bool cannot_write_ = false;    ///< the socket takes nothing more
  std::size_t read_budget_ = 0;  ///< bytes that the present call may still take from the socket
  std::uint64_t bytes_received_ = 0;
  bool heard_ = false;  ///< the peer has sent anything at all
  std::uint64_t bytes_given_ = 0;
  std::uint64_t key_updates_ = 0;
};

/// Implements every `TlsServer`.
class TlsFiles final : public TlsServer {
 public:
  TlsFiles(TlsServerOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  [[nodiscard]] Result<void> reload() override;
  [[nodiscard]] WallTime expires_at() const override;
  [[nodiscard]] std::shared_ptr<TlsStream> make_stream(int fd) const override;

 private:
  const TlsServerOptions options_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;
  WallTime expires_at_;
};

}  // namespace holdfast::net
