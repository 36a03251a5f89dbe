#include "report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>

#include <nlohmann/json.hpp>

namespace bench {
namespace {

constexpr double kMoved = 0.10;

struct Column {
  const char* head;
  const char* name;
  std::optional<double> Figures::* value;
  int digits;
  bool is_compared;
};
constexpr std::array kColumns = {
    Column{"messages/s", "messages_per_s", &Figures::messages_per_s, 0, true},
    Column{"CPU us/msg", "server_cpu_us_per_message", &Figures::server_cpu_us, 1, true},
    Column{"p50 ms", "p50_ms", &Figures::p50_ms, 2, false},
    Column{"p99 ms", "p99_ms", &Figures::p99_ms, 2, false},
    Column{"p99.9 ms", "p99_9_ms", &Figures::p999_ms, 2, false},
    Column{"max ms", "max_ms", &Figures::max_ms, 2, false},
    Column{"bytes/conn", "bytes_per_connection", &Figures::bytes_per_connection, 0, true},
};

bool is_same_row(const Figures& a, const Figures& b) {
  return a.scenario == b.scenario && a.server == b.server;
}

nlohmann::ordered_json to_json(const Figures& figures) {
  nlohmann::ordered_json out = {{"scenario", figures.scenario}, {"server", figures.server}};
  for (const Column& column : kColumns) {
    if (const auto& value = figures.*column.value) out[column.name] = *value;
  }
  return out;
}

}  // namespace

void print_head() {
  std::printf("%-46s %-10s", "scenario", "server");
  for (const Column& column : kColumns) std::printf(" %10s", column.head);
  std::printf("\n");
}

void print(const Figures& figures) {
  std::printf("%-46s %-10s", figures.scenario.c_str(), figures.server.c_str());
  for (const Column& column : kColumns) {
    if (const auto& value = figures.*column.value) {
      std::printf(" %10.*f", column.digits, *value);
    } else {
      std::printf(" %10s", "-");
    }
  }
  std::printf("\n");
  std::fflush(stdout);
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

std::vector<Figures> medians(const std::vector<Figures>& all) {
  std::vector<Figures> out;
  for (const Figures& figures : all) {
    if (std::ranges::any_of(out,
                            [&](const Figures& other) { return is_same_row(other, figures); })) {
      continue;
    }
    Figures row{.scenario = figures.scenario, .server = figures.server};
    for (const Column& column : kColumns) {
      std::vector<double> values;
      for (const Figures& other : all) {
        const auto& value = other.*column.value;
        if (value && is_same_row(other, figures)) values.push_back(*value);
      }
      if (values.empty()) continue;
      const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
      std::ranges::nth_element(values, middle);
      row.*column.value = *middle;
    }
    out.push_back(std::move(row));
  }
  return out;
}

void write(const std::filesystem::path& file, const std::vector<Figures>& all) {
  nlohmann::ordered_json out = {{"machine", machine()}, {"results", nlohmann::json::array()}};
  for (const Figures& figures : all) out["results"].push_back(to_json(figures));
  std::ofstream(file) << out.dump(2) << "\n";
  std::printf("written to %s\n", file.c_str());
}

void compare(const std::filesystem::path& file, const std::vector<Figures>& all) {
  std::ifstream in(file);
  if (!in) {
    std::printf("there is no %s to compare with\n", file.c_str());
    return;
  }
  const nlohmann::json before = nlohmann::json::parse(in);
  if (before["machine"] != machine()) {
    std::printf("%s is of another machine (%s): not compared\n", file.c_str(),
                before["machine"].get<std::string>().c_str());
    return;
  }
  std::size_t moved = 0;
  for (const auto& old : before["results"]) {
    const auto row = std::ranges::find_if(all, [&](const Figures& figures) {
      return figures.scenario == old["scenario"] && figures.server == old["server"];
    });
    if (row == all.end()) continue;
    for (const Column& column : kColumns) {
      const auto& value = (*row).*column.value;
      if (!column.is_compared || !value || !old.contains(column.name)) continue;
      const double was = old[column.name].get<double>();
      if (was <= 0 || std::abs(*value / was - 1) <= kMoved) continue;
      ++moved;
      std::printf("moved: %s, %s: %s %.*f -> %.*f (%+.0f %%)\n", row->scenario.c_str(),
                  row->server.c_str(), column.head, column.digits, was, column.digits, *value,
                  (*value / was - 1) * 100);
    }
  }
  if (moved == 0) std::printf("nothing moved by more than 10 %% since %s\n", file.c_str());
}

}  // namespace bench
