#pragma once

#include <array>
#include <cstring>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

/// The scope and the key in 16 bytes of SHA-256: a million live ones are held in memory, and their
/// texts would be most of it.
using DeduplicationKey = std::array<std::uint8_t, 16>;
[[nodiscard]] DeduplicationKey deduplication_key(std::string_view caller, const UserId& user,
                                                 std::string_view key);

/// The id of a message that is sent under a key: the same for each repeat of it in one window, and
/// to be guessed by nobody without `secret`. A UUID version 8 (RFC 9562 section 5.8) that begins
/// with the window's start, so that ids rise with time. `skip` chooses a later window's.
[[nodiscard]] MessageId derive_message_id(std::string_view secret, const DeduplicationKey& key,
                                          const Digest& payload_hash, WallTime now, Seconds window,
                                          std::int64_t skip = 0);

/// Every live deduplicationId of a shard's users, and those whose first message is in flight, so
/// that a look-up never waits. Windows are measured by the machine's own clock: no step of the wall
/// clock ends one early, or leaves one in the future that never ends.
class DeduplicationTable {
 public:
  DeduplicationTable(std::size_t capacity, Seconds window) : capacity_(capacity), window_(window) {}

  enum class Found : std::uint8_t {
    nothing,    ///< the first of its key
    full,       ///< the first of its key, and there is no room for it
    other,      ///< the key stands for another message
    answered,   ///< `receipt` is the answer
    in_flight,  ///< the first awaits its outcome
  };
  struct Lookup {
    Found found = Found::nothing;
    /// Of `answered`; of `nothing`: the answer whose window is over, if it is still known.
    Receipt receipt{};
    /// Of `nothing`: under this id the same message was tried before, and refused. A client may
    /// have it nevertheless.
    std::optional<MessageId> tried{};
  };
  /// While `frozen`, no window ends.
  [[nodiscard]] Lookup find(const DeduplicationKey& key, const Digest& payload_hash, BootTime now,
                            bool frozen);

  void begin(const DeduplicationKey& key, const Digest& payload_hash, const MessageId& id);
  /// Whoever repeats a message in flight gets its outcome; false when too many wait already.
  [[nodiscard]] bool wait(const DeduplicationKey& key, Completion<SendOutcome>& done);
  /// The first has its outcome: a receipt is remembered from `at` on, and of a refusal the id that
  /// the next attempt is to have. Answers who waited for it.
  [[nodiscard]] std::vector<Completion<SendOutcome>> end(const DeduplicationKey& key,
                                                         const SendOutcome& outcome, BootTime at);
  /// As loaded from the store, where it was committed at `committed_at`.
  void restore(const DeduplicationRecord& record, BootTime committed_at);
  /// Forgets the oldest of those that were committed before `time`, so many at most: a call takes
  /// no longer however many there are.
  void forget_before(BootTime time, std::size_t at_most);

  [[nodiscard]] std::size_t size() const noexcept { return live_.size() + in_flight_.size(); }

 private:
  static constexpr std::size_t kWaitersPerKey = 64;

  struct Live {
    Digest payload_hash;
    Receipt receipt;
    BootTime committed_at;
  };
  struct Tried {
    Digest payload_hash;
    MessageId id;
    BootTime at;
  };
  struct InFlight {
    Digest payload_hash;
    MessageId id;
    std::vector<Completion<SendOutcome>> waiters;
  };
  struct Hash {
    std::size_t operator()(const DeduplicationKey& key) const noexcept {
      std::size_t out = 0;
      std::memcpy(&out, key.data(), sizeof out);
      return out;
    }
  };

  void add(const DeduplicationKey& key, Live live);

  std::size_t capacity_;
  Seconds window_;
  std::unordered_map<DeduplicationKey, Live, Hash> live_;
  std::unordered_map<DeduplicationKey, InFlight, Hash> in_flight_;
  std::unordered_map<DeduplicationKey, Tried, Hash> tried_;  ///< beside the bound, and within one
  std::deque<std::pair<BootTime, DeduplicationKey>> order_;
};

}  // namespace holdfast::delivery
