#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "servers.hpp"

namespace bench {

/// What one scenario measured; what it cannot say stays empty.
struct Figures {
  std::string scenario;
  std::string server;
  std::optional<double> messages_per_s;
  std::optional<double> server_cpu_us;  ///< per message
  std::optional<double> p50_ms;
  std::optional<double> p99_ms;
  std::optional<double> bytes_per_connection;
};

struct Sizes {
  double seconds = 5;  ///< of each timed scenario
  std::size_t connections = 1'000;
  std::size_t producers = 32;
  std::size_t storing_producers = 128;  ///< one by one: who waits for a commit can share it
  std::size_t idle_connections = 15'000;
  std::size_t flushed = 10'000;
  std::size_t payload_bytes = 128;
};

/// Speaks one server's way of publishing and subscribing.
class Dialect {
 public:
  virtual ~Dialect() = default;
  [[nodiscard]] virtual const Server& server() const = 0;
  /// A scenario begins: what an earlier one left behind must not be taken for its own.
  virtual void begin() = 0;
  /// The whole request that publishes `messages` to user number `user`.
  virtual void publish(std::string& out, std::size_t user,
                       const std::vector<std::string>& messages) = 0;
  /// What a subscription of user number `user` asks for; may ask the server for a ticket first.
  virtual std::string subscription(std::size_t user) = 0;
  [[nodiscard]] virtual bool stores_durably() const = 0;
};
[[nodiscard]] std::unique_ptr<Dialect> holdfast_dialect(const Holdfast& server);
[[nodiscard]] std::unique_ptr<Dialect> nchan_dialect(const Nchan& server);

/// Connected users: a POST in, a frame out.
[[nodiscard]] Figures connected(Dialect& dialect, const Sizes& sizes);
/// The same at a fifth of that rate: latency without a queue.
[[nodiscard]] Figures paced(Dialect& dialect, const Sizes& sizes, double messages_per_s);
/// Users who are away, `batch` messages a request.
[[nodiscard]] Figures stored(Dialect& dialect, const Sizes& sizes, std::size_t batch);
/// One user comes back to many messages.
[[nodiscard]] Figures flushed(Dialect& dialect, const Sizes& sizes);
/// Connections that do nothing.
[[nodiscard]] Figures idle(Dialect& dialect, const Sizes& sizes);

}  // namespace bench
