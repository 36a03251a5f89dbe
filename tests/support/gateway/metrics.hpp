#pragma once

#include <map>
#include <string>

namespace holdfast::test {

/// The values of `/metrics` by series, `name{label="value",…}`.
using Samples = std::map<std::string, double>;

/// Asks a control listener (`host:port` or `unix:/path`). Throws when it does not answer 200.
[[nodiscard]] std::string metrics_text(const std::string& control_address);
[[nodiscard]] Samples parse_samples(const std::string& text);
[[nodiscard]] inline Samples scrape(const std::string& control_address) {
  return parse_samples(metrics_text(control_address));
}

/// `GET path` of a control listener: `503 starting`; empty when nobody answers.
[[nodiscard]] std::string ask_control(const std::string& control_address, const std::string& path);

}  // namespace holdfast::test
