#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "delivery/shard_mailboxes.hpp"
#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/delivery/fake_connection.hpp"
#include "support/delivery/fake_message_store.hpp"

namespace holdfast::delivery {

/// One shard over fakes. Nothing moves until `run`.
class ShardFixture : public testing::Test {
 protected:
  using Mode = test::FakeMessageStore::Mode;
  using Kind = test::FakeMessageStore::Kind;
  using Answer = std::shared_ptr<std::optional<SendOutcome>>;

  void start() {
    if (!store) {
      store = std::make_unique<test::FakeMessageStore>(database, executor, Mode::automatic, slots);
    }
    const StartState begin = database->start(clock.wall_now());
    MailboxesOptions options;
    options.limits = limits;
    options.counter_start = begin.counter_start;
    options.ceiling = begin.ceiling;
    options.pending = begin.pending;
    options.deduplication = begin.deduplication;
    options.pending_purges = begin.pending_purges;
    options.known_time = begin.known_time;
    options.refusals = refusals;
    options.listeners = listeners;
    mailboxes = std::make_unique<ShardMailboxes>(std::move(options), clock, executor, *store,
                                                 connection_store);
  }
  /// kill -9: memory is gone, what is committed stays.
  void restart() {
    clients.clear();
    mailboxes.reset();
    executor = {};
    store.reset();
    connection_store.open.clear();
    clock.advance(Seconds(1));
    start();
  }

  SendRequest request(std::string payload, std::optional<std::string> key = {},
                      std::optional<Seconds> ttl = {}) {
    SendRequest out;
    out.user = user;
    out.payload = std::move(payload);
    out.deduplication_id = std::move(key);
    out.ttl = ttl;
    out.caller = caller;
    return out;
  }
  Answer send(SendRequest request) {
    auto answer = std::make_shared<std::optional<SendOutcome>>();
    mailboxes->send(std::move(request), [answer](SendOutcome outcome) { *answer = outcome; });
    return answer;
  }
  Answer send(std::string payload) { return send(request(std::move(payload))); }

  test::ScriptedClient& connect(MakeProtocol protocol = raw_protocol,
                                std::optional<UserId> as = {}) {
    return connect(protocol(), as);
  }
  test::ScriptedClient& connect(ProtocolPtr protocol, std::optional<UserId> as = {}) {
    auto connection = std::make_shared<test::FakeConnection>();
    ConnectionInfo info;
    info.id = ConnectionId("connection-" + std::to_string(++opened));
    info.user = as.value_or(user);
    info.username = "someone";
    info.remote_address = "192.0.2.1:4711";
    info.user_agent = "test";
    info.connected_at = clock.wall_now();
    mailboxes->attach(info, std::move(protocol), connection);
    mailboxes->start_delivery(info.id);
    clients.push_back(std::make_unique<test::ScriptedClient>(connection));
    return *clients.back();
  }
  ConnectionId last_id() const { return ConnectionId("connection-" + std::to_string(opened)); }

  /// Runs what is posted, and lets every client take what was sent, until nothing moves.
  void run() {
    for (bool moved = true; moved;) {
      moved = !executor.idle();
      executor.run();
      for (auto& client : clients) {
        if (client->connection().sent.empty()) continue;
        moved = true;
        client->run();
      }
    }
  }
  /// Time passes in steps of the shard's tick.
  void pass(Microseconds time, bool serve = true) {
    const auto end = clock.steady_now() + time;
    while (clock.steady_now() < end) {
      clock.advance(Milliseconds(10));
      mailboxes->tick();
      if (serve) {
        run();
      } else {
        executor.run();
      }
    }
  }
  static std::optional<DeliveryStatus> status(const Answer& answer) {
    if (!*answer || !**answer) return std::nullopt;
    return (**answer)->status;
  }
  static std::optional<Errc> error(const Answer& answer) {
    if (!*answer || **answer) return std::nullopt;
    return (**answer).error().code;
  }
  std::size_t rows() const {
    const auto found = database->tables.messages.find(user);
    return found == database->tables.messages.end() ? 0 : found->second.size();
  }

  UserId user{"0190f0d4-9d6c-7c3e-a0c8-1f8a3c1f0e11"};
  SenderQuotaPtr caller = std::make_shared<SenderQuota>("AKIAEXAMPLE");
  Limits limits;
  std::size_t slots = 1024;
  std::vector<DeliveryEvents*> listeners;
  std::shared_ptr<BoundRefusals> refusals = std::make_shared<BoundRefusals>();
  test::ManualClock clock;
  test::ManualExecutor executor;
  std::shared_ptr<test::FakeDatabase> database = std::make_shared<test::FakeDatabase>();
  std::unique_ptr<test::FakeMessageStore> store;
  test::FakeConnectionStore connection_store;
  std::unique_ptr<ShardMailboxes> mailboxes;
  std::vector<std::unique_ptr<test::ScriptedClient>> clients;
  int opened = 0;
};

}  // namespace holdfast::delivery
