#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <holdfast/delivery/mailboxes.hpp>

#include "cursor.hpp"
#include "mailbox.hpp"
#include "shard_context.hpp"

namespace holdfast::delivery {

/// All mailboxes of a shard, its connections, and what runs beside the messages.
class ShardMailboxes final : public Mailboxes {
 public:
  ShardMailboxes(MailboxesOptions options, const Clock& clock, Executor& executor,
                 MessageStore& messages, ConnectionStore& connections);
  ~ShardMailboxes() override;

  void send(SendRequest request, Completion<SendOutcome> done) override;
  void send_all(std::vector<SendRequest> requests,
                Completion<std::vector<SendOutcome>> done) override;
  void attach(ConnectionInfo info, ProtocolPtr protocol,
              std::shared_ptr<Connection> connection) override;
  void start_delivery(const ConnectionId& id) override;
  std::optional<ConnectionInfo> find_connection(const ConnectionId& id) const override;
  Result<void> post_text(const ConnectionId& id, std::string_view text) override;
  bool close(const ConnectionId& id, CloseReason reason, std::string_view text) override;
  void close_logins(const UserId& user, const Logins& logins, CloseReason reason,
                    std::string_view text) override;
  void move_to_dead_letters(const UserId& user, std::string reason) override;
  void delete_pending(const UserId& user, std::optional<MessageId> id, std::string reason,
                      Completion<Result<Deletion>> done) override;
  void redrive(const UserId& user, const MessageId& id, std::optional<Seconds> ttl,
               Completion<SendOutcome> done) override;
  void delete_dead_letters(std::vector<MessageId> ids,
                           Completion<Result<std::vector<MessageId>>> done) override;
  void tick() override;
  const MailboxMetrics& metrics() const noexcept override { return shard_.metrics; }
  std::vector<ConnectionInfo> connections(const ConnectionQuery& query) const override;
  std::vector<Execution> executions(const ExecutionFilter& filter,
                                    std::size_t limit) const override;
  PendingTotals pending(const UserId& user) const override;
  void change_limits(const Limits& limits) override;
  void close_gradually(Microseconds window, Task done) override;
  void drain(Task done) override;
  void close_connections(Task done) override;

  /// For tests: nullptr while the user has none.
  [[nodiscard]] const Mailbox* find(const UserId& user) const;

 private:
  struct ById {
    using is_transparent = void;
    static std::string_view key(std::string_view id) noexcept { return id; }
    static std::string_view key(const Cursor* cursor) noexcept { return cursor->id(); }
    std::size_t operator()(const auto& value) const noexcept {
      return std::hash<std::string_view>{}(key(value));
    }
    bool operator()(const auto& a, const auto& b) const noexcept { return key(a) == key(b); }
  };

  // ---- accepting
  [[nodiscard]] Mailbox& mailbox_of(const UserId& user);
  void destroy_if_idle(Mailbox& mailbox);
  /// Accepts a message, whose mailbox it returns: `dispatch` must follow. A message that is refused
  /// is answered; a repeat is answered or waits with the first, and has nullptr.
  Result<Mailbox*> accept(SendRequest request, Completion<SendOutcome> done);
  /// Leaves `acceptance.done` alone when it refuses the message.
  [[nodiscard]] Result<Mailbox*> accept(Acceptance& acceptance);
  [[nodiscard]] Result<bool> answer_repeat(Remembered& remembered, Completion<SendOutcome>& done);
  [[nodiscard]] MessageId new_message_id(const Remembered& remembered,
                                         const MessageId& before) const;
  /// Counts a message as in flight for its key, unless the key's share is used up.
  [[nodiscard]] Result<void> charge(SenderQuota& caller, std::size_t payload_bytes) const;
  [[nodiscard]] Result<Reservation> reserve(std::size_t payload_bytes,
                                            const SenderQuotaPtr& caller);
  void redrive_found(const DeadLetter& letter, std::optional<Seconds> ttl,
                     Completion<SendOutcome> done);

  // ---- connections
  [[nodiscard]] Cursor* find_cursor(const ConnectionId& id) const;
  void on_connection_gone(Cursor& cursor);
  void close_for_shutdown(Cursor& cursor);

  // ---- what runs beside the messages
  void run_timers();
  void sweep_connections();
  [[nodiscard]] bool is_old(const Cursor& cursor) const;
  void sweep_expired();
  void on_expired_found(Result<ExpiryPage> page);
  void expire_due();
  void sweep_passed_over();
  void sweep_deduplication();
  void begin_purge(const UserId& user, Sequence up_to, std::string reason);
  void end_purge(const UserId& user, Sequence up_to);
  void sweep_purges();
  struct QueuedPurge;
  [[nodiscard]] bool purge_some(const UserId& user, QueuedPurge& purge, std::int64_t rows);
  void watch_clocks();
  void remember_time();
  void correct_lifetimes();
  void advance_shutdown();
  void advance_leaving();
  void advance_drain();
  void advance_closing();

  ShardContext shard_;
  Executor& executor_;
  ConnectionStore& connection_store_;
  const std::size_t shard_index_;
  const std::size_t shards_;
  const std::string message_id_secret_;

  std::unordered_map<UserId, std::unique_ptr<Mailbox>> mailboxes_;
  /// Pending totals of users who need no mailbox now.
  std::unordered_map<UserId, PendingTotals> totals_;
  std::vector<std::unique_ptr<Cursor>> cursors_;
  std::unordered_set<Cursor*, ById, ById> by_id_;
  std::vector<std::unique_ptr<Cursor>>
      ended_cursors_;  ///< closed; still on the stack of their last event
  /// Dead letters that are being redriven or deleted: one or the other, and once.
  std::set<MessageId> busy_letters_;
  /// Messages to move to the dead letters, of a user whose access has ended.
  struct QueuedPurge {
    Sequence up_to = 0;
    std::string reason;
    SteadyTime due;
  };
  std::unordered_map<UserId, QueuedPurge> queued_purges_;
  std::deque<UserId> purge_next_;  ///< of those, who have no sweep under way
  std::int64_t purging_rows_ = 0;  ///< that the others have

  std::size_t sweep_at_ = 0;  ///< in `cursors_`
  SteadyTime swept_at_;
  /// When the bound on their age became what it is: connections that are older by then do not all
  /// go at once.
  BootTime age_bounded_at_;
  SteadyTime expire_at_;
  SteadyTime forget_at_;
  SteadyTime remember_at_;
  bool correcting_ = false;
  bool finding_expired_ = false;
  bool clocks_agreed_ = true;
  std::uint32_t clocks_rebased_ = 0;
  std::optional<ExpiryPlace> expired_after_;
  UserId passed_over_at_{""};       ///< the user whose turn was last
  std::deque<UserId> due_;          ///< found, and not swept yet
  std::int64_t expiring_rows_ = 0;  ///< that users have whose sweep is under way

  /// Connections with the time of their Close, the next one last.
  struct ScheduledClose {
    SteadyTime due;
    ConnectionId connection;
  };
  std::vector<ScheduledClose> scheduled_closes_;
  Task shutdown_done_;
  SteadyTime shutdown_deadline_;
  bool aborted_ = false;
};

}  // namespace holdfast::delivery
