#include "scenarios.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>

#include "clients.hpp"

namespace bench {
namespace {

std::string message_text(std::size_t number, std::size_t bytes) {
  std::string text = std::to_string(number) + " ";
  text.resize(std::max(bytes, text.size()), 'x');
  return text;
}

// The number that a message's text begins with, behind whatever wraps it.
std::size_t number_in(std::string_view frame) {
  constexpr std::string_view data = R"("data":")";
  const std::size_t wrap = frame.find(data);
  const std::size_t at =
      frame.find_first_of("0123456789", wrap == std::string_view::npos ? 0 : wrap + data.size());
  std::size_t number = 0;
  for (std::size_t i = at; i < frame.size() && frame[i] >= '0' && frame[i] <= '9'; ++i) {
    number = number * 10 + static_cast<std::size_t>(frame[i] - '0');
  }
  return number;
}

double percentile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

using Sockets = std::vector<std::unique_ptr<SubscriberConnection>>;

// Connects users 0 to `count`, a hundred at a time, and waits until all are open.
void subscribe(Loop& loop, Dialect& dialect, std::size_t count,
               const SubscriberConnection::OnText& on_text, Sockets& sockets) {
  while (sockets.size() < count) {
    const std::size_t from = sockets.size();
    for (std::size_t i = from; i < std::min(from + 100, count); ++i) {
      sockets.push_back(dialect.subscribe(loop, i, on_text));
    }
    loop.run_until(
        [&] {
          return std::all_of(sockets.begin() + static_cast<std::ptrdiff_t>(from), sockets.end(),
                             [](const auto& socket) { return socket->open(); });
        },
        20, "upgrades");
  }
}

// Keeps every producer busy: each sends its next request when the last is answered.
class Producers {
 public:
  Producers(Loop& loop, Dialect& dialect, std::size_t count, std::size_t users, std::size_t batch,
            std::size_t payload_bytes)
      : dialect_(dialect), users_(users), batch_(batch), payload_bytes_(payload_bytes) {
    for (std::size_t i = 0; i < count; ++i) {
      connections_.push_back(dialect.producer(loop));
    }
  }

  // `interval_s`: between two requests of one producer, at least.
  void start(double interval_s = 0) {
    interval_s_ = interval_s;
    running_ = true;
    for (auto& connection : connections_) send(*connection);
  }
  void stop() { running_ = false; }
  [[nodiscard]] std::size_t sent() const { return sent_at_.size(); }
  [[nodiscard]] std::size_t answered() const { return answered_; }
  [[nodiscard]] double sent_at(std::size_t number) const { return sent_at_[number]; }
  void send_due() {
    const double now = now_s();
    while (!waiting_.empty() && waiting_.front().first <= now) {
      ProducerConnection& connection = *waiting_.front().second;
      waiting_.erase(waiting_.begin());
      send(connection);
    }
  }

 private:
  void send(ProducerConnection& connection) {
    if (!running_) return;
    messages_.clear();
    const double now = now_s();
    const std::size_t user = next_user_++ % users_;
    for (std::size_t i = 0; i < batch_; ++i) {
      messages_.push_back(message_text(sent_at_.size(), payload_bytes_));
      sent_at_.push_back(now);
    }
    request_.clear();
    dialect_.publish(request_, user, messages_);
    connection.send(request_, [this, &connection, now](int status, std::string_view body) {
      // A batch is answered with 200 even when entries of it are refused, and those count nothing.
      const bool refused = batch_ > 1 && !body.contains(R"("Failed":[])");
      if (status < 200 || status > 299 || refused) {
        throw std::runtime_error(std::to_string(status) + " " + std::string(body.substr(0, 500)));
      }
      answered_ += batch_;
      if (interval_s_ > 0) {
        waiting_.emplace_back(now + interval_s_, &connection);
      } else {
        send(connection);
      }
    });
  }

