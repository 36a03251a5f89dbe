#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <holdfast/base/rate_limiter.hpp>

namespace holdfast {

class MetricCollector;

/// A resource with a limit over all users. `to_string` gives its label in metrics.
enum class Bound : std::uint8_t {
  password_work,  ///< waiting to be hashed or checked
  codes,          ///< confirmation codes to be sent
  sign_ups,
  deduplication,  ///< remembered `deduplicationId`s
  replays,        ///< remembered signatures
  header_bytes,   ///< of header sections that have not come whole
  body_bytes,     ///< of bodies that have not come whole
  connections,
  pending_bytes,  ///< of messages that are held
  store_slots,    ///< messages on their way to the disk
  store_bytes,    ///< and their texts
  failed_logins,
  failed_refreshes,
  signatures,  ///< of tokens, waiting to be made
  last = signatures,
};
/// The limit that refused: the common one, or the share of one holder.
enum class BoundScope : std::uint8_t { all, share };

/// `password_work`, the metric's label.
[[nodiscard]] const char* to_string(Bound bound) noexcept;
/// `all` or `share`.
[[nodiscard]] const char* to_string(BoundScope scope) noexcept;

/// Counts refusals by limit. Thread-safe.
class BoundRefusals {
 public:
  void add(Bound bound, BoundScope scope) noexcept {
    at(bound, scope).fetch_add(1, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t read(Bound bound, BoundScope scope) const noexcept {
    return counts_[index(bound, scope)].load(std::memory_order_relaxed);
  }
  /// Reads the metric of these refusals.
  void collect(MetricCollector& out) const;

 private:
  static constexpr std::size_t kBounds = static_cast<std::size_t>(Bound::last) + 1;
  [[nodiscard]] static std::size_t index(Bound bound, BoundScope scope) noexcept {
    return static_cast<std::size_t>(bound) * 2 + static_cast<std::size_t>(scope);
  }
  [[nodiscard]] std::atomic<std::uint64_t>& at(Bound bound, BoundScope scope) noexcept {
    return counts_[index(bound, scope)];
  }

  std::array<std::atomic<std::uint64_t>, kBounds * 2> counts_{};
};

/// Returns the key that identifies a client: the IPv4 address, also from its `::ffff:` form, or the
/// /64 of an IPv6 address, since a subscriber has at least that many (RFC 6177). Any other text is
/// its own key.
[[nodiscard]] std::string client_share_key(std::string_view address);

/// Divides a limited amount: all holders together have at most `capacity`, each at most `share`.
/// Remembers a holder only while it has some, so the capacity limits the memory. Thread-safe.
class Shares {
 public:
  struct Options {
    Bound bound = Bound::connections;
    std::size_t capacity = 0;  ///< 0: unlimited
    std::size_t share = 0;     ///< of each holder; 0: limited only by the capacity
  };

  /// A taken amount. The destructor returns it, on any thread. May outlive `Shares`.
  class Hold;

  explicit Shares(Options options, std::shared_ptr<BoundRefusals> refusals = nullptr);

  /// Takes `amount` for `holder`. The error says which limit refused, and is counted.
  [[nodiscard]] std::expected<Hold, BoundScope> take(std::string_view holder,
                                                     std::size_t amount = 1);
  /// Counts what `holder` took before these limits were set, even if it exceeds them.
  [[nodiscard]] Hold keep(std::string_view holder, std::size_t amount = 1);
  /// Sets other limits. Amounts that were taken before stay taken.
  void change(std::size_t capacity, std::size_t share);
  /// All holders together.
  [[nodiscard]] std::size_t taken() const;
  [[nodiscard]] std::size_t taken_by(std::string_view holder) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class Shares::Hold {
 public:
  Hold() = default;
  Hold(Hold&& other) noexcept
      : state_(std::move(other.state_)),
        holder_(std::move(other.holder_)),
        amount_(std::exchange(other.amount_, 0)) {}
  Hold& operator=(Hold&& other) noexcept;
  ~Hold() { reset(); }

  [[nodiscard]] std::size_t amount() const noexcept { return amount_; }
  /// Holds `amount` more for the same holder; as `Shares::take`.
  [[nodiscard]] std::expected<void, BoundScope> add(std::size_t amount);
  /// Takes over what another holds of the same holder and `Shares`.
  void merge(Hold&& other) noexcept;
  /// Returns a part of the amount, at most all of it.
  void remove(std::size_t amount) noexcept;
  void reset() noexcept;

 private:
  friend class Shares;
  Hold(std::shared_ptr<State> state, std::string holder, std::size_t amount)
      : state_(std::move(state)), holder_(std::move(holder)), amount_(amount) {}

  std::shared_ptr<State> state_;
  std::string holder_;
  std::size_t amount_ = 0;
};

/// Divides a rate: all clients together have `capacity` events in a period, each client `share`, in
/// bursts of one period's worth (see `RateLimiter`). Remembers a limited number of clients, and
/// forgets the longest idle one first. Thread-safe.
class RateShares {
 public:
  struct Options {
    Bound bound = Bound::sign_ups;
    std::int64_t period_us = 60'000'000;
    std::uint32_t capacity = 0;         ///< events in a period; 0: unlimited
    std::uint32_t share = 0;            ///< of each client; 0: limited only by the capacity
    std::size_t clients_max = 100'000;  ///< remembered
  };

  explicit RateShares(Options options, std::shared_ptr<BoundRefusals> refusals = nullptr);

  /// Takes one event of `client` at `now_us` (steady) from both rate limits. The error says which
  /// limit refused it; it is counted as a refusal.
  [[nodiscard]] std::expected<void, BoundScope> take(std::string_view client, std::int64_t now_us);
  /// Returns the last event that `client` took, because it did not happen.
  void give_back(std::string_view client);
  /// Returns how many clients are remembered.
  [[nodiscard]] std::size_t clients() const;
  /// Sets other limits.
  void change(std::uint32_t capacity, std::uint32_t share);

 private:
  void make_room(std::int64_t now_us);
  [[nodiscard]] Rate rate_of(std::uint32_t count) const;

  mutable std::mutex mutex_;
  Options options_;
  std::shared_ptr<BoundRefusals> refusals_;
  RateLimiter all_;
  std::unordered_map<std::string, RateLimiter> clients_;
};

}  // namespace holdfast
