// Commands that list, redrive and delete dead letters: `holdfast dead-letters`.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "confirm.hpp"
#include "control_call.hpp"
#include "interrupt.hpp"
#include "table.hpp"

namespace holdfast::cli {
namespace {

constexpr const char* kReasonText =
    "only with this reason: expired, deleted, user_deleted, user_disabled, "
    "undeliverable, damaged";
const std::vector<std::string> kReasons{"expired",       "deleted",       "user_deleted",
                                        "user_disabled", "undeliverable", "damaged"};
constexpr std::int64_t kLettersPerPage = 1000;

struct LetterListFlags : AdminFlags {
  std::string user;
  std::string reason;
  std::string after;
  std::int64_t limit = 100;
};

struct LetterFlags : AdminFlags, DestructionFlags {
  std::vector<std::string> ids;
  std::string user;
  std::string reason;
  std::int64_t ttl = 0;  ///< seconds; 0 if not given
  bool all = false;
};

/// A command that works on dead letters.
struct LetterWork {
  const char* name;
  const char* about;
  const char* target;
  const char* done;  ///< the answer's member
  std::size_t ids_per_call;
  bool destroys;
};
constexpr LetterWork kLetterWorks[] = {
    {"redrive", "Send dead letters again, with the same ids and new sequences",
     "/v1/dead-letters/redrive", "redriven", 100, false},
    {"delete", "Delete dead letters for good", "/v1/dead-letters/delete", "deleted", 1000, true},
};

std::string letters_target(const LetterListFlags& flags) {
  std::string target = "/v1/dead-letters?limit=" + std::to_string(flags.limit);
  for (const auto& [name, value] :
       {std::pair("userId", &flags.user), {"reason", &flags.reason}, {"after", &flags.after}}) {
    if (!value->empty()) target += std::string("&") + name + "=" + percent_encode(*value);
  }
  return target;
}

int list_letters(const Context& context, const LetterListFlags& flags) {
  const auto found = ask(context, flags, "GET", letters_target(flags));
  if (!found) return kFailure;
  const Json& answer = *found;
  if (flags.json) {
    context.out << answer.dump() << "\n";
    return kSuccess;
  }
  const Json& letters = member(answer, "deadLetters");
  const std::string next = cell(answer, "next");
  if (!letters.empty()) {
    print_list(context, letters,
               {{"MESSAGE ID", "messageId"},
                {"USER ID", "userId"},
                {"BYTES", "bytes"},
                {"REASON", "reason"},
                {"FIRST ACCEPTED", "firstAcceptedAt"},
                {"ACCEPTED", "acceptedAt"},
                {"DIED", "diedAt"}});
  } else if (next.empty()) {
    const bool all = flags.user.empty() && flags.reason.empty() && flags.after.empty();
    context.err << (all ? "There are no dead letters.\n" : "There are no such dead letters.\n");
  }
  if (!next.empty()) context.err << "There is more: --after " << printable(next) << "\n";
  return kSuccess;
}

/// Makes the requests of one command, page by page.
class LetterRequests {
 public:
  LetterRequests(const LetterFlags& flags, const LetterWork& work) : flags_(flags), work_(work) {}

  [[nodiscard]] Json body() const {
    Json out = Json::object();
    if (flags_.ttl > 0) out["ttlSeconds"] = flags_.ttl;
    if (!flags_.ids.empty()) {
      const auto first = flags_.ids.begin() + static_cast<std::ptrdiff_t>(at_);
      out["messageIds"] =
          std::vector<std::string>(first, first + static_cast<std::ptrdiff_t>(here()));
      return out;
    }
    if (flags_.all) out["all"] = true;
    if (!flags_.user.empty()) out["userId"] = flags_.user;
    if (!flags_.reason.empty()) out["reason"] = flags_.reason;
    if (!next_.empty()) out["after"] = next_;
    return out;
  }
  /// Moves on to the next request. Returns false if `answer` was the last one's.
  [[nodiscard]] bool go_on(const Json& answer) {
    if (!flags_.ids.empty()) {
      at_ += here();
      return at_ < flags_.ids.size();
    }
    // A place that does not change would loop for ever.
    std::string next = cell(answer, "next");
    next_ = next == next_ ? std::string() : std::move(next);
    return !next_.empty();
  }

 private:
  [[nodiscard]] std::size_t here() const {
    return std::min(work_.ids_per_call, flags_.ids.size() - at_);
  }