  Dialect& dialect_;
  std::size_t users_;
  std::size_t batch_;
  std::size_t payload_bytes_;
  std::vector<std::unique_ptr<ProducerConnection>> connections_;
  std::vector<std::pair<double, ProducerConnection*>> waiting_;
  std::vector<double> sent_at_;
  std::vector<std::string> messages_;
  std::string request_;
  std::size_t next_user_ = 0;
  std::size_t answered_ = 0;
  double interval_s_ = 0;
  bool running_ = false;
};

Figures deliver(Dialect& dialect, const Sizes& sizes, double interval_s, const char* scenario) {
  dialect.begin();
  Loop loop;
  Producers producers(loop, dialect, sizes.producers, sizes.connections, 1, sizes.payload_bytes);
  std::vector<double> latencies_ms;
  std::size_t received = 0;
  const auto on_text = [&](std::string_view frame) {
    ++received;
    latencies_ms.push_back((now_s() - producers.sent_at(number_in(frame))) * 1e3);
  };
  Sockets sockets;
  subscribe(loop, dialect, sizes.connections, on_text, sockets);
  producers.start(interval_s);
  const auto run_for = [&](double seconds) {
    const double until = now_s() + seconds;
    loop.run_until(
        [&] {
          producers.send_due();
          return now_s() >= until;
        },
        seconds + 10, scenario);
  };
  run_for(1);  // caches, keys and buffers warm up unmeasured
  latencies_ms.clear();
  const std::size_t received_before = received;
  const double cpu_before = dialect.server().cpu_s();
  const double began = now_s();
  run_for(sizes.seconds);
  const double seconds = now_s() - began;
  const double cpu_s = dialect.server().cpu_s() - cpu_before;
  const auto measured = static_cast<double>(received - received_before);
  producers.stop();
  loop.run_until([&] { return received >= producers.sent(); }, 10, "the last messages");
  return {.scenario = scenario,
          .server = dialect.server().name(),
          .messages_per_s = measured / seconds,
          .server_cpu_us = cpu_s * 1e6 / measured,
          .p50_ms = percentile(latencies_ms, 0.50),
          .p99_ms = percentile(latencies_ms, 0.99),
          .p999_ms = percentile(latencies_ms, 0.999),
          .max_ms = percentile(latencies_ms, 1)};
}

}  // namespace

Figures connected(Dialect& dialect, const Sizes& sizes) {
  return deliver(dialect, sizes, 0, "connected users, full speed");
}

Figures paced(Dialect& dialect, const Sizes& sizes, double messages_per_s) {
  return deliver(dialect, sizes, static_cast<double>(sizes.producers) / messages_per_s,
                 "connected users, 2 000 messages a second");
}

Figures stored(Dialect& dialect, const Sizes& sizes, std::size_t batch) {
  Loop loop;
  // Spread over users so that no one's bound of pending messages is reached; in batches with fewer
  // producers, as one access key may have an eighth of the store's queue at a time.
  const std::size_t producer_count = batch == 1 ? sizes.storing_producers : sizes.producers / 2;
  Producers producers(loop, dialect, producer_count, sizes.connections, batch, sizes.payload_bytes);
  const double cpu_before = dialect.server().cpu_s();
  const double began = now_s();
  producers.start();
  loop.run_until([&] { return now_s() - began >= sizes.seconds; }, sizes.seconds + 10, "stored");
  const auto answered = static_cast<double>(producers.answered());
  const double seconds = now_s() - began;
  const double cpu_s = dialect.server().cpu_s() - cpu_before;
  producers.stop();
  loop.run_until([&] { return producers.answered() >= producers.sent(); }, 20, "the last answers");
  return {.scenario = batch == 1 ? "users away, one by one" : "users away, in batches of 100",
          .server = dialect.server().name(),
          .messages_per_s = answered / seconds,
          .server_cpu_us = cpu_s * 1e6 / answered};
}

