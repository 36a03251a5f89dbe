#include "simulation/seeded_random.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <random>

#include <sys/types.h>

namespace holdfast::simulation {
namespace {

std::mutex g_mutex;
std::mt19937_64 g_random;  // NOLINT(cert-msc32-c,cert-msc51-cpp): it is to be predicted

void fill(void* out, std::size_t size) {
  const std::lock_guard lock(g_mutex);
  std::generate_n(static_cast<unsigned char*>(out), size,
                  [] { return static_cast<unsigned char>(g_random()); });
}

}  // namespace

void seed_random(std::uint64_t seed) {
  const std::lock_guard lock(g_mutex);
  g_random.seed(seed);
}

}  // namespace holdfast::simulation

// A program's own functions are found before its libraries'.
extern "C" {
int RAND_bytes(unsigned char* out, int size) {
  holdfast::simulation::fill(out, static_cast<std::size_t>(size));
  return 1;
}
ssize_t getrandom(void* out, std::size_t size, unsigned /*flags*/) {
  holdfast::simulation::fill(out, size);
  return static_cast<ssize_t>(size);
}
}
