#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dialects.hpp"

namespace bench {

/// What one scenario measured; what it cannot say stays empty.
struct Figures {
  std::string scenario;
  std::string server;
  std::optional<double> messages_per_s{};
  std::optional<double> server_cpu_us{};  ///< per message
  std::optional<double> p50_ms{};
  std::optional<double> p99_ms{};
  std::optional<double> p999_ms{};
  std::optional<double> max_ms{};
  std::optional<double> bytes_per_connection{};
};

struct Sizes {
  double seconds = 5;  ///< of each timed scenario
  std::size_t connections = 1'000;
  std::size_t producers = 32;
  std::size_t storing_producers = 128;  ///< one by one: who waits for a commit can share it
  std::size_t idle_connections = 15'000;
  std::size_t flushed = 10'000;
  std::size_t storm = 4'000;
  std::size_t payload_bytes = 128;
};

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

/// Clients that all come at once: each fetches a token by a connection of its own, then opens its
/// WebSocket.
[[nodiscard]] std::vector<Figures> storm(const Holdfast& server, const Sizes& sizes);

}  // namespace bench
