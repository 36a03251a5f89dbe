// Writes the metrics in Prometheus's text format.

#include "metrics.hpp"

#include <iterator>
#include <limits>
#include <memory>
#include <utility>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <holdfast/base/log.hpp>

#include "gather.hpp"

namespace holdfast::control {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr auto kInfinity = std::numeric_limits<double>::infinity();

/// One metric with its series.
class Family {
 public:
  Family(std::vector<prometheus::MetricFamily>& all, std::size_t index)
      : all_(&all), index_(index) {}

  template <class Number>
  Family& add(Number value, Labels labels = {}) {
    ClientMetric& metric = make_series(std::move(labels));
    metric.counter.value = metric.gauge.value = static_cast<double>(value);
    return *this;
  }
  /// `unit`: how many of the histogram's are one of the metric's.
  template <class Histogram>
  Family& add_histogram(const Histogram& values, double unit, Labels labels = {}) {
    ClientMetric& metric = make_series(std::move(labels));
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < Histogram::kRanges; ++i) {
      below += values.counts()[i];
      const bool last = i == Histogram::bounds().size();
      metric.histogram.bucket.push_back(
          {.cumulative_count = below,
           .upper_bound = last ? kInfinity : static_cast<double>(Histogram::bounds()[i]) / unit});
    }
    metric.histogram.sample_count = below;
    metric.histogram.sample_sum = static_cast<double>(values.sum()) / unit;
    return *this;
  }

 private:
  ClientMetric& make_series(Labels labels) {
    ClientMetric& metric = (*all_)[index_].metric.emplace_back();
    metric.label = std::move(labels);
    return metric;
  }

  // By index: the families move when one more is made.
  std::vector<prometheus::MetricFamily>* all_;
  std::size_t index_;
};

class Families {
 public:
  Family counter(const char* name, const char* help) {
    return make(name, help, MetricType::Counter);
  }
  Family gauge(const char* name, const char* help) { return make(name, help, MetricType::Gauge); }
  Family histogram(const char* name, const char* help) {
    return make(name, help, MetricType::Histogram);
  }
  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(all_); }

 private:
  Family make(const char* name, const char* help, MetricType type) {
    all_.push_back({.name = name, .help = help, .type = type, .metric = {}});
    return {all_, all_.size() - 1};
  }

  std::vector<prometheus::MetricFamily> all_;
};

/// A series for each reason, summed over the shards.
template <class Reason, Reason Last>
void add_reasons(Family family, const api::ShardCounts& counts,
                 api::Tallies<Reason, Last> api::Counts::* member) {
  for (std::size_t i = 0; i < api::Tallies<Reason, Last>::kReasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    std::uint64_t sum = 0;
    for (const auto& shard : counts) sum += ((*shard).*member).read(reason);
    family.add(sum, {{"reason", api::to_string(reason)}});
  }
}

std::uint64_t sum_of(const api::ShardCounts& counts, Tally api::Counts::* member) {
  std::uint64_t sum = 0;
  for (const auto& shard : counts) sum += ((*shard).*member).read();
  return sum;
}

void add_messages(Families& all, const delivery::Stats& stats) {
  all.counter("holdfast_messages_accepted_total",
              "Messages that got a sequence number; each then has its outcomes.")
      .add(stats.accepted);
  const std::uint64_t dead = stats.expired + stats.deleted + stats.buried + stats.undeliverable;
  all.counter("holdfast_messages_total",
              "Messages by outcome; a message may have several. The producer's answer is "
              "delivered, stored or rejected; elided: delivered without touching the disk; "
              "flushed: read from the disk to be sent; dead: became a dead letter; expired: did so "
              "at the end of its lifetime; deduplicated: a repeat that got the first answer.")
      .add(stats.delivered, {{"outcome", "delivered"}})
      .add(stats.stored, {{"outcome", "stored"}})
      .add(stats.rejected, {{"outcome", "rejected"}})
      .add(stats.elided, {{"outcome", "elided"}})
      .add(stats.flushed, {{"outcome", "flushed"}})
      .add(stats.expired, {{"outcome", "expired"}})
      .add(dead, {{"outcome", "dead"}})
      .add(stats.deduplicated, {{"outcome", "deduplicated"}});
  all.counter("holdfast_messages_dead_total", "Messages that became dead letters, by reason.")
      .add(stats.expired, {{"reason", "expired"}})
      .add(stats.buried, {{"reason", "access_ended"}})
      .add(stats.deleted, {{"reason", "deleted"}})
      .add(stats.undeliverable, {{"reason", "undeliverable"}});
  all.counter("holdfast_messages_stuck_total",
              "Messages at which ten connections of their user ended in a row, for any reason.")
      .add(stats.stuck);
  all.gauge("holdfast_pending_messages", "Messages committed to disk and not acknowledged yet.")
      .add(stats.pending_messages);
  all.gauge("holdfast_pending_bytes", "Size of the texts of the pending messages.")
      .add(stats.pending_bytes);
}