  const LetterFlags& flags_;
  const LetterWork& work_;
  std::size_t at_ = 0;
  std::string next_;
};

void show_work(const Context& context, const LetterWork& work, const Json& done,
               const Json& failed_ones) {
  if (!done.empty() && done.front().is_object()) {
    print_list(context, done,
               {{"MESSAGE ID", "messageId"},
                {"USER ID", "userId"},
                {"SEQUENCE", "sequence"},
                {"STATUS", "status"}});
  }
  for (const Json& one : failed_ones) {
    (void)failed(context,
                 printable(cell(one, "messageId")) + ": " + printable(cell(one, "message")));
  }
  context.err << done.size() << " " << work.done << ", " << failed_ones.size() << " failed.\n";
}

// Counts the letters that match the filter, page by page.
std::optional<std::size_t> count_letters(const Context& context, const LetterFlags& flags) {
  LetterListFlags list;
  list.user = flags.user;
  list.reason = flags.reason;
  list.limit = kLettersPerPage;
  std::size_t count = 0;
  do {
    const auto page = ask(context, flags, "GET", letters_target(list));
    if (!page) return std::nullopt;
    count += member(*page, "deadLetters").size();
    const std::string next = cell(*page, "next");
    // A place that does not change would loop for ever.
    list.after = next == list.after ? std::string() : next;
  } while (!list.after.empty() && !Interrupt::requested());
  return count;
}

std::optional<std::string> what_letters_go(const Context& context, const LetterFlags& flags) {
  const auto count = flags.ids.empty() ? count_letters(context, flags)
                                       : std::optional<std::size_t>(flags.ids.size());
  if (!count) return std::nullopt;
  return "delete " + std::to_string(*count) + " dead letters for good";
}

int work_on_letters(const Context& context, const LetterFlags& flags, const LetterWork& work) {
  const Interrupt interrupt;
  if (work.destroys) {
    const auto what = [&] { return what_letters_go(context, flags); };
    if (const auto exit = confirm(context, flags, what)) return *exit;
  }
  Json done = Json::array();
  Json failed_ones = Json::array();
  LetterRequests requests(flags, work);
  bool more = true;
  bool answered = true;
  while (more && !Interrupt::requested()) {
    const auto answer = ask(context, flags, "POST", work.target, requests.body());
    answered = answer.has_value();
    if (!answered) break;
    for (const Json& one : member(*answer, work.done)) done.push_back(one);
    for (const Json& one : member(*answer, "failed")) failed_ones.push_back(one);
    more = requests.go_on(*answer);
  }
  // Prints what was done, also after a failure or Ctrl-C.
  if (flags.json) {
    context.out << Json{{work.done, done}, {"failed", failed_ones}}.dump() << "\n";
  } else {
    show_work(context, work, done, failed_ones);
  }
  if (answered && more) return kInterrupted;
  return answered && failed_ones.empty() ? kSuccess : kFailure;
}

void add_letter_work(CLI::App& group, Selection& selection, const LetterWork& work) {
  auto flags = std::make_shared<LetterFlags>();
  auto* command = group.add_subcommand(work.name, work.about);
  auto* ids = command->add_option("MESSAGE_ID", flags->ids, "the messages' ids");
  auto* user = command->add_option("--user", flags->user, "only of this user id")->excludes(ids);
  auto* reason = command->add_option("--reason", flags->reason, kReasonText)
                     ->check(CLI::IsMember(kReasons))
                     ->excludes(ids);
  command->add_flag("--all", flags->all, "all dead letters")
      ->excludes(ids)
      ->excludes(user)
      ->excludes(reason);
  if (work.destroys) add_destruction_flags(*command, *flags);
  if (!work.destroys) {
    command
        ->add_option("--ttl", flags->ttl,
                     "new lifetime in seconds (default: the message's first one; for an expired "
                     "message, the configured default)")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{3'650} * 24 * 3'600));
  }
  add_admin_flags(*command, *flags);
  command->callback([flags, &work, &selection] {
    if (flags->ids.empty() && flags->user.empty() && flags->reason.empty() && !flags->all) {
      throw CLI::RequiredError("MESSAGE_ID, --user, --reason or --all");
    }
    selection.run = [flags, &work](const Context& context) {
      return work_on_letters(context, *flags, work);
    };
  });
}

}  // namespace

void add_dead_letters(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("dead-letters", "Show, redrive and delete undelivered messages");
  group->require_subcommand(1);
  auto flags = std::make_shared<LetterListFlags>();
  auto* list = group->add_subcommand("list", "List dead letters, without their text");
  list->add_option("--user", flags->user, "only of this user id");
  list->add_option("--reason", flags->reason, kReasonText)->check(CLI::IsMember(kReasons));
  list->add_option("--after", flags->after, "begin after this message id");
  list->add_option("--limit", flags->limit, "rows at most")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_admin_flags(*list, *flags);
  list->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return list_letters(context, *flags); };
  });
  for (const LetterWork& work : kLetterWorks) add_letter_work(*group, selection, work);
}

}  // namespace holdfast::cli
