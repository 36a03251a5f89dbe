#pragma once

#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/delivery/client_protocol.hpp>
#include <holdfast/delivery/connection.hpp>

namespace holdfast::delivery {

/// Names the message that an event is about. For the time of the call.
struct MessageEvent {
  const UserId& user;
  MessageId id;
  Sequence sequence = 0;
  WallTime at;  ///< of the turn in which it happens
  /// The access key that sent it, by the id of its `SenderQuota`. Known until its producer is
  /// answered, and to `acknowledged` as far as that comes first; else empty, as for an operator's.
  std::string_view caller{};
};

/// Names the connection that an event is about. For the time of the call.
struct ConnectionEvent {
  const UserId& user;
  std::string_view connection;  ///< its id
  WallTime at;                  ///< of the turn in which it happens
};

/// Hears what becomes of the messages and connections of a shard.
///
/// Called on the home shard, inside the turn in which it happens, while a mailbox is in the middle
/// of it: a listener must not block, throw, or call back into the mailboxes. It notes what it
/// needs, and posts what takes longer. An event comes before the producer's answer that rests on
/// it.
///
/// A message is known by its user and sequence: a redriven one keeps its id and has another
/// sequence. Its events come in this order, none twice:
///
/// * `accepted`, or `redriven` in its place;
/// * `stored`, unless it is acknowledged before its commit, or the commit fails;
/// * one end: `acknowledged`, `expired`, `deleted`, `dead` or `rejected`. Until then it is pending.
///
/// Events are not durable. They tell what this process saw, and no more:
///
/// * A message that a former process accepted has no `accepted` and no `stored` here.
/// * The end of a process may come between what happened and its event: what was committed or
///   acknowledged then has none. Nobody catches up on it at the next start.
/// * An acknowledgement that was not yet applied to the store is forgotten with the process: the
///   message is pending again, is delivered again, and has another `acknowledged`.
/// * What has expired and cannot become a dead letter yet, because those are damaged, is passed
///   over. Its event comes when it has become one.
/// * The mailboxes' own end tells nothing: neither messages nor connections have an event for it.
///
/// Whoever needs what survives a crash writes it in the store's transaction.
class DeliveryEvents {
 public:
  virtual ~DeliveryEvents() = default;

  /// It has its place in the user's log.
  virtual void accepted(const MessageEvent& /*message*/) {}
  /// A dead letter was accepted anew. If it ends as `rejected`, it is still a dead letter.
  virtual void redriven(const MessageEvent& /*message*/) {}
  /// It is committed, and no client has acknowledged it so far.
  virtual void stored(const MessageEvent& /*message*/) {}
  /// A client has acknowledged it, over this connection: the first to do so. `proof` is what that
  /// rests on.
  virtual void acknowledged(const MessageEvent& /*message*/, Proof /*proof*/,
                            std::string_view /*connection*/) {}
  /// Its lifetime was over: it is a dead letter.
  virtual void expired(const MessageEvent& /*message*/) {}
  /// An operator has deleted it: it is a dead letter.
  virtual void deleted(const MessageEvent& /*message*/) {}
  /// It is a dead letter for another reason, one of the documented words: `user_deleted`,
  /// `undeliverable`, `damaged`. The id of a damaged one may be damaged, too, and its sequence.
  virtual void dead(const MessageEvent& /*message*/, std::string_view /*reason*/) {}
  /// Its commit failed, and nobody acknowledged it in time: its producer gets an error. A client
  /// that was sent it may have it all the same.
  virtual void rejected(const MessageEvent& /*message*/) {}

  /// A connection was registered: it can be closed from now on, and may not receive yet.
  virtual void attached(const ConnectionEvent& /*connection*/) {}
  /// Its mailbox has let go of it: nothing is acknowledged over it any more. Once for each
  /// `attached`.
  virtual void detached(const ConnectionEvent& /*connection*/, const ConnectionEnd& /*end*/) {}
};

}  // namespace holdfast::delivery