void add_delivery(Families& all, const delivery::Stats& stats) {
  all.histogram("holdfast_message_acknowledgement_seconds",
                "Time from acceptance to the first acknowledgement by a client, of messages that "
                "were sent when they were accepted.")
      .add_histogram(stats.acknowledgement, kMicrosPerSecond);
  all.histogram("holdfast_held_message_acknowledgement_seconds",
                "Time from acceptance to the first acknowledgement by a client, of messages that "
                "were read from disk: usually the time that their users were away.")
      .add_histogram(stats.held_acknowledgement, kMicrosPerSecond);
  all.histogram("holdfast_fence_round_trip_seconds",
                "Time from a Ping to its Pong, through the client's WebSocket stack.")
      .add_histogram(stats.fence_round_trip, kMicrosPerSecond);
  all.gauge("holdfast_connections", "WebSocket connections with a place in their user's mailbox.")
      .add(stats.connections);
  all.gauge("holdfast_mailboxes",
            "Mailboxes in memory: of users who are connected or have messages on their way.")
      .add(stats.mailboxes);
  all.counter("holdfast_connections_timed_out_total",
              "Connections ended because the client neither answered nor took bytes.")
      .add(stats.timeouts);
  all.counter("holdfast_client_texts_total", "Texts from clients that were not acknowledgements.")
      .add(stats.foreign_texts);
}

void add_store(Families& all, const StoreStatus& store) {
  all.gauge("holdfast_store_queue_depth",
            "Messages that have a slot of the store's queue, from acceptance to commit or "
            "acknowledgement.")
      .add(store.queued);
  all.gauge("holdfast_store_queue_slots",
            "Slots of the store's queue; beyond them messages are refused.")
      .add(store.slots);
  all.gauge("holdfast_store_waiting_operations", "Operations that wait for the store's thread.")
      .add(store.waiting);
  all.histogram("holdfast_store_batch_size", "Operations in each writing transaction.")
      .add_histogram(store.batch, 1);
  all.histogram("holdfast_store_commit_seconds",
                "Time of a writing transaction, its sync to disk included.")
      .add_histogram(store.commit, kMicrosPerSecond);
  all.counter("holdfast_store_transactions_total", "Transactions by outcome.")
      .add(store.transactions, {{"outcome", "committed"}})
      .add(store.failed_transactions, {{"outcome", "failed"}});
  all.counter("holdfast_store_operations_total", "Operations in committed transactions.")
      .add(store.operations);
  all.gauge("holdfast_store_writable", "1 if the last writing transaction was committed, else 0.")
      .add(store.writable);
  all.gauge("holdfast_store_oldest_wait_seconds",
            "Time that the oldest waiting operation has waited for the store, or the store for its "
            "disk.")
      .add(std::chrono::duration<double>(store.oldest_wait).count());
  all.counter("holdfast_store_damaged_messages_total",
              "Messages whose checksum differed when they were read; they are dead letters now.")
      .add(store.damaged);
  all.gauge(
         "holdfast_store_missing_messages",
         "Pending messages that were missing when their user's messages were last read to the end.")
      .add(store.missing);
  all.gauge("holdfast_store_disk_free_min_bytes",
            "Space that messages leave free on the disk of the data directory; 0 means no limit.")
      .add(store.disk_free_min);
  all.gauge("holdfast_store_disk_low",
            "1 while the disk has little more room than messages leave free, or none, else 0.")
      .add(store.disk_low);
  all.gauge("holdfast_store_disk_full",
            "1 while messages are refused because the disk has no room for them, else 0.")
      .add(store.disk_full);
  all.gauge("holdfast_store_database_bytes", "Size of the database file.")
      .add(store.database_bytes);
  all.gauge("holdfast_store_used_bytes", "Used bytes of the database file.").add(store.used_bytes);
  all.gauge("holdfast_store_limit_bytes",
            "Limit of the used bytes, beyond which messages are refused; 0 means no limit.")
      .add(store.bytes_max);
  all.gauge("holdfast_store_wal_bytes", "Size of the used part of the write-ahead log.")
      .add(store.wal_bytes);
  all.gauge("holdfast_dead_letters", "Dead letters in the database.")
      .add(store.dead_letters.messages);
  all.gauge("holdfast_dead_letters_bytes", "Size of the texts of the dead letters.")
      .add(store.dead_letters.bytes);
}

