// Measures Holdfast on this machine, beside nginx with Nchan where it can do the same: the two take
// turns, and what counts is their ratio. Loopback only; ends by itself.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "scenarios.hpp"

namespace {

using bench::Dialect;
using bench::Figures;

std::string cell(const std::optional<double>& value, int digits) {
  if (!value) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, *value);
  return text;
}

void print(const Figures& f) {
  std::printf("%-46s %-9s %11s %11s %9s %9s %12s\n", f.scenario.c_str(), f.server.c_str(),
              cell(f.messages_per_s, 0).c_str(), cell(f.server_cpu_us, 1).c_str(),
              cell(f.p50_ms, 2).c_str(), cell(f.p99_ms, 2).c_str(),
              cell(f.bytes_per_connection, 0).c_str());
  std::fflush(stdout);
}

nlohmann::ordered_json to_json(const Figures& f) {
  nlohmann::ordered_json out = {{"scenario", f.scenario}, {"server", f.server}};
  const auto add = [&out](const char* name, const std::optional<double>& value) {
    if (value) out[name] = *value;
  };
  add("messages_per_s", f.messages_per_s);
  add("server_cpu_us_per_message", f.server_cpu_us);
  add("p50_ms", f.p50_ms);
  add("p99_ms", f.p99_ms);
  add("bytes_per_connection", f.bytes_per_connection);
  return out;
}

std::string machine() {
  std::ifstream cpu("/proc/cpuinfo");
  std::string model = "unknown processor";
  for (std::string line; std::getline(cpu, line);) {
    if (line.starts_with("model name")) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  }
  return std::to_string(std::thread::hardware_concurrency()) + " cores, " + model;
}

class WorkFolder {
 public:
  WorkFolder() {
    // Beside the binary: /tmp may be in memory, where a sync costs nothing.
    std::string name = (std::filesystem::current_path() / "build" / "bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path = name;
  }
  ~WorkFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  std::filesystem::path path;
};

void raise_file_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void note(std::vector<Figures>& all, Figures figures) {
  print(figures);
  all.push_back(std::move(figures));
}

// Both with so many workers: more of them wake more often for the same work.
void measure_delivery(const bench::Sizes& sizes, int workers, std::vector<Figures>& all) {
  const WorkFolder folder;
  const bench::Holdfast holdfast(folder.path / "holdfast", sizes.connections, workers);
  std::unique_ptr<bench::Nchan> nginx;
  std::vector<std::unique_ptr<Dialect>> dialects;
  dialects.push_back(bench::holdfast_dialect(holdfast));
  if (bench::Nchan::available()) {
    nginx = std::make_unique<bench::Nchan>(folder.path / "nchan", workers);
    dialects.push_back(bench::nchan_dialect(*nginx));
  }
  const auto note_workers = [&](Figures figures) {
    figures.scenario += ", workers: " + std::to_string(workers);
    note(all, std::move(figures));
  };
  for (int round = 0; round < 3; ++round) {
    for (auto& dialect : dialects) note_workers(bench::connected(*dialect, sizes));
  }
  for (auto& dialect : dialects) note_workers(bench::paced(*dialect, sizes, 2'000));
}

void measure_storing(const bench::Sizes& sizes, std::vector<Figures>& all) {
  const WorkFolder folder;
  {
    const bench::Holdfast holdfast(folder.path / "holdfast", sizes.connections + 1);
    const auto dialect = bench::holdfast_dialect(holdfast);
    note(all, bench::flushed(*dialect, sizes));
    note(all, bench::stored(*dialect, sizes, 1));
    note(all, bench::stored(*dialect, sizes, 100));
  }
  if (bench::Nchan::available()) {
    const bench::Nchan nginx(folder.path / "nchan", 1);
    note(all, bench::flushed(*bench::nchan_dialect(nginx), sizes));
  }
}

void measure_idle(const bench::Sizes& sizes, std::vector<Figures>& all) {
  const WorkFolder folder;
  {
    const bench::Holdfast holdfast(folder.path / "holdfast", sizes.idle_connections);
    note(all, bench::idle(*bench::holdfast_dialect(holdfast), sizes));
  }
  if (bench::Nchan::available()) {
    const bench::Nchan nginx(folder.path / "nchan", 1);
    note(all, bench::idle(*bench::nchan_dialect(nginx), sizes));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  bench::Sizes sizes;
  if (argc > 1) sizes.seconds = std::atof(argv[1]);
  const std::string only = argc > 2 ? argv[2] : "";
  const auto asked = [&only](const char* group) { return only.empty() || only == group; };
  if (sizes.seconds <= 0 || argc > 3) {
    std::fprintf(stderr,
                 "usage: holdfast-bench [SECONDS of each scenario, default 5 "
                 "[delivery|storing|idle]]\n");
    return 2;
  }
  raise_file_limit();
  std::printf("%s\n%-46s %-9s %11s %11s %9s %9s %12s\n", machine().c_str(), "scenario", "server",
              "messages/s", "CPU us/msg", "p50 ms", "p99 ms", "bytes/conn");
  if (!bench::Nchan::available()) {
    std::printf("nginx with Nchan is not installed: measuring Holdfast alone\n");
  }
  std::vector<Figures> all;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (asked("delivery")) measure_delivery(sizes, 1, all);
  if (asked("delivery") && cores > 1) measure_delivery(sizes, cores, all);
  if (asked("storing")) measure_storing(sizes, all);
  if (asked("idle")) measure_idle(sizes, all);
  nlohmann::ordered_json out = {{"machine", machine()}, {"results", nlohmann::json::array()}};
  for (const Figures& figures : all) out["results"].push_back(to_json(figures));
  std::ofstream("build/bench.json") << out.dump(2) << "\n";
  std::printf("written to build/bench.json\n");
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "holdfast-bench: %s\n", error.what());
  return 1;
}
