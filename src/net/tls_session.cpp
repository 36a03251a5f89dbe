#include "net/tls_session.hpp"

#include <string>

#include <openssl/bio.h>
#include <openssl/err.h>

namespace holdfast::net {
namespace {

int fd_of(BIO* bio) { return *static_cast<const int*>(BIO_get_data(bio)); }

int finish_io(BIO* bio, const IoOutcome& outcome, int retry_flag) {
  BIO_clear_retry_flags(bio);
  if (outcome.bytes > 0) return static_cast<int>(outcome.bytes);
  if (outcome.blocked) BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
  return outcome.blocked ? -1 : 0;
}

int read_socket(BIO* bio, char* into, int size) {
  const auto length = static_cast<std::size_t>(size);
  return finish_io(bio, receive_some(fd_of(bio), {into, length}), BIO_FLAGS_READ);
}

int write_socket(BIO* bio, const char* from, int size) {
  const auto length = static_cast<std::size_t>(size);
  return finish_io(bio, send_some(fd_of(bio), {from, length}), BIO_FLAGS_WRITE);
}

long control_socket(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// OpenSSL's own writes with write(), which raises SIGPIPE.
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

TlsSession::TlsSession(SSL_CTX* context, int fd) : fd_(fd), ssl_(SSL_new(context)) {
  BIO* const bio = BIO_new(socket_method());
  if (ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    broken_ = true;
    return;
  }
  BIO_set_data(bio, &fd_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

IoOutcome TlsSession::outcome_of_failure(int result, bool& other_direction) noexcept {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    other_direction = error == (&other_direction == &receive_waits_to_send_ ? SSL_ERROR_WANT_WRITE
                                                                            : SSL_ERROR_WANT_READ);
    return {.blocked = true};
  }
  plain_http_ = error == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
  // After the peer's goodbye ours is still due; after an error nothing is.
  broken_ = error != SSL_ERROR_ZERO_RETURN;
  ERR_clear_error();
  return {.ended = true};
}

IoOutcome TlsSession::receive_some(std::span<char> into) noexcept {
  more_ = false;
  if (broken_) return {.ended = true};
  ERR_clear_error();
  std::size_t filled = 0;
  while (filled < into.size()) {
    std::size_t bytes = 0;
    const int result = SSL_read_ex(ssl_, into.data() + filled, into.size() - filled, &bytes);
    if (result == 1) {
      filled += bytes;
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

IoOutcome TlsSession::send_some(std::string_view first, std::string_view second) {
  if (broken_) return {.ended = true};
  // One record is one system call, and hides where the head ends.
  std::string joined;
  if (!second.empty()) {
    joined.reserve(first.size() + second.size());
    joined.append(first).append(second);
    first = joined;
  }
  ERR_clear_error();
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

void TlsSession::say_goodbye() noexcept {
  if (broken_ || SSL_is_init_finished(ssl_) != 1) return;
  broken_ = true;
  (void)SSL_shutdown(ssl_);
  ERR_clear_error();
}

std::shared_ptr<TlsSession> TlsFiles::make_session(int fd) const {
  std::shared_ptr<SSL_CTX> context;
  {
    const std::lock_guard lock(mutex_);
    context = context_;
  }
  return std::make_shared<TlsSession>(context.get(), fd);
}

}  // namespace holdfast::net
