#pragma once

#include <memory>
#include <string>

#include "listener_shard.hpp"
#include "poller.hpp"

namespace holdfast::net {

class TlsStream;

/// Ends a connection after its last answer. Sends the rest, ends our side, and drops input until
/// the peer ends too. A plain close() with unread input would reset the connection, and the peer
/// would lose the answer.
class LingeringClose final : public SocketOwner,
                             public std::enable_shared_from_this<LingeringClose>,
                             private PolledSocket::Events {
 public:
  /// Sends `rest` and closes, within `close_timeout`.
  static void start(ListenerShard& shard, UniqueFd fd, std::shared_ptr<TlsStream> tls,
                    std::string rest, OpenSocketGuard slot);

  LingeringClose(ListenerShard& shard, UniqueFd fd, std::shared_ptr<TlsStream> tls,
                 std::string rest, OpenSocketGuard slot);
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

  OpenSocketGuard slot_;
  PolledSocket socket_;
  std::shared_ptr<TlsStream> tls_;  ///< until all is sent; null on a plain socket
  std::string rest_;
  std::size_t sent_ = 0;
  std::shared_ptr<LingeringClose> self_;
};

}  // namespace holdfast::net
