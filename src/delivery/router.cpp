// Calls the shard that is home to a user or a connection.

#include <memory>
#include <unordered_map>
#include <utility>

#include <holdfast/delivery/router.hpp>

namespace holdfast::delivery {
namespace {

/// One user's entries of a batch, with their places in it.
struct UserEntries {
  std::vector<SendRequest> requests;
  std::vector<std::size_t> places;
};

/// A home shard's part of a batch, brought back in one post.
struct ShardPart {
  std::vector<UserEntries> users;
  std::size_t open = 0;
  std::vector<std::pair<std::size_t, SendOutcome>> outcomes;
};

/// A batch on the shard that it came in on.
struct PendingBatch {
  std::vector<SendOutcome> outcomes;
  std::size_t open = 0;
  Completion<std::vector<SendOutcome>> done;
};

std::uint64_t hash_of(std::string_view text) noexcept {
  // FNV-1a, with a final mix: its low bits alone are poor.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  hash ^= hash >> 32;
  hash *= 0x9e3779b97f4a7c15U;
  hash ^= hash >> 29;
  return hash;
}

/// Calls the mailboxes of `to` from `from`: directly on one shard, with a post each way across two.
/// `call` is given the mailboxes and what takes their answer.
template <class T, class Call>
void call_on(const Router& router, std::size_t from, std::size_t to, Call call,
             Completion<T> done) {
  Mailboxes* const mailboxes = router.shard(to).mailboxes;
  if (to == from) {
    call(*mailboxes, std::move(done));
    return;
  }
  Executor* const back = router.shard(from).executor;
  router.shard(to).executor->post(
      [mailboxes, back, call = std::move(call), done = std::move(done)]() mutable {
        call(*mailboxes, Completion<T>([back, done = std::move(done)](T answer) mutable {
          back->post([done = std::move(done), answer = std::move(answer)]() mutable {
            done(std::move(answer));
          });
        }));
      });
}

void run_part(Mailboxes& mailboxes, const std::shared_ptr<ShardPart>& part, Task finished) {
  auto shared = std::make_shared<Task>(std::move(finished));
  part->open = part->users.size();
  for (UserEntries& entries : part->users) {
    mailboxes.send_all(
        std::move(entries.requests),
        [part, shared, places = std::move(entries.places)](std::vector<SendOutcome> outcomes) {
          for (std::size_t i = 0; i < places.size(); ++i) {
            part->outcomes.emplace_back(places[i], std::move(outcomes[i]));
          }
          if (--part->open == 0) (*shared)();
        });
  }
}

void collect(PendingBatch& batch, ShardPart& part) {
  for (auto& [place, outcome] : part.outcomes) batch.outcomes[place] = std::move(outcome);
  if (--batch.open == 0) batch.done(std::move(batch.outcomes));
}

}  // namespace

std::size_t home_shard(const UserId& user, std::size_t shards) noexcept {
  return static_cast<std::size_t>(hash_of(user.str()) % shards);
}

Router::Router(std::vector<Shard> shards) : shards_(std::move(shards)) {}

std::size_t Router::home(const UserId& user) const noexcept {
  return home_shard(user, shards_.size());
}

std::size_t Router::home(const ConnectionId& id) const noexcept {
  return static_cast<std::size_t>(hash_of(id.str()) % shards_.size());
}

ConnectionId Router::make_connection_id(std::size_t shard) const {
  // Random ids until one falls to the shard, as often as there are shards: no table of ids, and
  // nothing in an id that tells outsiders where it lives.
  ConnectionId id = generate_connection_id();
  while (home(id) != shard) id = generate_connection_id();
  return id;
}

void Router::send(std::size_t from, SendRequest request, Completion<SendOutcome> done) const {
  const std::size_t to = home(request.user);
  call_on<SendOutcome>(
      *this, from, to,
      [request = std::move(request)](Mailboxes& mailboxes, Completion<SendOutcome> answer) mutable {
        mailboxes.send(std::move(request), std::move(answer));
      },
      std::move(done));
}

void Router::send_batch(std::size_t from, std::vector<SendRequest> requests,
                        Completion<std::vector<SendOutcome>> done) const {
  if (requests.empty()) {
    done({});
    return;
  }
  auto batch = std::make_shared<PendingBatch>();
  batch->outcomes.assign(requests.size(), fail(Errc::internal, "no outcome"));
  batch->done = std::move(done);

  std::vector<std::shared_ptr<ShardPart>> parts(shards_.size());
  std::unordered_map<UserId, std::size_t> user_index;  // in its shard's part
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto& part = parts[home(requests[i].user)];
    if (!part) {
      part = std::make_shared<ShardPart>();
      ++batch->open;
    }
    const auto [index, first] = user_index.try_emplace(requests[i].user, part->users.size());
    if (first) part->users.emplace_back();
    UserEntries& entries = part->users[index->second];
    entries.places.push_back(i);
    entries.requests.push_back(std::move(requests[i]));
  }
  for (std::size_t to = 0; to < parts.size(); ++to) {
    auto& part = parts[to];
    if (!part) continue;
    Mailboxes* const mailboxes = shards_[to].mailboxes;
    if (to == from) {
      run_part(*mailboxes, part, [batch, part] { collect(*batch, *part); });
      continue;
    }
    Executor* const back = shards_[from].executor;
    shards_[to].executor->post([mailboxes, part, batch, back]() mutable {
      run_part(*mailboxes, part, [part, batch, back]() mutable {
        back->post([part = std::move(part), batch = std::move(batch)] { collect(*batch, *part); });
      });
    });
  }
}

