// Measures Holdfast on this machine, beside nginx with Nchan, Mosquitto and Centrifugo where they
// can do the same: they take turns, and what counts is their ratio. Loopback only; ends by itself.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "report.hpp"

namespace {

using bench::Dialect;
using bench::Figures;

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
  bench::print(figures);
  all.push_back(std::move(figures));
}

// All with so many workers: more of them wake more often for the same work.
void measure_delivery(const bench::Sizes& sizes, int workers, std::vector<Figures>& all) {
  const WorkFolder folder;
  const bench::Holdfast holdfast(folder.path / "holdfast", sizes.connections, workers);
  std::unique_ptr<bench::Nchan> nginx;
  std::unique_ptr<bench::Mosquitto> mosquitto;
  std::unique_ptr<bench::Centrifugo> centrifugo;
  std::vector<std::unique_ptr<Dialect>> dialects;
  dialects.push_back(bench::holdfast_dialect(holdfast));
  if (bench::Nchan::available()) {
    nginx = std::make_unique<bench::Nchan>(folder.path / "nchan", workers);
    dialects.push_back(bench::nchan_dialect(*nginx));
  }
  // It has one thread, whatever it is told.
  if (bench::Mosquitto::available() && workers == 1) {
    mosquitto = std::make_unique<bench::Mosquitto>(folder.path / "mosquitto");
    dialects.push_back(bench::mosquitto_dialect(*mosquitto));
  }
  if (bench::Centrifugo::available()) {
    centrifugo = std::make_unique<bench::Centrifugo>(folder.path / "centrifugo", workers);
    dialects.push_back(bench::centrifugo_dialect(*centrifugo));
  }
  const auto note_workers = [&](Figures figures) {
    figures.scenario += ", workers: " + std::to_string(workers);
    note(all, std::move(figures));
  };
  for (int round = 0; round < 3; ++round) {
    for (auto& dialect : dialects) note_workers(bench::connected(*dialect, sizes));
    for (auto& dialect : dialects) note_workers(bench::paced(*dialect, sizes, 2'000));
  }
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

void measure_storm(const bench::Sizes& sizes, std::vector<Figures>& all) {
  for (int round = 0; round < 3; ++round) {
    const WorkFolder folder;
    const bench::Holdfast holdfast(folder.path / "holdfast", sizes.storm);
    for (Figures& figures : bench::storm(holdfast, sizes)) note(all, std::move(figures));
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

int usage() {
  std::fprintf(stderr,
               "usage: holdfast-bench [--record] [SECONDS of each scenario, default 5 "
               "[delivery|storing|storm|idle]]\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) try {
  bench::Sizes sizes;
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool is_recorded = std::erase(arguments, "--record") > 0;
  if (!arguments.empty()) sizes.seconds = std::atof(arguments[0].c_str());
  const std::string only = arguments.size() > 1 ? arguments[1] : "";
  const auto asked = [&only](const char* group) { return only.empty() || only == group; };
  if (sizes.seconds <= 0 || arguments.size() > 2) return usage();
  raise_file_limit();
  std::printf("%s\n", bench::machine().c_str());
  const auto tell_missing = [](bool available, const char* name) {
    if (!available) std::printf("%s is not installed: left out\n", name);
  };
  tell_missing(bench::Nchan::available(), "nginx with Nchan");
  tell_missing(bench::Mosquitto::available(), "Mosquitto");
  tell_missing(bench::Centrifugo::available(), "Centrifugo");
  bench::print_head();
  std::vector<Figures> all;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (asked("delivery")) measure_delivery(sizes, 1, all);
  if (asked("delivery") && cores > 1) measure_delivery(sizes, cores, all);
  if (asked("storing")) measure_storing(sizes, all);
  if (asked("storm")) measure_storm(sizes, all);
  if (asked("idle")) measure_idle(sizes, all);
  const std::vector<Figures> rows = bench::medians(all);
  std::printf("\nmedians\n");
  for (const Figures& row : rows) bench::print(row);
  bench::write("build/bench.json", rows);
  if (is_recorded) {
    bench::write("bench/baseline.json", rows);
  } else {
    bench::compare("bench/baseline.json", rows);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "holdfast-bench: %s\n", error.what());
  return 1;
}
