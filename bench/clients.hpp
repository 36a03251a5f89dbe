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

/// A connected TCP socket of the loopback; throws.
[[nodiscard]] int connect_to(std::uint16_t port);
/// Takes bytes from the front of what is there, and answers how many.
using Consume = std::function<std::size_t(std::string_view bytes)>;
/// Reads what is there and hands it on, behind what `rest` kept; throws when the server has closed.
void read_available(int fd, std::string& rest, const Consume& consume);
/// Writes what the socket takes; the handler hears when it takes more.
void write_available(Loop& loop, int fd, Loop::Handler* handler, std::string& out);

/// Where a producer's requests go, one at a time.
class ProducerConnection : public Loop::Handler {
 public:
  /// `status` as HTTP has it.
  using OnResponse = std::function<void(int status, std::string_view body)>;
  virtual void send(std::string_view request, OnResponse on_response) = 0;
};

/// A subscribed client's connection.
class SubscriberConnection : public Loop::Handler {
 public:
  using OnText = std::function<void(std::string_view text)>;
  /// What is published from now on comes here.
  [[nodiscard]] virtual bool open() const noexcept = 0;
};

/// A kept-alive HTTP/1.1 connection.
class HttpConnection final : public ProducerConnection {
 public:
  HttpConnection(Loop& loop, std::uint16_t port);
  ~HttpConnection() override;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void send(std::string_view request, OnResponse on_response) override;
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
class WebSocketConnection : public SubscriberConnection {
 public:
  WebSocketConnection(Loop& loop, std::uint16_t port, std::string_view target, OnText on_text);
  ~WebSocketConnection() override;
  WebSocketConnection(const WebSocketConnection&) = delete;
  WebSocketConnection& operator=(const WebSocketConnection&) = delete;

  [[nodiscard]] bool open() const noexcept override { return open_; }
  void ready(std::uint32_t events) override;

 protected:
  virtual void on_upgraded() {}
  virtual void on_text(std::string_view text) { on_text_(text); }
  void write_text(std::string_view text);

 private:
  std::size_t consume(std::string_view bytes);
  std::size_t consume_head(std::string_view bytes);
  void pong(std::string_view payload);
  void write_frame(std::uint8_t opcode, std::string_view payload);
  void flush();

  Loop& loop_;
  int fd_;
  bool open_ = false;
  std::string out_;
  std::string in_;
  OnText on_text_;
};

/// Centrifugo's JSON protocol: connects, subscribes to one channel, answers its pings.
class CentrifugoConnection final : public WebSocketConnection {
 public:
  CentrifugoConnection(Loop& loop, std::uint16_t port, std::string channel, OnText on_text);

  [[nodiscard]] bool open() const noexcept override { return subscribed_; }

 protected:
  void on_upgraded() override;
  void on_text(std::string_view text) override;

 private:
  std::string channel_;
  bool subscribed_ = false;
};

/// Seconds of a clock that never steps.
[[nodiscard]] double now_s();

}  // namespace bench
