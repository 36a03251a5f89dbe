// Builds the answer of the status route.

#include <holdfast/base/log.hpp>

#include "gather.hpp"
#include "routes.hpp"

namespace holdfast::control {
namespace {

// Returns a histogram as Prometheus has it: cumulative, and in seconds.
Json to_json(const LatencyHistogram& histogram) {
  Json buckets = Json::array();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < LatencyHistogram::kRanges; ++i) {
    below += histogram.counts()[i];
    const bool last = i == LatencyHistogram::bounds().size();
    const Json le =
        last ? Json() : Json(static_cast<double>(LatencyHistogram::bounds()[i]) / kMicrosPerSecond);
    buckets.push_back({{"le", le}, {"count", below}});
  }
  return {{"count", below},
          {"sumSeconds", static_cast<double>(histogram.sum()) / kMicrosPerSecond},
          {"buckets", std::move(buckets)}};
}

Json to_json(const delivery::Stats& stats) {
  return {{"accepted", stats.accepted},
          {"delivered", stats.delivered},
          {"stored", stats.stored},
          {"elided", stats.elided},
          {"rejected", stats.rejected},
          {"deduplicated", stats.deduplicated},
          {"expired", stats.expired},
          {"deleted", stats.deleted},
          {"buried", stats.buried},
          {"flushed", stats.flushed},
          {"timeouts", stats.timeouts},
          {"foreignTexts", stats.foreign_texts},
          {"mailboxes", stats.mailboxes},
          {"connections", stats.connections},
          {"pendingMessages", stats.pending_messages},
          {"pendingBytes", stats.pending_bytes},
          {"acknowledgement", to_json(stats.acknowledgement)}};
}

Json to_json(const StoreStatus& store) {
  return {{"queued", store.queued},
          {"transactions", store.transactions},
          {"operations", store.operations},
          {"failedTransactions", store.failed_transactions},
          {"databaseBytes", store.database_bytes},
          {"walBytes", store.wal_bytes},
          {"writable", store.writable}};
}

Json to_json(const ListenerStatus& listener) {
  return {{"part", listener.part},
          {"address", listener.address},
          {"openSockets", listener.stats.open_sockets},
          {"openWebsockets", listener.stats.open_websockets},
          {"requests", listener.stats.requests},
          {"refusedConnections", listener.stats.refused_connections}};
}

Json status(const LocalControlParts& parts, const std::vector<delivery::Stats>& shards) {
  delivery::Stats sum;
  for (const delivery::Stats& shard : shards) sum += shard;
  const ProcessStatus process = parts.process();
  const WallTime now = parts.clock.wall_now();
  Json listeners = Json::array();
  for (const ListenerStatus& listener : process.listeners) listeners.push_back(to_json(listener));
  return {{"version", process.version},
          {"state", to_string(parts.state())},
          {"startedAt", format_iso8601(process.started_at)},
          {"now", format_iso8601(now)},
          {"uptimeSeconds", std::chrono::floor<Seconds>(now - process.started_at).count()},
          {"shards", shards.size()},
          {"droppedLogLines", log::dropped()},
          {"delivery", to_json(sum)},
          {"store", to_json(process.store)},
          {"listeners", std::move(listeners)}};
}

}  // namespace

void show_status(Call call) {
  const LocalControlParts& parts = call.parts;
  gather<delivery::Stats>(
      parts.router, call.shard,
      [](const delivery::Mailboxes& mailboxes) { return mailboxes.stats(); },
      [&parts,
       respond = std::move(call.respond)](const std::vector<delivery::Stats>& shards) mutable {
        respond(json_answer(status(parts, shards)));
      });
}

}  // namespace holdfast::control
