#pragma once

#include <cstdint>

namespace holdfast::simulation {

/// Makes everything that this program takes for random follow from `seed`, so that a run can be
/// replayed: OpenSSL's generator and the kernel's are replaced in it.
void seed_random(std::uint64_t seed);

}  // namespace holdfast::simulation
