// The routes that list and show executions.

#include <algorithm>

#include "gather.hpp"
#include "routes.hpp"

namespace holdfast::control {
namespace {

using delivery::Execution;

std::size_t kept_steps(const Execution& execution) {
  return std::min<std::size_t>(execution.step_count, Execution::kSteps);
}

// Unix microseconds of the first step; 0 for a run without one.
std::int64_t started_us(const Execution& execution) {
  return kept_steps(execution) == 0 ? 0 : execution.steps.front().at_us;
}

Json to_json(const Execution& execution) {
  const std::size_t kept = kept_steps(execution);
  Json steps = Json::array();
  for (std::size_t i = 0; i < kept; ++i) {
    const Execution::Step& step = execution.steps[i];
    steps.push_back({{"state", delivery::to_string(step.state)},
                     {"at", format_iso8601(wall_from_micros(step.at_us))},
                     {"atMicros", step.at_us}});
  }
  const Execution::Step last = kept == 0 ? Execution::Step{} : execution.steps[kept - 1];
  Json acknowledged;
  if (execution.acknowledged) {
    acknowledged = {{"at", format_iso8601(wall_from_micros(execution.acknowledged->at_us))},
                    {"atMicros", execution.acknowledged->at_us},
                    {"connectionId", execution.acknowledged->by.str()}};
  }
  return {{"workflow", delivery::to_string(execution.workflow)},
          {"id", execution.id.str()},
          {"userId", execution.user.str()},
          {"sequence", execution.sequence},
          {"state", delivery::to_string(last.state)},
          {"finished", execution.finished},
          {"startedAt", format_iso8601(wall_from_micros(started_us(execution)))},
          {"updatedAt", format_iso8601(wall_from_micros(last.at_us))},
          {"stepCount", execution.step_count},
          {"messages", execution.messages},
          {"acknowledged", std::move(acknowledged)},
          {"steps", std::move(steps)}};
}

// The newest of all shards.
std::vector<Execution> merge(std::vector<std::vector<Execution>> shards, std::size_t limit) {
  std::vector<Execution> all;
  for (std::vector<Execution>& shard : shards) {
    std::ranges::move(shard, std::back_inserter(all));
  }
  std::ranges::stable_sort(all, std::ranges::greater(), started_us);
  if (all.size() > limit) all.resize(limit);
  return all;
}

// Of one message: how it went, from the first to the last. Of many: the newest first.
void gather_executions(Call call, delivery::ExecutionFilter filter, std::size_t limit) {
  const bool one = filter.id.has_value();
  gather<std::vector<Execution>>(
      call.parts.router, call.shard,
      [filter = std::move(filter), limit](const delivery::Mailboxes& mailboxes) {
        return mailboxes.executions(filter, limit);
      },
      [limit, one,
       respond = std::move(call.respond)](std::vector<std::vector<Execution>> shards) mutable {
        std::vector<Execution> executions = merge(std::move(shards), limit);
        if (one) std::ranges::reverse(executions);
        if (one && executions.empty()) {
          return respond(
              json_error(Error(Errc::not_found, "no execution of this id is remembered")));
        }
        Json list = Json::array();
        for (const Execution& execution : executions) list.push_back(to_json(execution));
        respond(json_answer({{"executions", std::move(list)}}));
      });
}

}  // namespace

void list_executions(Call call) {
  const auto limit = call.limit();
  if (!limit) return call.respond(json_error(limit.error()));
  delivery::ExecutionFilter filter;
  if (const std::string* const user = call.parameter("userId")) filter.user = UserId(*user);
  gather_executions(std::move(call), std::move(filter), *limit);
}

void show_execution(Call call) {
  const auto limit = call.limit();
  if (!limit) return call.respond(json_error(limit.error()));
  delivery::ExecutionFilter filter;
  filter.id = parse_message_id(call.id);
  if (!filter.id) {
    return call.respond(json_error(Error(Errc::invalid_argument, "is not a UUID", "messageId")));
  }
  gather_executions(std::move(call), std::move(filter), *limit);
}

}  // namespace holdfast::control
