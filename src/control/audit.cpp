// The route that lists audit records.

#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "routes.hpp"

namespace holdfast::control {
namespace {

Json to_json(const AuditRecord& record) {
  const AuditEvent& event = record.event;
  return {{"id", record.id},        {"time", format_iso8601(record.at)},
          {"actor", event.actor},   {"action", event.action},
          {"target", event.target}, {"outcome", to_string(event.outcome)},
          {"reason", event.reason}, {"remoteAddress", event.address}};
}

Result<AuditQuery> read_query(const Call& call) {
  AuditQuery query;
  const auto limit = call.limit();
  if (!limit) return std::unexpected(limit.error());
  query.limit = *limit;
  if (call.parameter("before") != nullptr) {
    const auto before = call.sequence("before");
    if (!before) return refuse("must be the `next` of a page", "before");
    query.before = *before;
  }
  if (const std::string* const since = call.parameter("since")) {
    query.since = parse_iso8601(*since);
    if (!query.since) return refuse("must be a time as 2026-01-22T10:00:00Z", "since");
  }
  if (const std::string* const outcome = call.parameter("outcome")) {
    query.outcome = audit_outcome_from(*outcome);
    if (!query.outcome) return refuse("must be done, refused or failed", "outcome");
  }
  for (const auto& [name, place] :
       {std::pair("actor", &query.actor), {"action", &query.action}, {"target", &query.target}}) {
    if (const std::string* const value = call.parameter(name)) *place = *value;
  }
  if (const std::string* const username = call.parameter("username")) {
    if (!query.target.empty()) return refuse("goes without `target`", "username");
    if (call.parts.audit_name) query.target = call.parts.audit_name(*username);
  }
  return query;
}

}  // namespace

void list_audit(Call call) {
  auto query = read_query(call);
  if (!query) return call.respond(json_error(query.error()));
  if (call.parts.audit_records.empty()) {
    return call.respond(json_error(Error(Errc::not_found, "no audit records are kept")));
  }
  call.parts.audit_records[call.shard]->list(
      std::move(*query),
      [respond = std::move(call.respond)](const Result<AuditPage>& page) mutable {
        if (!page) return respond(json_error(page.error()));
        Json records = Json::array();
        for (const AuditRecord& record : page->records) records.push_back(to_json(record));
        respond(json_answer(
            {{"records", std::move(records)}, {"next", page->next ? Json(*page->next) : Json()}}));
      });
}

}  // namespace holdfast::control
