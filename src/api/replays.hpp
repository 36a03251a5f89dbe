#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/sender_quota.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/delivery/message.hpp>
#include <holdfast/iam/sigv4.hpp>

namespace holdfast::api {

/// Remembers every signature that changed something, with its outcome, while the signature is
/// valid. So the same signed bytes never change something twice. In memory: a restart forgets.
///
/// It never runs full. When it reaches its limit, it forgets the signatures of the earliest seconds
/// and refuses all signatures with such dates, although they are still valid. Clients sign just
/// before they send, so those with a correct clock do not notice. A key evicts its own signatures
/// first. Thread-safe.
class Replays : public std::enable_shared_from_this<Replays> {
 public:
  struct Options {
    std::size_t capacity;               ///< of all keys; one key holds an eighth
    Seconds lifetime{300};              ///< the longest after its date that a signature is good
    std::size_t body_bytes = 64 << 20;  ///< of answers to batches
  };

  /// The status of an answer without a body, and the caller's own mark, below 2^50.
  struct Done {
    int status = 200;
    std::int64_t mark = 0;
  };
  /// The body of an answer to a batch; null when it is forgotten.
  using Body = std::shared_ptr<const std::string>;
  /// The answer that a repeat gets.
  using Answer = std::variant<Done, delivery::Receipt, Body>;

  /// The one request of its signature that may go on. One that is dropped counts as done.
  class First;

  enum class Reason : std::uint8_t {
    answered,   ///< `answer` is the first one's
    in_flight,  ///< the first has no outcome yet
    too_old,    ///< older than the oldest remembered signature
    full,       ///< too many within one second
  };
  struct Refused {
    Reason reason = Reason::answered;
    Answer answer = Done();
  };

  explicit Replays(Options options, std::shared_ptr<BoundRefusals> refusals = nullptr);

  [[nodiscard]] std::variant<First, Refused> begin(const iam::Signature& signature,
                                                   const SenderQuotaPtr& caller, WallTime now);
  /// Runs `again` when a signature in flight has its outcome, on the thread that ends it. Returns
  /// false, and drops `again`, if the signature is not in flight.
  [[nodiscard]] bool wait(const iam::Signature& signature, const SenderQuotaPtr& caller,
                          Task again);

  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t kStripes = 16;
  static constexpr std::size_t kWaiters = 64;

  enum class Kind : std::uint8_t { in_flight, done, receipt, body };
  struct Slot {
    std::uint64_t fingerprint = 0;  ///< 0: empty
    Kind kind = Kind::in_flight;
    delivery::Receipt receipt;  ///< its sequence is the mark and status of a `done`
  };
  /// An open hash table, for millions of entries; those of one second are dropped together.
  class SlotTable {
   public:
    [[nodiscard]] Slot* find(std::uint64_t fingerprint) noexcept;
    void insert(std::uint64_t fingerprint);
    void erase(Slot& slot);
    [[nodiscard]] std::size_t size() const noexcept { return count_; }

   private:
    [[nodiscard]] std::size_t home(std::uint64_t fingerprint) const noexcept {
      return static_cast<std::size_t>(fingerprint) & (slots_.size() - 1);
    }
    void place(const Slot& slot) noexcept;

    std::vector<Slot> slots_;
    std::size_t count_ = 0;
  };

  using Second = std::int64_t;
  /// The signatures of one key, by their dates.
  struct OfKey {
    std::map<Second, SlotTable> by_date;
    std::size_t count = 0;
    Second forgotten = std::numeric_limits<Second>::min();  ///< up to this one
  };
  struct Stripe {
    mutable std::mutex mutex;
    std::unordered_map<SenderQuotaPtr, OfKey> keys;
    std::size_t count = 0;
    Second swept_at = 0;
    std::unordered_map<std::uint64_t, std::vector<Task>> waiters;
    std::unordered_map<std::uint64_t, Body> bodies;
    std::deque<std::uint64_t> bodies_in_order;
    std::size_t body_bytes = 0;
  };

  [[nodiscard]] Stripe& stripe_of(const iam::Signature& signature) noexcept;
  [[nodiscard]] static Slot* find(Stripe& stripe, const iam::Signature& signature,
                                  const SenderQuotaPtr& caller);
  [[nodiscard]] static Answer answer_of(const Stripe& stripe, const Slot& slot);
  void end(const iam::Signature& signature, const SenderQuotaPtr& caller, const Answer* answer);
  void keep_body(Stripe& stripe, std::uint64_t fingerprint, Body body) const;
  void sweep(Stripe& stripe, Second now) const;
  static void forget_first(Stripe& stripe, OfKey& key);
  /// Makes room for one more of `date`; false when only that second's own could go.
  bool make_room(Stripe& stripe, OfKey& key, Second date);

  const Options options_;
  const std::size_t stripe_capacity_;
  const std::size_t stripe_share_;
  const std::shared_ptr<BoundRefusals> refusals_;
  std::array<Stripe, kStripes> stripes_;
};

class Replays::First {
 public:
  First(std::shared_ptr<Replays> replays, const iam::Signature& signature, SenderQuotaPtr caller)
      : replays_(std::move(replays)), signature_(signature), caller_(std::move(caller)) {}
  First(First&&) noexcept = default;
  First& operator=(First&&) = delete;
  ~First() {
    if (replays_) done(Done{});
  }

  /// Keeps the answer for repeats of the request.
  void done(const Answer& answer) {
    std::exchange(replays_, nullptr)->end(signature_, caller_, &answer);
  }
  /// Nothing has changed: the same request may be tried again.
  void undone() { std::exchange(replays_, nullptr)->end(signature_, caller_, nullptr); }

 private:
  std::shared_ptr<Replays> replays_;
  iam::Signature signature_;
  SenderQuotaPtr caller_;
};

}  // namespace holdfast::api
