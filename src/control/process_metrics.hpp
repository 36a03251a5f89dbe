#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::control {

/// The process's use of the machine, as the kernel reports it. Prometheus's client libraries report
/// the same numbers.
struct OwnUse {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  ///< unix time
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t files_max = 0;
};

/// `sockets`: how many of the open files are known to be sockets. Any thread.
[[nodiscard]] OwnUse measure_own_use(std::size_t sockets);

}  // namespace holdfast::control
