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
