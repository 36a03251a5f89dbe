// Collects metrics from the sets of their owners.

#include <algorithm>
#include <numeric>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/metrics.hpp>

namespace holdfast {
namespace {

bool has_all(const MetricLabels& labels, const MetricLabels& wanted) {
  return std::ranges::all_of(
      wanted, [&](const auto& label) { return std::ranges::find(labels, label) != labels.end(); });
}

void add_to(MetricReading& sum, const MetricReading& value) {
  HOLDFAST_ASSERT(sum.index() == value.index(), "metrics.adds_values_of_one_kind");
  if (auto* const histogram = std::get_if<HistogramReading>(&sum)) {
    *histogram += std::get<HistogramReading>(value);
  } else {
    std::get<double>(sum) += std::get<double>(value);
  }
}

}  // namespace

HistogramReading& HistogramReading::operator+=(const HistogramReading& other) {
  HOLDFAST_ASSERT(counts.size() == other.counts.size(), "metrics.adds_histograms_of_one_kind");
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  sum += other.sum;
  return *this;
}

std::uint64_t HistogramReading::count() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

MetricCollector::Family& MetricCollector::family(const MetricFamily& declared, MetricType type) {
  if (const auto found = by_name_.find(declared.name); found != by_name_.end()) {
    Family& known = *found->second;
    HOLDFAST_ASSERT(known.type == type && std::string_view(known.declared.help) == declared.help,
                    "metrics.family_has_one_declaration");
    return known;
  }
  Family& made = families_.emplace_back(Family{.declared = declared, .type = type, .series = {}});
  by_name_.emplace(declared.name, &made);
  return made;
}

void MetricCollector::add(const MetricFamily& declared, MetricType type, MetricLabels labels,
                          MetricReading value) {
  std::vector<Series>& all = family(declared, type).series;
  const auto same = std::ranges::find(all, labels, &Series::labels);
  if (same == all.end()) {
    all.push_back({std::move(labels), std::move(value)});
  } else {
    add_to(same->value, value);
  }
}

double MetricCollector::sum(std::string_view name, const MetricLabels& labels) const {
  double out = 0;
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return out;
  for (const Series& series : found->second->series) {
    const auto* const value = std::get_if<double>(&series.value);
    if (value != nullptr && has_all(series.labels, labels)) out += *value;
  }
  return out;
}

void MetricSet::add(MetricType type, const MetricFamily& family,
                    std::initializer_list<std::string> values, MetricReader read) {
  HOLDFAST_ASSERT(values.size() <= family.labels.size(), "metrics.has_few_labels");
  MetricLabels labels;
  for (const std::string& value : values) {
    const char* const name = family.labels[labels.size()];
    HOLDFAST_ASSERT(name != nullptr, "metrics.label_has_a_name");
    labels.emplace_back(name, value);
  }
  entries_.push_back({family, type, std::move(labels), std::move(read)});
}

void MetricSet::collect(MetricCollector& out, const MetricLabels& common) const {
  for (const Entry& entry : entries_) {
    out.family(entry.family, entry.type);
    std::optional<MetricReading> value = entry.read();
    if (!value) continue;
    MetricLabels labels = common;
    labels.insert(labels.end(), entry.labels.begin(), entry.labels.end());
    out.add(entry.family, entry.type, std::move(labels), std::move(*value));
  }
}

Counter::Counter(MetricSet& set, const MetricFamily& family,
                 std::initializer_list<std::string> values) {
  set.add(MetricType::counter, family, values, [this] { return static_cast<double>(read()); });
}

Gauge::Gauge(MetricSet& set, const MetricFamily& family,
             std::initializer_list<std::string> values) {
  set.add(MetricType::gauge, family, values, [this] { return static_cast<double>(read()); });
}

}  // namespace holdfast