Labels labels_of(const ListenerStatus& listener, const char* name = nullptr,
                 const char* value = nullptr) {
  Labels out = {{"listener", listener.part}, {"address", listener.address}};
  if (name != nullptr) out.push_back({name, value});
  return out;
}

template <class Number>
void add_each(Family family, const std::vector<ListenerStatus>& listeners,
              Number net::ServerStats::* member) {
  for (const ListenerStatus& listener : listeners) {
    family.add(listener.stats.*member, labels_of(listener));
  }
}

void add_listeners(Families& all, const std::vector<ListenerStatus>& listeners) {
  using net::ServerStats;
  add_each(all.gauge("holdfast_open_sockets", "Open sockets of each listener."), listeners,
           &ServerStats::open_sockets);
  add_each(all.gauge("holdfast_open_sockets_limit",
                     "Maximum of open sockets of a listener; 0 means no limit of its own."),
           listeners, &ServerStats::sockets_max);
  add_each(all.gauge("holdfast_open_websockets", "Open sockets that are WebSockets."), listeners,
           &ServerStats::open_websockets);
  add_each(all.counter("holdfast_sockets_refused_total",
                       "Sockets refused because the listener had reached its limit."),
           listeners, &ServerStats::refused_connections);
  constexpr const char* kClasses[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
  Family requests =
      all.counter("holdfast_http_requests_total",
                  "Answered requests, by the class of the status; 1xx is an opened WebSocket.");
  Family bytes = all.counter("holdfast_outbound_bytes_total",
                             "Bytes sent to clients, before TLS: answers and WebSocket frames.");
  for (const ListenerStatus& listener : listeners) {
    for (std::size_t i = 0; i < std::size(kClasses); ++i) {
      requests.add(listener.stats.responses[i], labels_of(listener, "status", kClasses[i]));
    }
    bytes.add(listener.stats.http_bytes, labels_of(listener, "protocol", "http"));
    bytes.add(listener.stats.websocket_bytes, labels_of(listener, "protocol", "websocket"));
  }
  add_each(all.counter("holdfast_unread_connections_ended_total",
                       "WebSockets ended because the client left too much unread."),
           listeners, &ServerStats::unread_ended);
  add_each(
      all.counter("holdfast_tls_handshake_failures_total", "TLS handshakes that did not finish."),
      listeners, &ServerStats::failed_handshakes);
  Family expiry = all.gauge("holdfast_tls_certificate_expiry_seconds",
                            "Expiry of the certificate of a listener with TLS, in unix time.");
  for (const ListenerStatus& listener : listeners) {
    const auto& at = listener.stats.certificate_expires_at;
    if (at) expiry.add(unix_seconds(*at), labels_of(listener));
  }
}

void add_access(Families& all, const Scrape& scrape) {
  using api::Counts;
  const api::ShardCounts& counts = *scrape.counts;
  all.counter("holdfast_websocket_upgrades_total", "Accepted upgrades to a WebSocket.")
      .add(sum_of(counts, &Counts::upgrades));
  Family upgrades = all.counter(
      "holdfast_websocket_upgrades_refused_total",
      "Refused upgrades to a WebSocket, by reason; handshake is a wrong method, version or key.");
  std::uint64_t handshakes = 0;
  for (const ListenerStatus& listener : scrape.process.listeners) {
    handshakes += listener.stats.refused_upgrades;
  }
  upgrades.add(handshakes, {{"reason", "handshake"}});
  add_reasons(upgrades, counts, &Counts::refused_upgrades);
  all.counter("holdfast_temporary_tokens_total", "Issued temporary tokens.")
      .add(sum_of(counts, &Counts::tokens));
  add_reasons(all.counter("holdfast_temporary_tokens_refused_total",
                          "Refused requests for a temporary token, by reason."),
              counts, &Counts::refused_tokens);
  all.counter("holdfast_logins_total", "Logins and refreshes that gave an ID token.")
      .add(sum_of(counts, &Counts::logins));
  add_reasons(all.counter("holdfast_login_failures_total",
                          "Failed steps of logins, and failed refreshes, by reason."),
              counts, &Counts::failed_logins);
  all.counter("holdfast_signatures_verified_total", "Signed calls with a valid signature.")
      .add(sum_of(counts, &Counts::signatures));
  add_reasons(all.counter("holdfast_signature_failures_total",
                          "Calls whose signature was refused, by reason."),
              counts, &Counts::failed_signatures);
  add_reasons(
      all.counter("holdfast_calls_refused_total",
                  "Calls with a valid signature that their key's policy or rate limit refused."),
      counts, &Counts::refused_calls);
  add_reasons(all.counter("holdfast_ingest_refused_total",
                          "Refused messages, and refused requests with messages, by reason."),
              counts, &Counts::refused_ingest);
}

void add_refusals(Families& all, const BoundRefusals& refusals) {
  Family family = all.counter("holdfast_bound_refusals_total",
                              "Refusals because a limit was reached: by all together (scope all), "
                              "or the share of one client, key or user (share).");
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Bound::last); ++i) {
    const auto bound = static_cast<Bound>(i);
    for (const BoundScope scope : {BoundScope::all, BoundScope::share}) {
      family.add(refusals.read(bound, scope),
                 {{"bound", to_string(bound)}, {"scope", to_string(scope)}});
    }
  }
}