void Router::move_to_dead_letters(UserId user, std::string reason) const {
  const Shard& home_shard = shards_[home(user)];
  home_shard.executor->post(
      [mailboxes = home_shard.mailboxes, user = std::move(user), reason = std::move(reason)] {
        mailboxes->move_to_dead_letters(user, reason);
      });
}

void Router::close_logins(UserId user, Logins logins, CloseReason reason, std::string text) const {
  const Shard& home_shard = shards_[home(user)];
  home_shard.executor->post(
      [mailboxes = home_shard.mailboxes, user = std::move(user), logins = std::move(logins), reason,
       text = std::move(text)] { mailboxes->close_logins(user, logins, reason, text); });
}

void Router::delete_pending(std::size_t from, UserId user, std::optional<MessageId> id,
                            std::string reason, Completion<Result<Deletion>> done) const {
  const std::size_t to = home(user);
  call_on<Result<Deletion>>(
      *this, from, to,
      [user = std::move(user), id, reason = std::move(reason)](
          Mailboxes& mailboxes, Completion<Result<Deletion>> answer) mutable {
        mailboxes.delete_pending(user, id, std::move(reason), std::move(answer));
      },
      std::move(done));
}

void Router::redrive(std::size_t from, UserId user, MessageId id, std::optional<Seconds> ttl,
                     Completion<SendOutcome> done) const {
  const std::size_t to = home(user);
  call_on<SendOutcome>(
      *this, from, to,
      [user = std::move(user), id, ttl](Mailboxes& mailboxes, Completion<SendOutcome> answer) {
        mailboxes.redrive(user, id, ttl, std::move(answer));
      },
      std::move(done));
}

void Router::delete_dead_letters(std::size_t from, std::size_t to, std::vector<MessageId> ids,
                                 Completion<Result<std::vector<MessageId>>> done) const {
  using Deleted = Result<std::vector<MessageId>>;
  call_on<Deleted>(
      *this, from, to,
      [ids = std::move(ids)](Mailboxes& mailboxes, Completion<Deleted> answer) mutable {
        mailboxes.delete_dead_letters(std::move(ids), std::move(answer));
      },
      std::move(done));
}

void Router::find_connection(std::size_t from, ConnectionId id,
                             Completion<std::optional<ConnectionInfo>> done) const {
  const std::size_t to = home(id);
  call_on<std::optional<ConnectionInfo>>(
      *this, from, to,
      [id = std::move(id)](Mailboxes& mailboxes, Completion<std::optional<ConnectionInfo>> answer) {
        answer(mailboxes.find_connection(id));
      },
      std::move(done));
}

void Router::post_text(std::size_t from, ConnectionId id, std::string text,
                       Completion<Result<void>> done) const {
  const std::size_t to = home(id);
  call_on<Result<void>>(
      *this, from, to,
      [id = std::move(id), text = std::move(text)](Mailboxes& mailboxes,
                                                   Completion<Result<void>> answer) {
        answer(mailboxes.post_text(id, text));
      },
      std::move(done));
}

void Router::close_connection(std::size_t from, ConnectionId id, CloseReason reason,
                              Completion<bool> done) const {
  const std::size_t to = home(id);
  call_on<bool>(
      *this, from, to,
      [id = std::move(id), reason](Mailboxes& mailboxes, Completion<bool> answer) {
        answer(mailboxes.find_connection(id) && mailboxes.close(id, reason, {}));
      },
      std::move(done));
}

}  // namespace holdfast::delivery
