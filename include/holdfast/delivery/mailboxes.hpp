#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/logins.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/delivery/client_protocol.hpp>
#include <holdfast/delivery/connection.hpp>
#include <holdfast/delivery/delivery_events.hpp>
#include <holdfast/delivery/execution.hpp>
#include <holdfast/delivery/mailbox_metrics.hpp>
#include <holdfast/delivery/message.hpp>
#include <holdfast/delivery/message_store.hpp>

namespace holdfast::delivery {

/// Selects the connections of a user that receive.
enum class Policy : std::uint8_t { all, latest };
/// The least that settles a message: a Pong, or a client's own word alone. Under `client` an
/// upgrade whose protocol has the fence for a proof is refused (400).
enum class Acknowledge : std::uint8_t { pong, client };

/// Bounds and waits of delivery; `config/holdfast.json` explains each.
struct Limits {
  Milliseconds ack_wait{100};
  Milliseconds ack_timeout{10'000};
  Milliseconds idle_ping{45'000};
  Milliseconds close_wait{2'000};
  /// Beside `ack_timeout`, for what the network has taken and the client has not answered for.
  std::size_t least_bytes_per_second = 4'096;
  /// Connections that end at one message before it becomes a dead letter; 0: never.
  std::uint32_t poison_attempts = 5;
  std::size_t poison_users = 10'000;  ///< counted at one time, per shard
  std::size_t tail_messages = 256;
  std::size_t tail_bytes = 1 << 20;
  std::size_t credit_messages = 256;
  std::size_t credit_bytes = 1 << 20;  ///< of frames, as written
  std::size_t fence_bytes = 64 << 10;
  /// Before the first fence of a connection; doubles from fence to fence, up to `fence_bytes`.
  std::size_t first_fence_bytes = 4 << 10;
  std::size_t fences = 4;
  std::size_t first_page_bytes = 64 << 10;
  std::size_t connections_per_user = 8;
  /// Limits the age of a connection: it is closed with 1001 at a moment of its own in the last
  /// tenth of that. 0: no bound.
  Seconds connection_age{24 * 3600};
  std::int64_t pending_messages = 10'000;
  std::int64_t pending_bytes = 64 << 20;
  Seconds message_ttl{14 * 24 * 3600};
  Seconds deduplication_window{300};
  /// Live, per shard; beyond it `unavailable`. One key has an eighth; beyond it `limit_exceeded`.
  std::size_t deduplication_keys = 4'000'000;
  std::size_t executions = 4096;  ///< kept, per shard
  Seconds ceiling_ahead{60};
  Policy policy = Policy::all;
  Acknowledge acknowledge = Acknowledge::pong;
};

/// Selects the connections of a list: the oldest first, those of one moment by id.
struct ConnectionQuery {
  std::optional<UserId> user;  ///< nullopt: of all
  /// Exclusive; nullopt: from the oldest.
  std::optional<std::pair<WallTime, ConnectionId>> after;
  std::size_t limit = 0;
};

/// The result of deleting pending messages.
struct Deletion {
  PendingTotals moved;  ///< to the dead letters
  PendingTotals left;   ///< the user's pending messages afterwards
};

/// All mailboxes of one shard. Every call, and every completion, on that shard.
class Mailboxes {
 public:
  virtual ~Mailboxes() = default;

  /// SendMessage. Answers when the message is acknowledged, committed, or refused; a refusal may
  /// come inside the call.
  virtual void send(SendRequest request, Completion<SendOutcome> done) = 0;
  /// One user's entries of a batch, in order: after an `unavailable` or `limit_exceeded`, the later
  /// ones fail alike.
  virtual void send_all(std::vector<SendRequest> requests,
                        Completion<std::vector<SendOutcome>> done) = 0;

  /// Registers an open connection (its 101 is written): it can be closed, and receives nothing yet.
  /// What it says of itself is kept to 128 bytes a field. During shutdown it is closed with 1001.
  /// Registering first and asking `identity` whether the user is still admitted second leaves no
  /// gap for a user who is disabled meanwhile.
  virtual void attach(ConnectionInfo info, ProtocolPtr protocol,
                      std::shared_ptr<Connection> connection) = 0;
  /// Starts an attached connection and catches it up (SendUnsentMessages). Does nothing when it has
  /// been closed meanwhile.
  virtual void start_delivery(const ConnectionId& id) = 0;
  /// Returns one connection; nullopt when it is not of this shard, or does not receive
  /// (not admitted yet, or closing).
  [[nodiscard]] virtual std::optional<ConnectionInfo> find_connection(
      const ConnectionId& id) const = 0;
  /// Writes one text frame to that connection alone. It is no message: nothing is stored, and
  /// nobody waits for an acknowledgement. `not_found` as `find_connection` has it;
  /// `limit_exceeded` when the client is too slow for what was posted before.
  virtual Result<void> post_text(const ConnectionId& id, std::string_view text) = 0;
  /// Closes one connection; false when there is none of that id here.
  virtual bool close(const ConnectionId& id, CloseReason reason, std::string_view text) = 0;
  /// Closes a user's connections that were opened through these logins.
  virtual void close_logins(const UserId& user, const Logins& logins, CloseReason reason,
                            std::string_view text) = 0;
  /// Moves what the user has pending by now to the dead letters, with this reason (`user_deleted`),
  /// as soon as their connections are gone. Given up on when one is admitted first. A restart goes
  /// on with it, as far as messages were committed when the store was told of the access's end.
  virtual void move_to_dead_letters(const UserId& user, std::string reason) = 0;

  /// Moves pending messages of the user to the dead letters, with this reason: one, or all that
  /// are committed by now. What an open connection was sent, and whatever is not committed yet, is
  /// under delivery and stays: `conflict` where it is the one that was asked for. `not_found` when
  /// there is none of that id, `conflict` while another deletion of the same user is under way. A
  /// transaction moves some: after an `unavailable`, others may have been moved.
  virtual void delete_pending(const UserId& user, std::optional<MessageId> id, std::string reason,
                              Completion<Result<Deletion>> done) = 0;

  /// Accepts a dead letter anew: same id, new sequence, never elided. It lives for `ttl`; without
  /// one as long as it was to live at first, or as messages do by default when that was too short
  /// for it: it had expired. `not_found` when the user has
  /// none of that id, `conflict` while it is being redriven or deleted, `io` when it is not as it
  /// was written. On the user's home shard.
  virtual void redrive(const UserId& user, const MessageId& id, std::optional<Seconds> ttl,
                       Completion<SendOutcome> done) = 0;
  /// Removes dead letters of users of this shard for good, all in one transaction; answers which.
  /// One that is being redriven stays.
  virtual void delete_dead_letters(std::vector<MessageId> ids,
                                   Completion<Result<std::vector<MessageId>>> done) = 0;

  /// Runs waits that are due and the sweeps. The shard calls it every 10 ms.
  virtual void tick() = 0;

  /// The numbers of this shard. Any thread may read them, while the mailboxes live.
  [[nodiscard]] virtual const MailboxMetrics& metrics() const noexcept = 0;
  [[nodiscard]] virtual std::vector<ConnectionInfo> connections(
      const ConnectionQuery& query) const = 0;
  /// The newest first; of one user, or of one message, or all.
  [[nodiscard]] virtual std::vector<Execution> executions(const ExecutionFilter& filter,
                                                          std::size_t limit) const = 0;
  /// Returns a user's pending totals by this shard's count.
  [[nodiscard]] virtual PendingTotals pending(const UserId& user) const = 0;

  /// Takes over other waits and bounds, while messages are under way. What has begun to wait keeps
  /// its old deadline. `policy` and `acknowledge` must be those of the start, and so must what
  /// tables were sized by: `deduplication_keys`, `executions` and `poison_users`.
  virtual void change_limits(const Limits& limits) = 0;

  /// Optional first step of a shutdown. Refuses new work, and closes every
  /// connection with 1001 at a moment of its own within `window`, so that the clients do not come
  /// back at one instant. Until then it receives what is held for it, and its Close waits for its
  /// fence, for at most `close_wait`. `done` runs when all are gone, or that is over.
  virtual void close_gradually(Microseconds window, Task done) = 0;
  /// The first half of a shutdown: refuses new work, writes no more, awaits fences for at most
  /// `close_wait`, stores the rest and answers it. `done` runs when nothing is unanswered.
  virtual void drain(Task done) = 0;
  /// The second: closes every connection with 1001, still taking Pongs, then applies deletes.
  /// `done` runs when all are gone and every delete was handed to the store.
  virtual void close_connections(Task done) = 0;
};

struct MailboxesOptions {
  Limits limits;
  std::size_t shard = 0;
  std::size_t shards = 1;
  Sequence counter_start = 0;
  Sequence ceiling = 0;                                   ///< committed
  std::vector<std::pair<UserId, PendingTotals>> pending;  ///< of this shard's users
  std::vector<DeduplicationRecord> deduplication;         ///< of users of this shard
  std::vector<PendingPurge> pending_purges;               ///< of users of this shard
  /// The time that the instance last believed; nullopt when it never did.
  std::optional<WallTime> known_time;
  /// Where to count what bounds refuse; null: nobody reads it.
  std::shared_ptr<BoundRefusals> refusals{};
  /// Key for the ids of messages with a deduplicationId: this instance's, always.
  std::string message_id_secret{};
  /// Listeners, told in this order what becomes of messages and connections. Not owned: they
  /// outlive the mailboxes.
  std::vector<DeliveryEvents*> listeners{};
};

/// `executor` is the shard itself; it is used to flush once per loop turn.
[[nodiscard]] std::unique_ptr<Mailboxes> make_mailboxes(MailboxesOptions options,
                                                        const Clock& clock, Executor& executor,
                                                        MessageStore& messages,
                                                        ConnectionStore& connections);

}  // namespace holdfast::delivery
