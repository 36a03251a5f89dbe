#include "clients.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Shared by all connections of the loop: what a connection keeps is only an incomplete rest.
std::array<char, 256 << 10> g_read_buffer;

}  // namespace

int connect_to(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

void read_available(int fd, std::string& rest, const Consume& consume) {
  while (true) {
    const ssize_t n = recv(fd, g_read_buffer.data(), g_read_buffer.size(), MSG_DONTWAIT);
    if (n == 0) throw std::runtime_error("the server closed a connection");
    if (n < 0) {
      if (errno == EAGAIN) return;
      fail("recv");
    }
    std::string_view bytes(g_read_buffer.data(), static_cast<std::size_t>(n));
    if (!rest.empty()) {
      rest.append(bytes);
      bytes = rest;
    }
    const std::size_t taken = consume(bytes);
    if (bytes.data() == rest.data()) {
      rest.erase(0, taken);
    } else {
      rest.assign(bytes.substr(taken));
    }
    if (static_cast<std::size_t>(n) < g_read_buffer.size()) return;
  }
}

void write_available(Loop& loop, int fd, Loop::Handler* handler, std::string& out) {
  while (!out.empty()) {
    const ssize_t n = ::send(fd, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN) fail("send");
      loop.want_write(fd, handler, true);
      return;
    }
    out.erase(0, static_cast<std::size_t>(n));
  }
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) fail("epoll_create1");
}
Loop::~Loop() { close(epoll_); }

void Loop::watch(int fd, Handler* handler) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = handler}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void Loop::want_write(int fd, Handler* handler, bool wanted) {
  epoll_event event{.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {.ptr = handler}};
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll_ctl");
}

void Loop::run_until(const std::function<bool()>& done, double timeout_s, const char* what) {
  const double deadline = now_s() + timeout_s;
  std::array<epoll_event, 512> events;
  while (!done()) {
    if (now_s() > deadline) throw std::runtime_error(std::string("timed out: ") + what);
    const int n = epoll_wait(epoll_, events.data(), events.size(), 1);
    for (int i = 0; i < n; ++i) {
      static_cast<Handler*>(events[static_cast<std::size_t>(i)].data.ptr)
          ->ready(events[static_cast<std::size_t>(i)].events);
    }
  }
}

HttpConnection::HttpConnection(Loop& loop, std::uint16_t port)
    : loop_(loop), fd_(connect_to(port)) {
  loop_.watch(fd_, this);
}
HttpConnection::~HttpConnection() { close(fd_); }

void HttpConnection::send(std::string_view request, OnResponse on_response) {
  on_response_ = std::move(on_response);
  out_.append(request);
  flush();
}

void HttpConnection::flush() { write_available(loop_, fd_, this, out_); }

void HttpConnection::ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    loop_.want_write(fd_, this, false);
    flush();
  }
  if ((events & ~EPOLLOUT) == 0) return;
  read_available(fd_, in_, [this](std::string_view bytes) -> std::size_t {
    const std::size_t head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return 0;
    const std::string_view head = bytes.substr(0, head_end);
    std::size_t length = 0;
    for (const char* name : {"Content-Length: ", "content-length: "}) {
      const std::size_t at = head.find(name);
      if (at != std::string_view::npos) length = std::strtoul(head.data() + at + 16, nullptr, 10);
    }
    if (bytes.size() < head_end + 4 + length) return 0;
    const int status = std::atoi(head.data() + 9);
    // The callback may send the next request at once.
    const OnResponse on_response = std::move(on_response_);
    on_response(status, bytes.substr(head_end + 4, length));
    return head_end + 4 + length;
  });
}

WebSocketConnection::WebSocketConnection(Loop& loop, std::uint16_t port, std::string_view target,
                                         OnText on_text)
    : loop_(loop), fd_(connect_to(port)), on_text_(std::move(on_text)) {
  loop_.watch(fd_, this);
  out_ = "GET " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  flush();
}
WebSocketConnection::~WebSocketConnection() { close(fd_); }

void WebSocketConnection::flush() { write_available(loop_, fd_, this, out_); }

void WebSocketConnection::ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    loop_.want_write(fd_, this, false);
    flush();
  }
  if ((events & ~EPOLLOUT) == 0) return;
  read_available(fd_, in_, [this](std::string_view bytes) {
    const std::size_t head = open_ ? 0 : consume_head(bytes);
    return open_ ? head + consume(bytes.substr(head)) : head;
  });
  if (!out_.empty()) flush();
}

std::size_t WebSocketConnection::consume_head(std::string_view bytes) {
  const std::size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return 0;
  if (!bytes.starts_with("HTTP/1.1 101 ")) {
    throw std::runtime_error("upgrade refused: " + std::string(bytes.substr(0, head_end)));
  }
  open_ = true;
  on_upgraded();
  return head_end + 4;
}

std::size_t WebSocketConnection::consume(std::string_view bytes) {
  std::size_t taken = 0;
  while (bytes.size() >= taken + 2) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[taken + i]); };
    std::size_t header = 2;
    std::uint64_t length = byte(1) & 0x7f;
    if (length >= 126) {
      const std::size_t wide = length == 126 ? 2 : 8;
      if (bytes.size() < taken + 2 + wide) break;
      length = 0;
      for (std::size_t i = 0; i < wide; ++i) length = (length << 8) | byte(2 + i);
      header += wide;
    }
    if (bytes.size() < taken + header + length) break;
    const std::string_view payload = bytes.substr(taken + header, length);
    switch (byte(0) & 0x0f) {
      case 1:
        on_text(payload);
        break;
      case 8:
        throw std::runtime_error("the server closed a WebSocket");
      case 9:
        pong(payload);
        break;
      default:
        break;
    }
    taken += header + length;
  }
  return taken;
}

void WebSocketConnection::pong(std::string_view payload) { write_frame(0xa, payload); }

void WebSocketConnection::write_text(std::string_view text) { write_frame(0x1, text); }

void WebSocketConnection::write_frame(std::uint8_t opcode, std::string_view payload) {
  if (payload.size() > 125) throw std::runtime_error("no frame of the bench is so long");
  out_.push_back(static_cast<char>(0x80 | opcode));
  out_.push_back(static_cast<char>(0x80 | payload.size()));
  out_.append(4, '\0');  // a mask of zeros leaves the bytes as they are
  out_.append(payload);
}

CentrifugoConnection::CentrifugoConnection(Loop& loop, std::uint16_t port, std::string channel,
                                           OnText on_text)
    : WebSocketConnection(loop, port, "/connection/websocket", std::move(on_text)),
      channel_(std::move(channel)) {}

void CentrifugoConnection::on_upgraded() {
  write_text(R"({"id":1,"connect":{}})");
  write_text(R"({"id":2,"subscribe":{"channel":")" + channel_ + R"("}})");
}

// Several answers and messages may come in one frame, a line each.
void CentrifugoConnection::on_text(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line == "{}") {
      write_text("{}");
    } else if (line.contains(R"("error")") || line.contains(R"("disconnect")")) {
      throw std::runtime_error("centrifugo: " + std::string(line.substr(0, 300)));
    } else if (line.starts_with(R"({"id":2)")) {
      subscribed_ = true;
    } else if (line.starts_with(R"({"push")")) {
      WebSocketConnection::on_text(line);
    }
  }
}

}  // namespace bench
