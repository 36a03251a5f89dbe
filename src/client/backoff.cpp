// Computes the wait before a retry.

#include <algorithm>

#include <holdfast/base/crypto.hpp>
#include <holdfast/client/backoff.hpp>

namespace holdfast::client {

Milliseconds backoff(const BackoffOptions& options, unsigned attempts,
                     std::optional<Seconds> at_least) {
  Milliseconds step = options.first;
  for (unsigned i = 1; i < attempts && step < options.last; ++i) step *= 2;
  step = std::min(step, options.last);
  const auto half = static_cast<std::uint64_t>(step.count() / 2);
  const Milliseconds wait(static_cast<std::int64_t>(half + random_u64() % (half + 1)));
  return at_least ? std::max<Milliseconds>(wait, *at_least) : wait;
}

}  // namespace holdfast::client
