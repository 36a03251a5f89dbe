#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <holdfast/delivery/mailboxes.hpp>

namespace holdfast::delivery {

/// Finds a user's home shard and carries calls to it and answers back. A call from the home shard
/// itself is a direct one; across shards it is one post each way (the executors batch posts).
class Router {
 public:
  struct Shard {
    Executor* executor;
    Mailboxes* mailboxes;
  };
  explicit Router(std::vector<Shard> shards);

  [[nodiscard]] std::size_t shard_count() const noexcept { return shards_.size(); }
  /// `hash(user) % workers`. Any thread.
  [[nodiscard]] std::size_t home(const UserId& user) const noexcept;
  /// The shard of a connection whose id `make_connection_id` made. Any thread.
  [[nodiscard]] std::size_t home(const ConnectionId& id) const noexcept;
  /// A new id that tells its shard, for as long as this process runs. Any thread.
  [[nodiscard]] ConnectionId make_connection_id(std::size_t shard) const;
  [[nodiscard]] const Shard& shard(std::size_t index) const { return shards_[index]; }

  /// On shard `from`, where `done` runs too, perhaps inside the call.
  void send(std::size_t from, SendRequest request, Completion<SendOutcome> done) const;
  /// Outcomes in the order of `requests`; one post per shard that has any of them. Messages of one
  /// user keep their order.
  void send_batch(std::size_t from, std::vector<SendRequest> requests,
                  Completion<std::vector<SendOutcome>> done) const;
  /// Closes a user's connections that were opened through these logins, soon. Any thread.
  void close_logins(UserId user, Logins logins, CloseReason reason, std::string text) const;
  /// Moves what a user has pending to the dead letters, after what `close_logins` was told. Any
  /// thread.
  void move_to_dead_letters(UserId user, std::string reason) const;

  /// `Mailboxes::delete_pending` on the user's home shard; `done` as for `send`.
  void delete_pending(std::size_t from, UserId user, std::optional<MessageId> id,
                      std::string reason, Completion<Result<Deletion>> done) const;
  /// `Mailboxes::redrive`, likewise.
  void redrive(std::size_t from, UserId user, MessageId id, std::optional<Seconds> ttl,
               Completion<SendOutcome> done) const;
  /// `Mailboxes::delete_dead_letters` on shard `to`, likewise.
  void delete_dead_letters(std::size_t from, std::size_t to, std::vector<MessageId> ids,
                           Completion<Result<std::vector<MessageId>>> done) const;

  /// `Mailboxes::find_connection` on the connection's shard; `done` as above.
  void find_connection(std::size_t from, ConnectionId id,
                       Completion<std::optional<ConnectionInfo>> done) const;
  /// `Mailboxes::post_text`, likewise.
  void post_text(std::size_t from, ConnectionId id, std::string text,
                 Completion<Result<void>> done) const;
  /// Closes a connection that receives; false when there is none of that id.
  void close_connection(std::size_t from, ConnectionId id, CloseReason reason,
                        Completion<bool> done) const;

 private:
  std::vector<Shard> shards_;
};

/// The home shard of `user` among `shards`: stable across restarts with the same count.
[[nodiscard]] std::size_t home_shard(const UserId& user, std::size_t shards) noexcept;

}  // namespace holdfast::delivery
