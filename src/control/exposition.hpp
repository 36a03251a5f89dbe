#pragma once

#include <string>

#include <holdfast/base/metrics.hpp>

namespace holdfast::control {

/// The media type of `exposition_text`.
inline constexpr const char* kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

/// Returns the metrics in Prometheus's text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
[[nodiscard]] std::string exposition_text(const MetricCollector& metrics);

}  // namespace holdfast::control
