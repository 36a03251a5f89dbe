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

/// The TLS of one socket, in the place of `receive_some` and `send_some`: the handshake goes on
/// inside both. It may move to another thread between two calls. The descriptor is the caller's.
class TlsSession {
 public:
  TlsSession(SSL_CTX* context, int fd);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  [[nodiscard]] IoOutcome receive_some(std::span<char> into) noexcept;
  /// After `blocked`, the next call brings the same bytes again, and maybe more behind them.
  [[nodiscard]] IoOutcome send_some(std::string_view first, std::string_view second = {});
  /// Bytes that were received before it took over the socket. Once, first of all.
  void put_early(std::string bytes) noexcept { early_ = std::move(bytes); }
  /// For OpenSSL, which does its own I/O inside the calls above.
  [[nodiscard]] IoOutcome read_socket(std::span<char> into) noexcept;
  [[nodiscard]] IoOutcome write_socket(std::string_view bytes) noexcept;
  /// Says that nothing follows, as far as that goes without waiting.
  void say_goodbye() noexcept;

  /// Bytes of records and handshake that the kernel has taken.
  [[nodiscard]] std::uint64_t bytes_given() const noexcept { return bytes_given_; }

  /// There may be more to receive than the socket tells: call again without waiting for it.
  [[nodiscard]] bool has_more() const noexcept { return more_; }
  /// What a blocked receive waits for: the socket to become writable, not readable.
  [[nodiscard]] bool receive_waits_to_send() const noexcept { return receive_waits_to_send_; }
  /// What a blocked send waits for: the socket to become readable, not writable.
  [[nodiscard]] bool send_waits_to_receive() const noexcept { return send_waits_to_receive_; }
  /// The peer has begun a handshake that is not finished.
  [[nodiscard]] bool is_in_handshake() const noexcept;
  /// The peer began with a plain HTTP request; there is no TLS to answer it in.
  [[nodiscard]] bool was_plain_http() const noexcept { return plain_http_; }

 private:
  IoOutcome outcome_of_failure(int result, bool& other_direction) noexcept;
  static void count_key_updates(int sent, int version, int content_type, const void* message,
                                std::size_t length, SSL* ssl, void* session);

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
  bool heard_ = false;  ///< anything at all of the peer
  std::uint64_t bytes_given_ = 0;
  std::uint64_t key_updates_ = 0;
};

/// What is behind every `TlsServer`.
class TlsFiles final : public TlsServer {
 public:
  TlsFiles(TlsServerOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  [[nodiscard]] Result<void> reload() override;
  [[nodiscard]] WallTime expires_at() const override;
  /// For a socket that was accepted; nullptr without memory.
  [[nodiscard]] std::shared_ptr<TlsSession> make_session(int fd) const;

 private:
  const TlsServerOptions options_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;
  WallTime expires_at_;
};

}  // namespace holdfast::net
