#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/sender_quota.hpp>

namespace holdfast::delivery {

/// One accepted message. Immutable; shared between the tail, the connections and the store.
struct Message {
  UserId user;
  MessageId id;
  Sequence sequence = 0;
  WallTime accepted_at;
  /// When it moves to the dead letters: the caller's `ttlSeconds`, or the configured lifetime.
  WallTime expires_at;
  std::string payload;
};
using MessagePtr = std::shared_ptr<const Message>;

/// One entry of `POST /message` or `POST /messages`, already checked against its limits.
struct SendRequest {
  UserId user;
  std::string payload;
  std::optional<std::string> deduplication_id;
  std::optional<Seconds> ttl;
  SenderQuotaPtr caller;
};

enum class DeliveryStatus : std::uint8_t {
  delivered,  ///< one of the user's clients has acknowledged it
  stored,     ///< committed to disk
};
/// `DELIVERED` or `STORED`.
[[nodiscard]] const char* to_string(DeliveryStatus status) noexcept;

/// The 200 of one message.
struct Receipt {
  MessageId id;
  Sequence sequence = 0;
  DeliveryStatus status = DeliveryStatus::stored;
};
/// Errors: `limit_exceeded` (the user's or key's bound), `unavailable` (queue, disk, shutdown),
/// `conflict` (deduplicationId used for another message).
using SendOutcome = Result<Receipt>;

/// The record of a 200 under a `deduplicationId`, kept for five minutes.
struct DeduplicationRecord {
  std::string caller;
  UserId user;
  std::string key;
  Digest payload_hash{};
  Receipt receipt;
  WallTime committed_at;
};

/// The sequences in (above, up_to].
struct SequenceRange {
  Sequence above = 0;
  Sequence up_to = 0;

  bool operator==(const SequenceRange&) const = default;
};

/// The totals of a user's pending messages.
struct PendingTotals {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;  ///< of payloads

  PendingTotals& operator+=(const PendingTotals& more) noexcept {
    messages += more.messages;
    bytes += more.bytes;
    return *this;
  }
};

}  // namespace holdfast::delivery
