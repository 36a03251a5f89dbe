// Connects clients over TCP, Unix sockets and TLS.

#include "client_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <arpa/inet.h>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "socket_io.hpp"
#include "unix_address.hpp"

namespace holdfast::net {
namespace {

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(Socket socket) : socket_(std::move(socket)) {}
  void read(asio::mutable_buffer into, IoHandler handler) override {
    socket_.async_read_some(into, std::move(handler));
  }
  void write(asio::const_buffer from, IoHandler handler) override {
    socket_.async_write_some(from, std::move(handler));
  }
  Socket& socket() override { return socket_; }

 private:
  Socket socket_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(asio::ssl::context context, Socket socket)
      : context_(std::move(context)), stream_(std::move(socket), context_) {}
  void read(asio::mutable_buffer into, IoHandler handler) override {
    stream_.async_read_some(into, std::move(handler));
  }
  void write(asio::const_buffer from, IoHandler handler) override {
    stream_.async_write_some(from, std::move(handler));
  }
  Socket& socket() override { return stream_.next_layer(); }
  asio::ssl::stream<Socket>& stream() { return stream_; }

 private:
  asio::ssl::context context_;
  asio::ssl::stream<Socket> stream_;
};

// Returns whether a host is an IP address. Such a host gets no server name (RFC 6066 section 3).
bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

// Returns 0, or errno.
int connect_within(int fd, const sockaddr* address, socklen_t size, Deadline deadline) {
  if (connect(fd, address, size) == 0) return 0;
  if (errno != EINPROGRESS && errno != EAGAIN) return errno;
  for (;;) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return ETIMEDOUT;
    pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
    if (poll(&waiting, 1, static_cast<int>(left.count())) <= 0) continue;
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
  }
}

std::unexpected<Error> cannot_connect(const Url& url, const std::string& why) {
  const std::string where = url.scheme == "unix" ? url.host : url.host + ":" + url.port;
  return fail(Errc::unavailable, "cannot connect to " + where + ": " + why, where);
}

Result<UniqueFd> connect_unix(const Url& url, Deadline deadline) {
  const auto address = UnixAddress::of(url.host);
  if (!address) return cannot_connect(url, address.error().message);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int error = connect_within(fd.get(), address->raw(), address->size(), deadline);
  if (error != 0) return cannot_connect(url, std::generic_category().message(error));
  return fd;
}

Result<UniqueFd> connect_tcp(const Url& url, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int unresolved = getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found);
  if (unresolved != 0) return cannot_connect(url, gai_strerror(unresolved));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> infos(found, &freeaddrinfo);
  int error = 0;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    UniqueFd fd(socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    error = connect_within(fd.get(), info->ai_addr, info->ai_addrlen, deadline);
    if (error != 0) continue;
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
  }
  return cannot_connect(url, std::generic_category().message(error));
}

Result<std::unique_ptr<Transport>> shake_hands(asio::io_context& context, Socket socket,
                                               const Url& url, const TlsClientOptions& options,
                                               Deadline deadline) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  ErrorCode ec;
  if (options.ca_file.empty()) {
    tls.set_default_verify_paths(ec);
  } else {
    tls.load_verify_file(options.ca_file, ec);
  }
  if (ec) {
    return fail(Errc::invalid_argument, "cannot read CA certificates: " + ec.message(),
                options.ca_file);
  }
  tls.set_verify_mode(asio::ssl::verify_peer, ec);
  auto transport = std::make_unique<TlsTransport>(std::move(tls), std::move(socket));
  auto& stream = transport->stream();
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host), ec);
  if (!is_address(url.host)) SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str());
  bool done = false;
  stream.async_handshake(asio::ssl::stream_base::client, [&](ErrorCode result) {
    ec = result;
    done = true;
  });
  if (!run_until(context, deadline, done)) {
    ErrorCode ignored;
    stream.next_layer().close(ignored);
    run_until(context, Deadline::max(), done);
    return cannot_connect(url, "the TLS handshake took too long");
  }
  if (ec) return cannot_connect(url, "TLS: " + ec.message());
  return transport;
}

}  // namespace

bool run_until(asio::io_context& context, Deadline deadline, const bool& done) {
  context.restart();
  while (!done) {
    const std::size_t ran =
        deadline == Deadline::max() ? context.run_one() : context.run_one_until(deadline);
    if (ran == 0) break;
  }
  return done;
}

Result<std::unique_ptr<Transport>> connect_transport(asio::io_context& context, const Url& url,
                                                     const TlsClientOptions& tls,
                                                     Deadline deadline) {
  auto fd = url.scheme == "unix" ? connect_unix(url, deadline) : connect_tcp(url, deadline);
  if (!fd) return std::unexpected(fd.error());
  Socket socket(context.get_executor());
  ErrorCode ec;
  socket.assign(asio::generic::stream_protocol(AF_INET, 0), fd->get(), ec);
  if (ec) return cannot_connect(url, ec.message());
  (void)fd->release();
  if (url.scheme == "https" || url.scheme == "wss") {
    return shake_hands(context, std::move(socket), url, tls, deadline);
  }
  return std::make_unique<PlainTransport>(std::move(socket));
}

}  // namespace holdfast::net
