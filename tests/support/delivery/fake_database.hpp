#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>

#include <holdfast/delivery/message_store.hpp>

namespace holdfast::test {

/// Holds the contents of a disk. It outlives the stores that write to it, as a file outlives a
/// crash.
class FakeDatabase {
 public:
  using DeduplicationKey = std::tuple<std::string, UserId, std::string>;

  struct Tables {
    std::map<UserId, std::map<Sequence, delivery::MessagePtr>> messages;
    std::map<MessageId, delivery::DeadLetter> dead_letters;
    std::map<DeduplicationKey, delivery::DeduplicationRecord> deduplication;
    std::map<UserId, delivery::PendingPurge> pending_purges;
    std::optional<WallTime> known_time;
    Sequence ceiling = 0;
  };

  Tables tables;
  /// Held by whoever touches the tables while stores of several threads share them.
  mutable std::mutex mutex;

  [[nodiscard]] delivery::PendingTotals pending(const UserId& user) const {
    delivery::PendingTotals out;
    const auto found = tables.messages.find(user);
    if (found == tables.messages.end()) return out;
    for (const auto& [sequence, message] : found->second) {
      ++out.messages;
      out.bytes += static_cast<std::int64_t>(message->payload.size());
    }
    return out;
  }

  /// Returns the state of a starting process. Commits a ceiling `ahead` of the counters' beginning.
  [[nodiscard]] delivery::StartState start(WallTime now, Seconds ahead = Seconds(60)) {
    delivery::StartState out;
    out.counter_start = std::max(tables.ceiling, unix_micros(now));
    out.ceiling = tables.ceiling = out.counter_start + Microseconds(ahead).count();
    for (const auto& [user, rows] : tables.messages) {
      if (!rows.empty()) out.pending.emplace_back(user, pending(user));
    }
    for (const auto& [key, record] : tables.deduplication) out.deduplication.push_back(record);
    for (const auto& [user, purge] : tables.pending_purges) out.pending_purges.push_back(purge);
    out.known_time = tables.known_time;
    return out;
  }

  /// Remembers the tables as they are, before a commit that answers somebody.
  void remember() { before_last_commit_ = tables; }
  /// A disk that lied: the last commit that stored something is gone.
  void lose_last_commit() { tables = before_last_commit_; }

 private:
  Tables before_last_commit_;
};

}  // namespace holdfast::test
