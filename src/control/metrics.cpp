// Collects the numbers of the process, and answers the route of the metrics.

#include "metrics.hpp"

#include <memory>
#include <utility>

#include <holdfast/base/log.hpp>

#include "exposition.hpp"

namespace holdfast::control {
namespace {

template <class Number>
void add_one(MetricCollector& out, MetricType type, const MetricFamily& family, Number value,
             MetricLabels labels = {}) {
  out.add(family, type, std::move(labels), static_cast<double>(value));
}

void add_store(MetricCollector& out, const StoreStatus& store) {
  const auto gauge = [&out](const char* name, const char* help, auto value) {
    add_one(out, MetricType::gauge, {name, help}, value);
  };
  const auto counter = [&out](const char* name, const char* help, auto value) {
    add_one(out, MetricType::counter, {name, help}, value);
  };
  const auto histogram = [&out](const char* name, const char* help, const HistogramReading& value) {
    out.add({name, help}, MetricType::histogram, {}, value);
  };
  gauge("holdfast_store_queue_depth",
        "Messages that have a slot of the store's queue, from acceptance to commit or "
        "acknowledgement.",
        store.queued);
  gauge("holdfast_store_queue_slots",
        "Slots of the store's queue; beyond them messages are refused.", store.slots);
  gauge("holdfast_store_waiting_operations", "Operations that wait for the store's thread.",
        store.waiting);
  histogram("holdfast_store_batch_size", "Operations in each writing transaction.", store.batch);
  histogram("holdfast_store_commit_seconds",
            "Time of a writing transaction, its sync to disk included.", store.commit);
  constexpr MetricFamily kTransactions{
      "holdfast_store_transactions_total", "Transactions by outcome.", {"outcome"}};
  add_one(out, MetricType::counter, kTransactions, store.transactions, {{"outcome", "committed"}});
  add_one(out, MetricType::counter, kTransactions, store.failed_transactions,
          {{"outcome", "failed"}});
  counter("holdfast_store_operations_total", "Operations in committed transactions.",
          store.operations);
  gauge("holdfast_store_writable", "1 if the last writing transaction was committed, else 0.",
        store.writable);
  gauge(
      "holdfast_store_oldest_wait_seconds",
      "Time that the oldest waiting operation has waited for the store, or the store for its disk.",
      std::chrono::duration<double>(store.oldest_wait).count());
  counter("holdfast_store_damaged_messages_total",
          "Messages whose checksum differed when they were read; they are dead letters now.",
          store.damaged);
  gauge("holdfast_store_missing_messages",
        "Pending messages that were missing when their user's messages were last read to the end.",
        store.missing);
  gauge("holdfast_store_disk_free_min_bytes",
        "Space that messages leave free on the disk of the data directory; 0 means no limit.",
        store.disk_free_min);
  gauge("holdfast_store_disk_low",
        "1 while the disk has little more room than messages leave free, or none, else 0.",
        store.disk_low);
  gauge("holdfast_store_disk_full",
        "1 while messages are refused because the disk has no room for them, else 0.",
        store.disk_full);
  gauge("holdfast_store_database_bytes", "Size of the database file.", store.database_bytes);
  gauge("holdfast_store_used_bytes", "Used bytes of the database file.", store.used_bytes);
  gauge("holdfast_store_limit_bytes",
        "Limit of the used bytes, beyond which messages are refused; 0 means no limit.",
        store.bytes_max);
  gauge("holdfast_store_wal_bytes", "Size of the used part of the write-ahead log.",
        store.wal_bytes);
  gauge("holdfast_dead_letters", "Dead letters in the database.", store.dead_letters.messages);
  gauge("holdfast_dead_letters_bytes", "Size of the texts of the dead letters.",
        store.dead_letters.bytes);
}

void add_use(MetricCollector& out, const OwnUse& use) {
  add_one(out, MetricType::counter,
          {"process_cpu_seconds_total", "User and system time, in seconds."}, use.cpu_seconds);
  const auto gauge = [&out](const char* name, const char* help, auto value) {
    add_one(out, MetricType::gauge, {name, help}, value);
  };
  gauge("process_resident_memory_bytes", "Resident memory.", use.resident_bytes);
  gauge("process_virtual_memory_bytes", "Virtual memory.", use.virtual_bytes);
  gauge("process_open_fds", "Open file descriptors.", use.open_files);
  gauge("process_max_fds", "Maximum of open file descriptors.", use.files_max);
  gauge("process_start_time_seconds", "Start of the process, in unix time.",
        use.start_time_seconds);
}

void add_instance(MetricCollector& out, State now, const ProcessStatus& process) {
  add_one(out, MetricType::gauge,
          {"holdfast_build_info", "1, labelled with the version.", {"version"}}, 1,
          {{"version", process.version}});
  for (const State state : kStates) {
    add_one(out, MetricType::gauge,
            {"holdfast_state", "1 for the state that the process is in, else 0.", {"state"}},
            state == now, {{"state", to_string(state)}});
  }
  add_one(out, MetricType::counter,
          {"holdfast_log_lines_dropped_total", "Log lines dropped because the queue was full."},
          log::dropped());
  add_one(out, MetricType::gauge,
          {"holdfast_disk_bytes", "Size of the file system that the data directory is on."},
          process.disk_bytes);
  add_one(out, MetricType::gauge,
          {"holdfast_disk_free_bytes", "Free space of that file system that the process may use."},
          process.disk_free_bytes);
}

std::size_t open_sockets(const ProcessStatus& process) {
  std::size_t out = 0;
  for (const ListenerStatus& listener : process.listeners) out += listener.stats.open_sockets;
  return out;
}

net::Response plain_answer(int status, std::string body) {
  net::Response out;
  out.status = status;
  out.headers.emplace_back("Content-Type", kExpositionType);
  out.headers.emplace_back("Cache-Control", "no-store");
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  out.body = std::move(body);
  return out;
}

}  // namespace

void collect_process(MetricCollector& out, State state, const ProcessStatus& process,
                     const OwnUse& use) {
  add_store(out, process.store);
  add_instance(out, state, process);
  add_use(out, use);
}

ControlRoute make_metrics_route(StateProbe state, MetricsParts parts) {
  ControlRoute route;
  route.path = "/metrics";
  route.handle = [state = std::move(state), parts = std::move(parts)](
                     const net::Request& /*request*/, net::Responder respond) {
    const State now = state();
    if (now == State::starting)
      return respond(plain_answer(503, std::string(to_string(now)) + "\n"));
    MetricCollector all;
    parts.collect(all);
    const ProcessStatus process = parts.process();
    collect_process(all, now, process, measure_own_use(open_sockets(process)));
    respond(plain_answer(200, exposition_text(all)));
  };
  return route;
}

}  // namespace holdfast::control
