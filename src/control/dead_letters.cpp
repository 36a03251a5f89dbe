// The routes that list, redrive and delete dead letters.

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "routes.hpp"

namespace holdfast::control {
namespace {

using delivery::DeadLetterInfo;
using delivery::DeadLetterPage;
using delivery::DeadLetterQuery;

constexpr std::size_t kIdsMax = 1000;
// A redrive may wait for an acknowledgement: so many are done within the time that a caller waits.
constexpr std::size_t kRedrivesMax = 100;
constexpr Seconds kTtlMax{std::int64_t{3'650} * 24 * 3'600};

// Returns the first acceptance. The id has its time, or the window of its deduplicationId, which is
// at most a day. A redriven message was accepted again later.
WallTime first_accepted_at(const DeadLetterInfo& letter) {
  constexpr Seconds longest_window{24 * 3'600};
  const WallTime made = letter.id.made_at();
  const Seconds exact_to = letter.id.is_derived() ? longest_window : Seconds(0);
  return made + exact_to < letter.accepted_at - Milliseconds(1) ? made : letter.accepted_at;
}

Json to_json(const DeadLetterInfo& letter) {
  return {{"messageId", letter.id.str()},
          {"userId", letter.user.str()},
          {"sequence", letter.sequence},
          {"bytes", letter.bytes},
          {"reason", letter.reason},
          {"detail", letter.detail},
          {"firstAcceptedAt", format_iso8601(first_accepted_at(letter))},
          {"acceptedAt", format_iso8601(letter.accepted_at)},
          {"expiresAt", format_iso8601(letter.expires_at)},
          {"diedAt", format_iso8601(letter.died_at)}};
}

Json to_json(const std::optional<MessageId>& next) { return next ? Json(next->str()) : Json(); }

Result<MessageId> read_id(std::string_view text, const std::string& where) {
  const auto id = parse_message_id(text);
  if (!id) return refuse("is not a UUID", where);
  return *id;
}

/// The dead letters that a request selects.
struct Selection {
  std::vector<MessageId> ids;
  DeadLetterQuery query;         ///< when there are no ids
  std::optional<Seconds> ttl{};  ///< of a redrive, when it says one
};

Result<void> read_ids(const Json& value, Selection& into) {
  if (!value.is_array() || value.empty() || value.size() > kIdsMax) {
    return refuse("must be an array of 1 to 1000 ids", "messageIds");
  }
  std::set<MessageId> seen;
  for (const Json& entry : value) {
    const auto id = entry.is_string() ? read_id(entry.get<std::string>(), "messageIds")
                                      : Result<MessageId>(refuse("is not a UUID", "messageIds"));
    if (!id) return std::unexpected(id.error());
    if (seen.insert(*id).second) into.ids.push_back(*id);
  }
  return {};
}

Result<void> read_filter(const std::string& member, const Json& value, Selection& into) {
  if (!value.is_string()) return refuse("must be a string", member);
  auto text = value.get<std::string>();
  if (member == "userId") {
    into.query.user = UserId(std::move(text));
  } else if (member == "reason") {
    into.query.reason = std::move(text);
  } else {
    const auto after = read_id(text, member);
    if (!after) return std::unexpected(after.error());
    into.query.after = *after;
  }
  return {};
}

Result<void> read_ttl(const Json& value, Selection& into) {
  if (!value.is_number_integer() || value < 1 || value > kTtlMax.count()) {
    return refuse("must be an integer from 1 to 315360000", "ttlSeconds");
  }
  into.ttl = Seconds(value.get<std::int64_t>());
  return {};
}

enum class Purpose : std::uint8_t { redrive, removal };

// Reads a selection: ids only, or a user or a reason or both, or an explicit `all`.
Result<Selection> read_selection(std::string_view body, Purpose purpose) {
  const auto input = parse_json(body);
  if (!input) return std::unexpected(input.error());
  if (!input->is_object()) return refuse("must be an object", "body");
  Selection out;
  bool all = false;
  for (const auto& [member, value] : input->items()) {
    if (is_absent(member, value, {"messageIds", "userId", "reason", "after", "all"})) continue;
    if (purpose == Purpose::redrive && is_absent(member, value, {"ttlSeconds"})) continue;
    Result<void> read;
    if (member == "messageIds") {
      read = read_ids(value, out);
    } else if (member == "userId" || member == "reason" || member == "after") {
      read = read_filter(member, value, out);
    } else if (member == "ttlSeconds" && purpose == Purpose::redrive) {
      read = read_ttl(value, out);
    } else if (member == "all" && value == Json(true)) {
      all = true;
    } else {
      read = refuse(member == "all" ? "must be true" : "unknown member", member);
    }
    if (!read) return std::unexpected(read.error());
  }
  const bool filtered = out.query.user || out.query.reason;
  const int kinds = (out.ids.empty() ? 0 : 1) + (filtered ? 1 : 0) + (all ? 1 : 0);
  if (kinds != 1 || (out.query.after && !out.ids.empty())) {
    return refuse("must have `messageIds`, or `userId` or `reason` or both, or `all`", "body");
  }
  return out;
}

/// One request that changes letters: its page, the successes and the failures.
struct Work {
  explicit Work(Call asked) : call(std::move(asked)) {}

  Call call;
  std::vector<DeadLetterInfo> letters;
  std::optional<MessageId> next;
  std::optional<Seconds> ttl;
  Json done = Json::array();
  Json failed = Json::array();
  std::size_t open = 0;

  void fail_one(const std::string& id, const Error& error) {
    failed.push_back(
        {{"messageId", id}, {"code", to_string(error.code)}, {"message", error.message}});
  }
  void answer(const char* name) {
    call.respond(json_answer({{name, done}, {"failed", failed}, {"next", to_json(next)}}));
  }
};
using WorkPtr = std::shared_ptr<Work>;
using Run = void (*)(const WorkPtr&);

Error gone() { return {Errc::not_found, "there is no dead letter of this id"}; }

// The letters of ids, one look-up each; those that are not there have failed.
void look_up(const WorkPtr& work, const std::vector<MessageId>& ids, Run run) {
  work->open = ids.size();
  for (const MessageId& id : ids) {
    work->call.parts.messages[work->call.shard]->find_dead_letter(
        id, [work, id, run](const Result<std::optional<delivery::DeadLetter>>& found) {
          if (!found) {
            work->fail_one(id.str(), found.error());
          } else if (!*found) {
            work->fail_one(id.str(), gone());
          } else {
            DeadLetterInfo& letter = work->letters.emplace_back();
            letter.id = id;
            letter.user = (**found).message->user;
            letter.sequence = (**found).message->sequence;
          }
          if (--work->open == 0) run(work);
        });
  }
}

void select(Call call, std::size_t most, Purpose purpose, Run run) {
  auto selection = read_selection(call.body, purpose);
  if (!selection) return call.respond(json_error(selection.error()));
  if (selection->ids.size() > most) {
    return call.respond(json_error(
        Error(Errc::invalid_argument, "must be at most " + std::to_string(most), "messageIds")));
  }
  auto work = std::make_shared<Work>(std::move(call));
  work->ttl = selection->ttl;
  if (!selection->ids.empty()) return look_up(work, selection->ids, run);
  selection->query.limit = most;
  work->call.parts.messages[work->call.shard]->list_dead_letters(
      std::move(selection->query), [work, run](Result<DeadLetterPage> page) {
        if (!page) return work->call.respond(json_error(page.error()));
        work->letters = std::move(page->letters);
        work->next = page->next;
        run(work);
      });
}

/// Redrives one user's letters one after the other, in the order of their acceptance. Each waits
/// for the acceptance of the one before.
struct UserRedrive {
  WorkPtr work;
  std::vector<DeadLetterInfo> letters;
  std::size_t at = 0;
  std::optional<Error> failure{};  ///< the error that fails the user's later letters
};

void redrive_next(const std::shared_ptr<UserRedrive>& user);

void on_redriven(const std::shared_ptr<UserRedrive>& user, const delivery::SendOutcome& outcome) {
  const DeadLetterInfo& letter = user->letters[user->at++];
  if (outcome) {
    user->work->done.push_back({{"messageId", letter.id.str()},
                                {"userId", letter.user.str()},
                                {"sequence", outcome->sequence},
                                {"status", delivery::to_string(outcome->status)}});
  } else {
    user->work->fail_one(letter.id.str(), outcome.error());
    const Errc code = outcome.error().code;
    if (code == Errc::unavailable || code == Errc::limit_exceeded) user->failure = outcome.error();
  }
  redrive_next(user);
}

void redrive_next(const std::shared_ptr<UserRedrive>& user) {
  Work& work = *user->work;
  // A later letter that found room would overtake this one.
  while (user->failure && user->at < user->letters.size()) {
    work.fail_one(user->letters[user->at++].id.str(), *user->failure);
  }
  if (user->at == user->letters.size()) {
    if (--work.open == 0) work.answer("redriven");
    return;
  }
  const DeadLetterInfo& letter = user->letters[user->at];
  Executor* const executor = work.call.parts.router.shard(work.call.shard).executor;
  work.call.parts.router.redrive(work.call.shard, letter.user, letter.id, work.ttl,
                                 [user, executor](delivery::SendOutcome outcome) {
                                   // Posted, so that many that answer at once do not call each
                                   // other.
                                   executor->post([user, outcome = std::move(outcome)]() mutable {
                                     on_redriven(user, outcome);
                                   });
                                 });
}

void redrive(const WorkPtr& work) {
  std::map<UserId, std::shared_ptr<UserRedrive>> users;
  std::ranges::sort(work->letters, {}, &DeadLetterInfo::sequence);
  for (DeadLetterInfo& letter : work->letters) {
    auto& user = users[letter.user];
    if (!user) user = std::make_shared<UserRedrive>(UserRedrive{.work = work, .letters = {}});
    user->letters.push_back(std::move(letter));
  }
  work->letters.clear();
  if (users.empty()) return work->answer("redriven");
  work->open = users.size();
  for (const auto& [id, user] : users) redrive_next(user);
}

void on_deleted(const WorkPtr& work, const std::vector<MessageId>& asked,
                const Result<std::vector<MessageId>>& deleted) {
  for (const MessageId& id : asked) {
    if (!deleted) {
      work->fail_one(id.str(), deleted.error());
    } else if (std::ranges::find(*deleted, id) != deleted->end()) {
      work->done.push_back(id.str());
    } else {
      work->fail_one(id.str(), {Errc::conflict, "it is being redriven, or gone"});
    }
  }
  if (--work->open == 0) work->answer("deleted");
}

void remove(const WorkPtr& work) {
  std::map<std::size_t, std::vector<MessageId>> by_shard;
  const delivery::Router& router = work->call.parts.router;
  for (const DeadLetterInfo& letter : work->letters) {
    by_shard[router.home(letter.user)].push_back(letter.id);
  }
  if (by_shard.empty()) return work->answer("deleted");
  work->open = by_shard.size();
  for (const auto& [shard, ids] : by_shard) {
    router.delete_dead_letters(work->call.shard, shard, ids,
                               [work, ids](const Result<std::vector<MessageId>>& deleted) {
                                 on_deleted(work, ids, deleted);
                               });
  }
}

}  // namespace

void list_dead_letters(Call call) {
  const auto limit = call.limit();
  if (!limit) return call.respond(json_error(limit.error()));
  DeadLetterQuery query;
  query.limit = *limit;
  if (const std::string* const user = call.parameter("userId")) query.user = UserId(*user);
  if (const std::string* const reason = call.parameter("reason")) query.reason = *reason;
  if (const std::string* const text = call.parameter("after")) {
    const auto after = read_id(*text, "after");
    if (!after) return call.respond(json_error(after.error()));
    query.after = *after;
  }
  call.parts.messages[call.shard]->list_dead_letters(
      std::move(query), [respond = std::move(call.respond)](Result<DeadLetterPage> page) mutable {
        if (!page) return respond(json_error(page.error()));
        Json list = Json::array();
        for (const DeadLetterInfo& letter : page->letters) list.push_back(to_json(letter));
        respond(json_answer({{"deadLetters", std::move(list)}, {"next", to_json(page->next)}}));
      });
}

void redrive_dead_letters(Call call) {
  select(std::move(call), kRedrivesMax, Purpose::redrive, redrive);
}

void delete_dead_letters(Call call) { select(std::move(call), kIdsMax, Purpose::removal, remove); }

}  // namespace holdfast::control
