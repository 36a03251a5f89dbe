#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <sys/epoll.h>

#include "asio.hpp"
#include "socket_io.hpp"

namespace holdfast::net {

class PolledSocket;

/// Reports when the sockets of one shard can be read or written, by an epoll of its own. Asio makes
/// a system call for each wait; here a repeated wait costs none. Used on the shard's thread alone,
/// as its sockets are.
class Poller {
 public:
  explicit Poller(asio::io_context& context);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Begins to watch; once.
  void start();

 private:
  friend class PolledSocket;
  static constexpr std::size_t kEventsMax = 256;

  void wait();
  void dispatch();
  /// Watches `socket` for exactly these `events`; 0: for none. Returns false if the kernel has no
  /// room.
  [[nodiscard]] bool watch(PolledSocket& socket, std::uint32_t events);
  void report_failure(PolledSocket& socket);
  /// Keeps events that were fetched already from the socket.
  void forget(PolledSocket& socket);

  asio::io_context& context_;
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> epoll_;
  std::array<epoll_event, kEventsMax> events_;
  std::size_t next_ = 0;  ///< the event that is being dispatched
  std::size_t fetched_ = 0;
  std::vector<PolledSocket*> failed_;
};

/// A socket that does not block, on its shard. It closes with its owner.
class PolledSocket {
 public:
  /// Receives the ends of waits. The socket may be closed and destroyed inside.
  class Events {
   public:
    virtual ~Events() = default;
    virtual void on_receive_ready() = 0;
    virtual void on_send_ready() = 0;
    /// Called when the kernel has no room for the wait.
    virtual void on_wait_failed() = 0;
  };
  /// The condition of a wait. TLS may have to send before it can receive, and the other way round.
  enum class Wait : std::uint32_t {
    readable = EPOLLIN,
    writable = EPOLLOUT,
    peer_end = EPOLLRDHUP,  ///< the peer sends no more; unread bytes may remain
  };

  PolledSocket(Poller& poller, UniqueFd fd, Events& events) noexcept
      : poller_(poller), events_(events), fd_(std::move(fd)) {}
  ~PolledSocket() { close(); }
  PolledSocket(const PolledSocket&) = delete;
  PolledSocket& operator=(const PolledSocket&) = delete;

  [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
  /// Calls `on_receive_ready` once, in a later turn.
  void await_receive(Wait wait) { await(receive_, wait); }
  /// Calls `on_send_ready` once, in a later turn.
  void await_send(Wait wait) { await(send_, wait); }
  void shutdown_send() noexcept;
  /// Closes the socket. No event comes any more.
  void close() noexcept { (void)release(); }
  [[nodiscard]] UniqueFd release() noexcept;

 private:
  friend class Poller;

  void await(std::uint32_t& purpose, Wait wait);
  struct Due {
    bool receive = false;
    bool send = false;
  };
  /// Returns which waits these events end.
  [[nodiscard]] Due take(std::uint32_t events);

  Poller& poller_;
  Events& events_;
  UniqueFd fd_;
  std::uint32_t watched_ = 0;  ///< the events that epoll reports
  std::uint32_t receive_ = 0;  ///< the event that receiving waits for; 0: none
  std::uint32_t send_ = 0;     ///< the event that sending waits for; 0: none
};

}  // namespace holdfast::net
