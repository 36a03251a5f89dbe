#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

// Clients that cost little, so that what is measured is the server: one epoll loop, no allocation
// per message, no parsing beyond what the numbers need.
namespace bench {

/// One thread's epoll loop.
class Loop {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void ready(std::uint32_t events) = 0;
  };

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void watch(int fd, Handler* handler);
  void want_write(int fd, Handler* handler, bool wanted);
  /// Handles events until `done` says so; throws after `timeout_s`, with `what` in the message.
  void run_until(const std::function<bool()>& done, double timeout_s, const char* what);

 private:
  int epoll_;
};

/// A kept-alive HTTP/1.1 connection: one request at a time.
class HttpConnection final : public Loop::Handler {
 public:
  using OnResponse = std::function<void(int status, std::string_view body)>;

  HttpConnection(Loop& loop, std::uint16_t port);
  ~HttpConnection() override;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void send(std::string_view request, OnResponse on_response);
  void ready(std::uint32_t events) override;

 private:
  void flush();

  Loop& loop_;
  int fd_;
  std::string out_;
  std::string in_;
  OnResponse on_response_;
};

/// A WebSocket that counts what it receives and answers pings.
class WebSocketConnection final : public Loop::Handler {
 public:
  using OnText = std::function<void(std::string_view text)>;

  WebSocketConnection(Loop& loop, std::uint16_t port, std::string_view target, OnText on_text);
  ~WebSocketConnection() override;
  WebSocketConnection(const WebSocketConnection&) = delete;
  WebSocketConnection& operator=(const WebSocketConnection&) = delete;

  [[nodiscard]] bool open() const noexcept { return open_; }
  void ready(std::uint32_t events) override;

 private:
  std::size_t consume(std::string_view bytes);
  std::size_t consume_head(std::string_view bytes);
  void pong(std::string_view payload);
  void flush();

  Loop& loop_;
  int fd_;
  bool open_ = false;
  std::string out_;
  std::string in_;
  OnText on_text_;
};

/// Seconds of a clock that never steps.
[[nodiscard]] double now_s();

}  // namespace bench
