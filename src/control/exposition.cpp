// Writes metrics in Prometheus's text format.

#include "exposition.hpp"

#include <charconv>
#include <cmath>

namespace holdfast::control {
namespace {

// A double with 16 digits reads back as a nearby one, without digits that only rounding made.
constexpr int kDigits = 16;

const char* name_of(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      break;
  }
  return "histogram";
}

// Escapes a backslash and a line break, and in label values the quote.
void append_escaped(std::string& out, std::string_view text, bool quoted) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quoted && c == '"')) out += '\\';
    out += c;
  }
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                   std::chars_format::general, kDigits);
    out.append(text.data(), end.ptr);
  }
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  out.append(out.ends_with('{') ? "" : ",").append(name).append("=\"");
  append_escaped(out, value, true);
  out += '"';
}

// `le` is the limit of a histogram's bucket; null: the sample has none.
void append_sample(std::string& out, std::string_view name, const MetricLabels& labels,
                   const double* le, double value) {
  out += name;
  if (!labels.empty() || le != nullptr) {
    out += '{';
    for (const auto& [label, text] : labels) append_label(out, label, text);
    if (le != nullptr) {
      std::string limit;
      append_number(limit, *le);
      append_label(out, "le", limit);
    }
    out += '}';
  }
  out += ' ';
  append_number(out, value);
  out += '\n';
}

void append_histogram(std::string& out, const std::string& name, const MetricLabels& labels,
                      const HistogramReading& histogram) {
  const auto as_double = [](std::uint64_t count) { return static_cast<double>(count); };
  append_sample(out, name + "_count", labels, nullptr, as_double(histogram.count()));
  append_sample(out, name + "_sum", labels, nullptr, as_double(histogram.sum) / histogram.unit);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    below += histogram.counts[i];
    const double le = i < histogram.limits.size()
                          ? static_cast<double>(histogram.limits[i]) / histogram.unit
                          : INFINITY;
    append_sample(out, name + "_bucket", labels, &le, as_double(below));
  }
}

void append_family(std::string& out, const MetricCollector::Family& family) {
  const std::string name = family.declared.name;
  out.append("# HELP ").append(name).append(" ");
  append_escaped(out, family.declared.help, false);
  out.append("\n# TYPE ").append(name).append(" ").append(name_of(family.type)).append("\n");
  for (const MetricCollector::Series& series : family.series) {
    if (const auto* const histogram = std::get_if<HistogramReading>(&series.value)) {
      append_histogram(out, name, series.labels, *histogram);
    } else {
      append_sample(out, name, series.labels, nullptr, std::get<double>(series.value));
    }
  }
}

}  // namespace

std::string exposition_text(const MetricCollector& metrics) {
  std::string out;
  for (const MetricCollector::Family& family : metrics.families()) append_family(out, family);
  return out;
}

}  // namespace holdfast::control
