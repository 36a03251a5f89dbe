#pragma once

#include <array>
#include <cstring>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/delivery/message.hpp>

namespace holdfast::delivery {

/// The scope and the key in 16 bytes of SHA-256: millions of live ones are kept in memory, and
/// their texts would be most of it.
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
  /// `capacity` keys; an eighth of them of one caller.
  DeduplicationTable(std::size_t capacity, Seconds window,
                     std::shared_ptr<BoundRefusals> refusals = nullptr);

  enum class Found : std::uint8_t {
    nothing,    ///< the first of its key
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

  /// Remembers that the first, under the id `id`, is in flight. The error says whose bound leaves
  /// no room for it.
  [[nodiscard]] std::expected<void, BoundScope> begin(const DeduplicationKey& key,
                                                      const Digest& payload_hash,
                                                      const MessageId& id, std::string_view caller);
  /// Lets a repeat wait for the outcome of its message in flight; false when too many wait already.
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

  struct Share {
    Shares::Hold keys;
    Shares::Hold attempts;
  };
  /// One caller's share, for as long as it has anything. One for all its entries: a name for
  /// each of millions would be most of their memory.
  using Account = std::pair<const std::string, Share>;
  struct Live {
    Digest payload_hash;
    Receipt receipt;
    BootTime committed_at;
    Account* account;
  };
  struct Tried {
    Digest payload_hash;
    MessageId id;
    BootTime at;
    Account* account;
  };
  struct InFlight {
    Digest payload_hash;
    MessageId id;
    Account* account;
    std::vector<Completion<SendOutcome>> waiters;
  };
  struct Hash {
    std::size_t operator()(const DeduplicationKey& key) const noexcept {
      std::size_t out = 0;
      std::memcpy(&out, key.data(), sizeof out);
      return out;
    }
  };

  template <typename Value>
  using Map = std::unordered_map<DeduplicationKey, Value, Hash>;

  void add(const DeduplicationKey& key, Live live);
  void add_tried(const DeduplicationKey& key, const Tried& tried);
  void forget(Map<Live>::iterator hit);
  void forget(Map<Tried>::iterator hit);
  [[nodiscard]] Account& charge(std::string_view caller, Shares::Hold hold);
  void close_if_empty(const Account& account);

  Shares keys_;
  Shares attempts_;  ///< those of `tried_`, beside the keys and within the same bounds
  Seconds window_;
  std::unordered_map<std::string, Share> accounts_;
  Map<Live> live_;
  Map<InFlight> in_flight_;
  Map<Tried> tried_;
  std::deque<std::pair<BootTime, DeduplicationKey>> order_;
};

}  // namespace holdfast::delivery
