#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <holdfast/client/gateway_client.hpp>

#include "support/base/ledger.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {

/// The environment's `HOLDFAST_SEED`, or one of the moment; printed, so that a failure can be
/// played again.
[[nodiscard]] std::uint64_t load_seed();

/// A user of a gateway that runs as a process, logged in. Throws when that fails.
[[nodiscard]] TestUser make_user(client::GatewayClient& root, const std::string& name);

/// Sends as fast as it is answered, on a thread of its own, and writes everything down: single
/// messages and batches. Every other single one carries a `deduplicationId` and is sent again until
/// it is answered; the others are sent once, whatever becomes of them.
class Producer {
 public:
  struct Options {
    std::string name;                ///< makes its texts unique
    std::vector<std::string> users;  ///< whom it sends to
    std::uint64_t seed = 0;
  };
  Producer(std::unique_ptr<client::GatewayClient> client, Options options, Ledger& ledger);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// Waits until what it tries again has been answered.
  void stop();

 private:
  void run();
  void send_one();
  void send_batch();
  [[nodiscard]] client::OutgoingMessage next();
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  std::unique_ptr<client::GatewayClient> client_;
  Options options_;
  Ledger& ledger_;
  std::mt19937_64 random_;
  std::uint64_t count_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> abandoning_ = false;
  std::thread thread_;
};

/// A client that stays, on a thread of its own: it connects again whenever its connection ends, and
/// now and then ends it itself. Under `holdfast.v1` it acknowledges, cumulatively and late.
class Receiver {
 public:
  struct Options {
    TestUser user;
    std::string subprotocol;
    std::uint64_t seed = 0;
  };
  Receiver(std::unique_ptr<client::GatewayClient> client, Options options, Ledger& ledger);
  ~Receiver() { stop(); }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// Leaves no more of itself. One that always leaves before the Ping that follows a page of
  /// messages acknowledges none of them, and gets no further.
  void stay() { restless_ = false; }
  void stop();

 private:
  void run();
  void read_on(net::WebSocketClient& socket);

  std::unique_ptr<client::GatewayClient> client_;
  Options options_;
  Ledger& ledger_;
  std::mt19937_64 random_;
  std::atomic<bool> restless_ = true;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace holdfast::test
