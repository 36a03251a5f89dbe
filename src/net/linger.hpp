#pragma once

#include <memory>
#include <string>

#include "part.hpp"
#include "poller.hpp"

namespace holdfast::net {

class TlsSession;

/// The end of a connection that was told something last: sends the rest, ends our side, and throws
/// away what still comes until the peer ends too. A plain close() with unread input would reset the
/// connection, and the peer would lose what it was told.
class Linger final : public Member,
                     public std::enable_shared_from_this<Linger>,
                     private PolledSocket::Events {
 public:
  /// For at most `close_timeout`. `rest` is sent first.
  static void start(Part& part, UniqueFd fd, std::shared_ptr<TlsSession> tls, std::string rest,
                    SocketSlot slot);

  Linger(Part& part, UniqueFd fd, std::shared_ptr<TlsSession> tls, std::string rest,
         SocketSlot slot);
  void on_deadline() override { end(); }
  void on_drain() override {}
  void abort() override { end(); }

 private:
  void on_receive_ready() override { discard(); }
  void on_send_ready() override { send_rest(); }
  void on_wait_failed() override { end(); }
  void end();
  void send_rest();
  void discard();

  SocketSlot slot_;
  PolledSocket socket_;
  std::shared_ptr<TlsSession> tls_;  ///< until all is sent; null on a plain socket
  std::string rest_;
  std::size_t sent_ = 0;
  std::shared_ptr<Linger> self_;
};

}  // namespace holdfast::net
