#pragma once

#include <memory>
#include <string>

#include "support/net/test_server.hpp"

namespace holdfast::test {

/// Sends every message back to the client that it came from, text and binary, through the gateway's
/// own WebSocket class: what third-party suites are held against. Any path that begins with `/ws`,
/// and `/`.
class EchoServer {
 public:
  static constexpr std::size_t kMessageBytesMax = 32 << 20;

  /// `address` is `host:port`; port 0 picks one.
  explicit EchoServer(std::string address = "127.0.0.1:0", std::size_t shards = 1);

  [[nodiscard]] const std::string& address() const { return server_->address(); }

 private:
  std::unique_ptr<TestServer> server_;
};

}  // namespace holdfast::test
