#pragma once

#include <optional>

#include <holdfast/base/clock.hpp>

namespace holdfast::client {

struct BackoffOptions {
  Milliseconds first{250};
  Milliseconds last{30'000};
};

/// Returns the wait after `attempts` failures in a row. It doubles from `first` to `last`, and half
/// of it is random, so that many clients do not return at one instant. It is at least `at_least`,
/// which the server asked for. Thread-safe.
[[nodiscard]] Milliseconds backoff(const BackoffOptions& options, unsigned attempts,
                                   std::optional<Seconds> at_least = std::nullopt);

}  // namespace holdfast::client
