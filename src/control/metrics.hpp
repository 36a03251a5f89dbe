#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <holdfast/control/service.hpp>
#include <holdfast/delivery/mailboxes.hpp>

#include "process_metrics.hpp"

namespace holdfast::control {

/// The inputs of one scrape.
struct Scrape {
  State state = State::ready;
  ProcessStatus process;
  delivery::Stats delivery;  ///< of all shards together
  std::shared_ptr<const api::ShardCounts> counts;
  std::shared_ptr<const BoundRefusals> refusals;
  OwnUse own_use;
  std::uint64_t dropped_log_lines = 0;
};

/// In Prometheus's text format.
[[nodiscard]] std::string metrics_text(const Scrape& scrape);

}  // namespace holdfast::control
