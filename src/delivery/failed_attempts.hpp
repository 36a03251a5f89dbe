#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include <holdfast/base/ids.hpp>

namespace holdfast::delivery {

/// Where a connection came to its end, as far as that may have to do with a message.
struct EndedAt {
  Sequence first = 0;  ///< the first that was sent and not acknowledged
  /// The last that may be the reason: a client that had taken it would have said so.
  Sequence last = 0;
  std::uint32_t bytes = 0;        ///< of the first one's frame
  bool alone = false;             ///< nothing but the first was under way
  bool longest = false;           ///< nothing that was under way is longer than the first
  bool heard = false;             ///< the client answered something on this connection
  bool by_client = false;         ///< with a Close
  std::uint16_t code = 0;         ///< as `ConnectionEnd` has it
  std::uint64_t next_serial = 0;  ///< of the next connection that is opened
};

/// Counts how often a user's connections came to their end at one message, without an
/// acknowledgement and in a row.
struct FailedAttempts {
  static constexpr std::size_t kCodesKept = 8;

  Sequence first = 0;
  Sequence last = 0;
  std::uint32_t count = 0;
  std::uint64_t next_serial = 0;  ///< at the first attempt: who has a lower one was open then
  std::uint32_t given_up = 0;  ///< messages of this user, one after the other, since the last ack
  bool moved_on = false;       ///< `first` was another one at the beginning
  std::array<std::uint16_t, kCodesKept> codes{};

  [[nodiscard]] std::uint16_t last_code() const noexcept {
    return codes[(count + kCodesKept - 1) % kCodesKept];
  }
  /// Lists how they ended, the oldest first: `1009, 1006, silent`.
  [[nodiscard]] std::string ends() const;
};

/// The failed attempts of a shard's users. In memory and bounded: a restart, or
/// too many users, begins a count anew. No I/O, no clock.
///
/// One end proves little: what was under way is suspected, from the first to the last that the
/// client should have answered for. A later end at the same message, or at one that stood behind it
/// then, is another attempt of the same row. An acknowledgement ends it.
class FailedAttemptTable {
 public:
  explicit FailedAttemptTable(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] bool empty() const noexcept { return users_.empty() && waiting_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return users_.size(); }
  /// nullptr when there are none.
  [[nodiscard]] const FailedAttempts* find(const UserId& user) const;

  /// A connection ended while this message was the first that it had not acknowledged, whatever
  /// ended it. Answers how many did so in a row.
  [[nodiscard]] std::uint32_t count_end(const UserId& user, Sequence first);
  /// A connection ended there. Valid until the next call.
  const FailedAttempts& add(const UserId& user, const EndedAt& end);
  /// A connection ended, and not at a message: it was the network. That takes one attempt back.
  void take_back(const UserId& user);
  /// Everything up to `sequence` is acknowledged.
  void settle(const UserId& user, Sequence sequence);
  /// The message that the attempts are about is not waited for any longer. How many were given up
  /// in a row is kept until the next acknowledgement.
  void give_up(const UserId& user);

 private:
  struct Waiting {
    Sequence first = 0;
    std::uint32_t ends = 0;
  };

  template <class Value>
  Value& at(std::unordered_map<UserId, Value>& users, const UserId& user);

  std::size_t capacity_;
  std::unordered_map<UserId, FailedAttempts> users_;
  std::unordered_map<UserId, Waiting> waiting_;  ///< without regard to what ended them
};

}  // namespace holdfast::delivery
