// The command that lists the audit trail: `holdfast audit list`.

#include <memory>
#include <string>
#include <utility>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "command.hpp"
#include "control_call.hpp"
#include "printable.hpp"

namespace holdfast::cli {
namespace {

struct AuditFlags : AdminFlags {
  std::string actor;
  std::string action;
  std::string target;
  std::string username;
  std::string outcome;
  std::string since;
  std::string before;
  std::int64_t limit = 100;
};

// Returns the query's filters, empty for all records.
std::string audit_filter(const AuditFlags& flags) {
  std::string filter;
  for (const auto& [name, value] : {std::pair("actor", &flags.actor),
                                    {"action", &flags.action},
                                    {"target", &flags.target},
                                    {"username", &flags.username},
                                    {"outcome", &flags.outcome},
                                    {"since", &flags.since},
                                    {"before", &flags.before}}) {
    if (!value->empty()) filter += std::string("&") + name + "=" + percent_encode(*value);
  }
  return filter;
}

void show_records(const Context& context, const Json& answer, bool all) {
  const Json& records = member(answer, "records");
  const std::string next = cell(answer, "next");
  if (!records.empty()) {
    print_list(context, records,
               {{"TIME", "time"},
                {"ACTOR", "actor"},
                {"ACTION", "action"},
                {"TARGET", "target"},
                {"OUTCOME", "outcome"},
                {"REASON", "reason"},
                {"ADDRESS", "remoteAddress"}});
  } else if (next.empty()) {
    context.err << (all ? "There are no audit records.\n" : "There are no such audit records.\n");
  }
  if (!next.empty()) context.err << "There is more: --before " << printable(next) << "\n";
}

}  // namespace

void add_audit(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("audit", "Show who did what: logins, changes, refusals");
  group->require_subcommand(1);
  auto flags = std::make_shared<AuditFlags>();
  auto* list = group->add_subcommand("list", "List audit records, newest first");
  list->add_option("--actor", flags->actor, "only by this actor: key:ID, user:ID, uid:N, ...");
  list->add_option("--action", flags->action,
                   "only this action; a prefix such as `user.` selects a group");
  list->add_option("--target", flags->target, "only on this target: user:ID, access_key:ID");
  list->add_option("--username", flags->username, "only refusals of this username");
  list->add_option("--outcome", flags->outcome, "only this outcome: done, refused or failed")
      ->check(CLI::IsMember({"done", "refused", "failed"}));
  list->add_option("--since", flags->since, "only since this time: 2026-01-22T10:00:00Z");
  list->add_option("--before", flags->before, "only records older than this one, for paging");
  list->add_option("--limit", flags->limit, "records on a page, 1 to 1000")
      ->check(CLI::Range(1, 1000));
  add_question(
      *list, selection, flags, "GET",
      [](const AuditFlags& asked) {
        return "/v1/audit?limit=" + std::to_string(asked.limit) + audit_filter(asked);
      },
      [flags](const Context& context, const Json& answer) {
        show_records(context, answer, audit_filter(*flags).empty());
      });
}

}  // namespace holdfast::cli