void add_process(Families& all, const Scrape& scrape) {
  const OwnUse& use = scrape.own_use;
  all.counter("process_cpu_seconds_total", "User and system time, in seconds.")
      .add(use.cpu_seconds);
  all.gauge("process_resident_memory_bytes", "Resident memory.").add(use.resident_bytes);
  all.gauge("process_virtual_memory_bytes", "Virtual memory.").add(use.virtual_bytes);
  all.gauge("process_open_fds", "Open file descriptors.").add(use.open_files);
  all.gauge("process_max_fds", "Maximum of open file descriptors.").add(use.files_max);
  all.gauge("process_start_time_seconds", "Start of the process, in unix time.")
      .add(use.start_time_seconds);
}

void add_instance(Families& all, const Scrape& scrape) {
  all.gauge("holdfast_build_info", "1, labelled with the version.")
      .add(1, {{"version", scrape.process.version}});
  Family states = all.gauge("holdfast_state", "1 for the state that the process is in, else 0.");
  for (const State state : kStates) {
    states.add(state == scrape.state, {{"state", to_string(state)}});
  }
  all.counter("holdfast_log_lines_dropped_total", "Log lines dropped because the queue was full.")
      .add(scrape.dropped_log_lines);
  all.gauge("holdfast_disk_bytes", "Size of the file system that the data directory is on.")
      .add(scrape.process.disk_bytes);
  all.gauge("holdfast_disk_free_bytes", "Free space of that file system that the process may use.")
      .add(scrape.process.disk_free_bytes);
  Family lag = all.histogram("holdfast_event_loop_lag_seconds",
                             "Delay of the timers of each shard's event loop: the time that ready "
                             "work waits for its turn.");
  for (std::size_t i = 0; i < scrape.process.loop_lag.size(); ++i) {
    lag.add_histogram(scrape.process.loop_lag[i], kMicrosPerSecond, {{"shard", std::to_string(i)}});
  }
}

std::size_t open_sockets(const ProcessStatus& process) {
  std::size_t out = 0;
  for (const ListenerStatus& listener : process.listeners) out += listener.stats.open_sockets;
  return out;
}

Scrape make_scrape(const MetricsParts& parts, State state,
                   const std::vector<delivery::Stats>& shards) {
  Scrape out{.state = state,
             .process = parts.process(),
             .delivery = {},
             .counts = parts.counts(),
             .refusals = parts.refusals,
             .own_use = {},
             .dropped_log_lines = log::dropped()};
  for (const delivery::Stats& shard : shards) out.delivery += shard;
  out.own_use = measure_own_use(open_sockets(out.process));
  return out;
}

net::Response plain_answer(int status, std::string body) {
  net::Response out;
  out.status = status;
  out.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  out.headers.emplace_back("Cache-Control", "no-store");
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  out.body = std::move(body);
  return out;
}

}  // namespace

std::string metrics_text(const Scrape& scrape) {
  Families all;
  add_messages(all, scrape.delivery);
  add_delivery(all, scrape.delivery);
  add_store(all, scrape.process.store);
  add_listeners(all, scrape.process.listeners);
  add_access(all, scrape);
  add_refusals(all, *scrape.refusals);
  add_instance(all, scrape);
  add_process(all, scrape);
  return all.text();
}

ControlRoute make_metrics_route(StateProbe state, MetricsParts parts) {
  const auto shared = std::make_shared<const MetricsParts>(std::move(parts));
  ControlRoute route;
  route.path = "/metrics";
  route.handle = [state = std::move(state), shared](const net::Request& request,
                                                    net::Responder respond) {
    const State now = state();
    if (now == State::starting)
      return respond(plain_answer(503, std::string(to_string(now)) + "\n"));
    gather<delivery::Stats>(
        shared->router(), request.head.shard,
        [](const delivery::Mailboxes& mailboxes) { return mailboxes.stats(); },
        [shared, now,
         respond = std::move(respond)](const std::vector<delivery::Stats>& shards) mutable {
          respond(plain_answer(200, metrics_text(make_scrape(*shared, now, shards))));
        });
  };
  return route;
}

}  // namespace holdfast::control
