// Reads the process's metrics from /proc.

#include "process_metrics.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::control {
namespace {

// Fields of /proc/self/stat behind the name, as proc(5) numbers them less 3.
constexpr std::size_t kStartTicks = 19;
constexpr std::size_t kVirtualBytes = 20;
constexpr std::size_t kResidentPages = 21;
constexpr std::size_t kFields = 22;

// Listing more of them takes the shard's time from its connections.
constexpr std::size_t kListedSocketsMax = 2'000;

std::array<std::uint64_t, kFields> stat_fields() {
  std::array<std::uint64_t, kFields> out{};
  std::ifstream file("/proc/self/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  // The name may hold anything, parentheses too.
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string field;
  for (std::size_t i = 0; i < kFields && fields >> field; ++i) {
    out[i] = std::strtoull(field.c_str(), nullptr, 10);
  }
  return out;
}

double boot_time_seconds() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return std::strtod(line.c_str() + 6, nullptr);
  }
  return 0;
}

std::uint64_t list_open_files() {
  std::error_code ec;
  const std::filesystem::directory_iterator files("/proc/self/fd", ec);
  if (ec) return 0;
  const auto count = std::distance(begin(files), end(files));
  return count > 0 ? static_cast<std::uint64_t>(count) - 1 : 0;  // less the listing's own
}

// Linux 6.2 and later tell the number as the directory's size. Before it they have to be listed:
// with many sockets only now and then, for what else is open hardly changes.
std::uint64_t count_open_files(std::size_t sockets) {
  static std::atomic<std::uint64_t> others{0};
  struct stat info{};
  if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
    return static_cast<std::uint64_t>(info.st_size);
  }
  if (sockets > kListedSocketsMax && others > 0) return sockets + others;
  const std::uint64_t files = list_open_files();
  others = files > sockets ? files - sockets : 1;
  return files;
}

}  // namespace

OwnUse measure_own_use(std::size_t sockets) {
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  static const double boot_time = boot_time_seconds();
  const auto fields = stat_fields();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  OwnUse out;
  out.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  out.start_time_seconds = boot_time + static_cast<double>(fields[kStartTicks]) / ticks_per_second;
  out.virtual_bytes = fields[kVirtualBytes];
  out.resident_bytes = fields[kResidentPages] * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  out.open_files = count_open_files(sockets);
  out.files_max = files.rlim_cur;
  return out;
}

}  // namespace holdfast::control