Figures flushed(Dialect& dialect, const Sizes& sizes) {
  dialect.begin();
  // Beyond the others: no other scenario writes to it.
  const std::size_t user = sizes.connections;
  Loop loop;
  const auto producer = dialect.producer(loop);
  for (std::size_t sent = 0; sent < sizes.flushed;) {
    std::vector<std::string> messages;
    const std::size_t batch = dialect.stores_durably() ? 100 : 1;
    for (; messages.size() < batch; ++sent) {
      messages.push_back(message_text(sent, sizes.payload_bytes));
    }
    std::string request;
    dialect.publish(request, user, messages);
    bool answered = false;
    producer->send(request, [&answered](int status, std::string_view body) {
      if (status < 200 || status > 299) throw std::runtime_error(std::string(body));
      answered = true;
    });
    loop.run_until([&answered] { return answered; }, 10, "filling");
  }
  std::size_t received = 0;
  const double cpu_before = dialect.server().cpu_s();
  const double began = now_s();
  const auto socket = dialect.subscribe(loop, user, [&received](std::string_view) { ++received; });
  loop.run_until([&] { return received >= sizes.flushed; }, 60, "the flush");
  const double seconds = now_s() - began;
  return {.scenario = "reconnect to 10 000 pending messages",
          .server = dialect.server().name(),
          .messages_per_s = static_cast<double>(received) / seconds,
          .server_cpu_us =
              (dialect.server().cpu_s() - cpu_before) * 1e6 / static_cast<double>(received)};
}

Figures idle(Dialect& dialect, const Sizes& sizes) {
  dialect.begin();
  Loop loop;
  Sockets sockets;
  // The first hundred pay for what is allocated once.
  subscribe(loop, dialect, 100, [](std::string_view) {}, sockets);
  const std::int64_t before = dialect.server().memory_bytes();
  subscribe(loop, dialect, sizes.idle_connections, [](std::string_view) {}, sockets);
  const std::int64_t after = dialect.server().memory_bytes();
  return {.scenario = "15 000 idle connections",
          .server = dialect.server().name(),
          .bytes_per_connection = static_cast<double>(after - before) /
                                  static_cast<double>(sizes.idle_connections - 100)};
}

std::vector<Figures> storm(const Holdfast& server, const Sizes& sizes) {
  Loop loop;
  const std::size_t count = sizes.storm;
  std::vector<std::string> targets(count);
  std::size_t answered = 0;
  std::vector<std::unique_ptr<HttpConnection>> browsers;
  const auto in_parallel = [&](std::size_t from) { return std::min(from + 200, count); };
  double cpu_before = server.cpu_s();
  double began = now_s();
  for (std::size_t from = 0; from < count; from = in_parallel(from)) {
    browsers.clear();
    for (std::size_t i = from; i < in_parallel(from); ++i) {
      browsers.push_back(std::make_unique<HttpConnection>(loop, server.port()));
      browsers.back()->send(token_request(server, i), [&, i](int status, std::string_view body) {
        targets[i] = websocket_target(status, body);
        ++answered;
      });
    }
    loop.run_until([&] { return answered == in_parallel(from); }, 20, "tokens");
  }
  const double token_s = now_s() - began;
  const double token_cpu_s = server.cpu_s() - cpu_before;
  browsers.clear();

  Sockets sockets;
  cpu_before = server.cpu_s();
  began = now_s();
  for (std::size_t from = 0; from < count; from = in_parallel(from)) {
    for (std::size_t i = from; i < in_parallel(from); ++i) {
      sockets.push_back(std::make_unique<WebSocketConnection>(loop, server.port(), targets[i],
                                                              [](std::string_view) {}));
    }
    loop.run_until(
        [&] {
          return std::all_of(sockets.begin() + static_cast<std::ptrdiff_t>(from), sockets.end(),
                             [](const auto& socket) { return socket->open(); });
        },
        20, "upgrades");
  }
  const double open_s = now_s() - began;
  const double open_cpu_s = server.cpu_s() - cpu_before;
  const auto clients = static_cast<double>(count);
  return {{.scenario = "storm of 4 000 clients, a token each",
           .server = server.name(),
           .messages_per_s = clients / token_s,
           .server_cpu_us = token_cpu_s * 1e6 / clients},
          {.scenario = "storm of 4 000 clients, a connection each",
           .server = server.name(),
           .messages_per_s = clients / open_s,
           .server_cpu_us = open_cpu_s * 1e6 / clients}};
}

}  // namespace bench
