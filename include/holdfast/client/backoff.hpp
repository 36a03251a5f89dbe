#pragma once

#include <optional>

#include <holdfast/base/clock.hpp>

namespace holdfast::client {

struct BackoffOptions {
  Milliseconds first{250};
  Milliseconds last{30'000};
};

/// How long to wait after the `attempts`-th try in a row has failed: doubles from `first` to
/// `last`, and half of it is random, so that many clients do not come back at one instant; at
/// least what the server asked for. Any thread.
[[nodiscard]] Milliseconds backoff(const BackoffOptions& options, unsigned attempts,
                                   std::optional<Seconds> at_least = std::nullopt);

}  // namespace holdfast::client
