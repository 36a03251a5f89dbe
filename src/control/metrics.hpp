#pragma once

#include <holdfast/base/metrics.hpp>
#include <holdfast/control/service.hpp>

#include "process_metrics.hpp"

namespace holdfast::control {

/// Collects the numbers of the process as a whole, which no module counts.
void collect_process(MetricCollector& out, State state, const ProcessStatus& process,
                     const OwnUse& use);

}  // namespace holdfast::control
