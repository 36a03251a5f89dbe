// TLS on a socket that does not block.

#include "tls_stream.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include <openssl/bio.h>
#include <openssl/err.h>

namespace holdfast::net {
namespace {

// Read-ahead takes this much at once, more than a large record.
constexpr std::size_t kReadAheadBytes = 16 << 10;
// Limits how often a peer may renew its keys. Each time costs as much as a short request, and RFC
// 8446 section 5.5 asks for it only after millions of records.
constexpr std::uint64_t kKeyUpdates = 32;
constexpr std::uint64_t kBytesPerKeyUpdate = 64 << 10;

TlsStream& stream_of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

int finish_io(BIO* bio, const IoOutcome& outcome, int retry_flag) {
  BIO_clear_retry_flags(bio);
  if (outcome.bytes > 0) return static_cast<int>(outcome.bytes);
  if (outcome.blocked) BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
  return outcome.blocked ? -1 : 0;
}

int read_socket(BIO* bio, char* into, int size) {
  const auto length = static_cast<std::size_t>(size);
  return finish_io(bio, stream_of(bio).read_socket({into, length}), BIO_FLAGS_READ);
}

int write_socket(BIO* bio, const char* from, int size) {
  const auto length = static_cast<std::size_t>(size);
  return finish_io(bio, stream_of(bio).write_socket({from, length}), BIO_FLAGS_WRITE);
}

long control_socket(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// Replaces OpenSSL's own method, whose write() raises SIGPIPE.
const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "holdfast socket");
    BIO_meth_set_read(made, read_socket);
    BIO_meth_set_write(made, write_socket);
    BIO_meth_set_ctrl(made, control_socket);
    return made;
  }();
  return method;
}

}  // namespace

TlsStream::TlsStream(SSL_CTX* context, int fd) : fd_(fd), ssl_(SSL_new(context)) {
  BIO* const bio = BIO_new(socket_method());
  if (ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    broken_ = true;
    return;
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
  SSL_set_msg_callback(ssl_, count_key_updates);
  SSL_set_msg_callback_arg(ssl_, this);
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

void TlsStream::count_key_updates(int sent, int /*version*/, int content_type, const void* message,
                                  std::size_t length, SSL* /*ssl*/, void* stream) {
  if (sent != 0 || content_type != SSL3_RT_HANDSHAKE || length == 0) return;
  if (*static_cast<const unsigned char*>(message) != SSL3_MT_KEY_UPDATE) return;
  ++static_cast<TlsStream*>(stream)->key_updates_;
}

IoOutcome TlsStream::outcome_of_failure(int result, bool& other_direction) noexcept {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_WRITE && cannot_write_) return {.ended = true};
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    other_direction = error == (&other_direction == &receive_waits_to_send_ ? SSL_ERROR_WANT_WRITE
                                                                            : SSL_ERROR_WANT_READ);
    return {.blocked = true};
  }
  plain_http_ = error == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
  // After the peer's close notify ours is still due; after an error nothing is.
  broken_ = error != SSL_ERROR_ZERO_RETURN;
  ERR_clear_error();
  return {.ended = true};
}

// Limits the bytes of one call. OpenSSL would go on reading while records bring no data.
IoOutcome TlsStream::read_socket(std::span<char> into) noexcept {
  if (!early_.empty()) {
    const std::size_t count = early_.copy(into.data(), into.size());
    early_.erase(0, count);
    heard_ = true;
    return {.bytes = count};
  }
  if (read_budget_ == 0) return {.blocked = true};
  const IoOutcome outcome = net::receive_some(fd_, into.first(std::min(into.size(), read_budget_)));
  read_budget_ -= outcome.bytes;
  heard_ = heard_ || outcome.bytes > 0;
  return outcome;
}

// Reports that the socket is full, never an error. OpenSSL deciphers nothing behind an error, and
// earlier bytes of the peer are still to be read.
IoOutcome TlsStream::write_socket(std::string_view bytes) noexcept {
  if (cannot_write_) return {.blocked = true};
  const IoOutcome outcome = net::send_some(fd_, bytes);
  bytes_given_ += outcome.bytes;
  cannot_write_ = outcome.ended;
  return outcome.ended ? IoOutcome{.blocked = true} : outcome;
}

IoOutcome TlsStream::receive_some(std::span<char> into) noexcept {
  more_ = false;
  if (key_updates_ > kKeyUpdates + bytes_received_ / kBytesPerKeyUpdate) broken_ = true;
  if (broken_) return {.ended = true};
  ERR_clear_error();
  read_budget_ = into.size() + kReadAheadBytes;
  std::size_t filled = 0;
  while (filled < into.size()) {
    std::size_t bytes = 0;
    const int result = SSL_read_ex(ssl_, into.data() + filled, into.size() - filled, &bytes);
    if (result == 1) {
      filled += bytes;
      bytes_received_ += bytes;
      continue;
    }
    const IoOutcome outcome = outcome_of_failure(result, receive_waits_to_send_);
    if (filled == 0) return outcome;
    more_ = outcome.ended;
    return {.bytes = filled};
  }
  more_ = true;
  return {.bytes = filled};
}

IoOutcome TlsStream::send_some(std::string_view first, std::string_view second) {
  if (broken_) return {.ended = true};
  // One record costs one system call, and hides where the head ends.
  std::string joined;
  if (!second.empty()) {
    joined.reserve(first.size() + second.size());
    joined.append(first).append(second);
    first = joined;
  }
  ERR_clear_error();
  // The handshake may go on in here.
  read_budget_ = kReadAheadBytes;
  std::size_t sent = 0;
  while (sent < first.size()) {
    std::size_t bytes = 0;
    const int result = SSL_write_ex(ssl_, first.data() + sent, first.size() - sent, &bytes);
    if (result == 1) {
      sent += bytes;
      continue;
    }
    IoOutcome outcome = outcome_of_failure(result, send_waits_to_receive_);
    outcome.bytes = sent;
    return outcome;
  }
  return {.bytes = sent};
}

bool TlsStream::is_in_handshake() const noexcept {
  return heard_ && SSL_is_init_finished(ssl_) != 1;
}

void TlsStream::send_close_notify() noexcept {
  if (broken_ || SSL_is_init_finished(ssl_) != 1) return;
  broken_ = true;
  (void)SSL_shutdown(ssl_);
  ERR_clear_error();
}

std::shared_ptr<TlsStream> TlsFiles::make_stream(int fd) const {
  std::shared_ptr<SSL_CTX> context;
  {
    const std::lock_guard lock(mutex_);
    context = context_;
  }
  return std::make_shared<TlsStream>(context.get(), fd);
}

}  // namespace holdfast::net
