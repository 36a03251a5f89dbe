// Builds the answer of the status route.

#include <holdfast/base/log.hpp>

#include "routes.hpp"

namespace holdfast::control {
namespace {

using delivery::MailboxMetrics;
using delivery::Router;

// Returns a histogram as Prometheus has it: cumulative, and in seconds.
Json to_json(const HistogramReading& histogram) {
  Json buckets = Json::array();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    below += histogram.counts[i];
    const Json le = i == histogram.limits.size()
                        ? Json()
                        : Json(static_cast<double>(histogram.limits[i]) / histogram.unit);
    buckets.push_back({{"le", le}, {"count", below}});
  }
  return {{"count", below},
          {"sumSeconds", static_cast<double>(histogram.sum) / histogram.unit},
          {"buckets", std::move(buckets)}};
}

// Sums one of the numbers over the shards.
template <class Metric>
auto sum_of(const Router& router, Metric MailboxMetrics::* metric) {
  auto sum = (router.shard(0).mailboxes->metrics().*metric).read();
  for (std::size_t i = 1; i < router.shard_count(); ++i) {
    sum += (router.shard(i).mailboxes->metrics().*metric).read();
  }
  return sum;
}

Json to_json(const Router& router) {
  const auto sum = [&router](auto metric) { return sum_of(router, metric); };
  return {{"accepted", sum(&MailboxMetrics::accepted)},
          {"delivered", sum(&MailboxMetrics::delivered)},
          {"stored", sum(&MailboxMetrics::stored)},
          {"elided", sum(&MailboxMetrics::elided)},
          {"rejected", sum(&MailboxMetrics::rejected)},
          {"deduplicated", sum(&MailboxMetrics::deduplicated)},
          {"expired", sum(&MailboxMetrics::expired)},
          {"deleted", sum(&MailboxMetrics::deleted)},
          {"buried", sum(&MailboxMetrics::buried)},
          {"flushed", sum(&MailboxMetrics::flushed)},
          {"timeouts", sum(&MailboxMetrics::timeouts)},
          {"foreignTexts", sum(&MailboxMetrics::foreign_texts)},
          {"mailboxes", sum(&MailboxMetrics::mailboxes)},
          {"connections", sum(&MailboxMetrics::connections)},
          {"pendingMessages", sum(&MailboxMetrics::pending_messages)},
          {"pendingBytes", sum(&MailboxMetrics::pending_bytes)},
          {"acknowledgement", to_json(sum(&MailboxMetrics::acknowledgement))}};
}

Json store_json(const MetricCollector& metrics) {
  const auto number = [&metrics](const char* name, const MetricLabels& labels = {}) {
    return static_cast<std::int64_t>(metrics.sum(name, labels));
  };
  constexpr const char* kTransactions = "holdfast_store_transactions_total";
  return {{"queued", number("holdfast_store_queue_depth")},
          {"transactions", number(kTransactions, {{"outcome", "committed"}})},
          {"operations", number("holdfast_store_operations_total")},
          {"failedTransactions", number(kTransactions, {{"outcome", "failed"}})},
          {"databaseBytes", number("holdfast_store_database_bytes")},
          {"walBytes", number("holdfast_store_wal_bytes")},
          {"writable", number("holdfast_store_writable") != 0}};
}

Json to_json(const ListenerStatus& listener) {
  return {{"part", listener.part},
          {"address", listener.address},
          {"openSockets", listener.stats.open_sockets},
          {"openWebsockets", listener.stats.open_websockets},
          {"requests", listener.stats.requests},
          {"refusedConnections", listener.stats.refused_connections}};
}

Json status(const LocalControlParts& parts) {
  const ProcessStatus process = parts.process();
  MetricCollector metrics;
  parts.collect(metrics);
  const WallTime now = parts.clock.wall_now();
  Json listeners = Json::array();
  for (const ListenerStatus& listener : process.listeners) listeners.push_back(to_json(listener));
  return {{"version", process.version},
          {"state", to_string(parts.state())},
          {"startedAt", format_iso8601(process.started_at)},
          {"now", format_iso8601(now)},
          {"uptimeSeconds", std::chrono::floor<Seconds>(now - process.started_at).count()},
          {"shards", parts.router.shard_count()},
          {"droppedLogLines", log::dropped()},
          {"delivery", to_json(parts.router)},
          {"store", store_json(metrics)},
          {"listeners", std::move(listeners)}};
}

}  // namespace

void show_status(Call call) { call.respond(json_answer(status(call.parts))); }

}  // namespace holdfast::control
