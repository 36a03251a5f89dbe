// Tests Prometheus's text format, also against a slow reader of it.

#include "control/exposition.hpp"

#include <limits>
#include <map>
#include <random>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::control {
namespace {

using testing::HasSubstr;

constexpr Buckets<2> kTwoBuckets{.limits = {250'000, 1'000'000}, .unit = kMicrosPerSecond};

std::string text_of(const MetricFamily& family, MetricType type, MetricLabels labels,
                    MetricReading value) {
  MetricCollector metrics;
  metrics.add(family, type, std::move(labels), std::move(value));
  return exposition_text(metrics);
}

std::string number_text(double value) {
  const std::string text = text_of({"x", "X."}, MetricType::gauge, {}, value);
  return text.substr(text.rfind(' ') + 1);
}

TEST(ExpositionTest, WritesAFamilyWithItsSeries) {
  MetricCollector metrics;
  const MetricFamily calls{"calls_total", "Calls, by reason.", {"reason"}};
  metrics.add(calls, MetricType::counter, {{"reason", "rate"}}, 3.0);
  metrics.add(calls, MetricType::counter, {{"shard", "1"}, {"reason", "policy"}}, 0.0);
  metrics.add({"open", "Open ones."}, MetricType::gauge, {}, -2.0);
  EXPECT_EQ(exposition_text(metrics),
            "# HELP calls_total Calls, by reason.\n"
            "# TYPE calls_total counter\n"
            "calls_total{reason=\"rate\"} 3\n"
            "calls_total{shard=\"1\",reason=\"policy\"} 0\n"
            "# HELP open Open ones.\n"
            "# TYPE open gauge\n"
            "open -2\n");
}

TEST(ExpositionTest, WritesAFamilyThatHasNoSeries) {
  MetricCollector metrics;
  metrics.family({"expiry", "Expiry."}, MetricType::gauge);
  EXPECT_EQ(exposition_text(metrics), "# HELP expiry Expiry.\n# TYPE expiry gauge\n");
}

TEST(ExpositionTest, WritesHistogramsCumulativelyAndInTheMetricsUnit) {
  Histogram<kTwoBuckets> wait;
  for (const int value : {200'000, 250'000, 900'000, 2'000'000}) wait.record(value);
  EXPECT_EQ(
      text_of({"wait_seconds", "Waits."}, MetricType::histogram, {{"shard", "0"}}, wait.read()),
      "# HELP wait_seconds Waits.\n"
      "# TYPE wait_seconds histogram\n"
      "wait_seconds_count{shard=\"0\"} 4\n"
      "wait_seconds_sum{shard=\"0\"} 3.35\n"
      "wait_seconds_bucket{shard=\"0\",le=\"0.25\"} 2\n"
      "wait_seconds_bucket{shard=\"0\",le=\"1\"} 3\n"
      "wait_seconds_bucket{shard=\"0\",le=\"+Inf\"} 4\n");
}

TEST(ExpositionTest, WritesNumbersAsPrometheusReadsThem) {
  EXPECT_EQ(number_text(0), "0\n");
  EXPECT_EQ(number_text(0.0001), "0.0001\n");
  EXPECT_EQ(number_text(0.1 + 0.2), "0.3\n");
  EXPECT_EQ(number_text(1769076000.25), "1769076000.25\n");
  EXPECT_EQ(number_text(9'007'199'254'740'991.0), "9007199254740991\n");
  EXPECT_EQ(number_text(1e300), "1e+300\n");
  EXPECT_EQ(number_text(std::numeric_limits<double>::infinity()), "+Inf\n");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-Inf\n");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "NaN\n");
}

TEST(ExpositionTest, EscapesHelpAndLabelValues) {
  const std::string text = text_of({"x", "A \\ and a\nbreak, \"quoted\"."}, MetricType::gauge,
                                   {{"path", "C:\\a\n\"b\""}}, 1.0);
  EXPECT_THAT(text, HasSubstr("# HELP x A \\\\ and a\\nbreak, \"quoted\".\n"));
  EXPECT_THAT(text, HasSubstr("x{path=\"C:\\\\a\\n\\\"b\\\"\"} 1\n"));
}

/// Reads a text by the letter of the format: one character after the other. Throws at a fault.
class SlowReader {
 public:
  using Samples = std::map<std::pair<std::string, MetricLabels>, double>;

  explicit SlowReader(const std::string& text) : in_(text) {}

  Samples read() {
    Samples out;
    for (std::string line; std::getline(in_, line);) {
      if (line.starts_with("#")) continue;
      line_ = line;
      at_ = 0;
      std::string name = until("{ ");
      MetricLabels labels = peek() == '{' ? read_labels() : MetricLabels();
      expect(' ');
      const double value = std::stod(line_.substr(at_));
      if (!out.emplace(std::pair(std::move(name), std::move(labels)), value).second) {
        throw std::runtime_error("a series is told twice: " + line);
      }
    }
    return out;
  }

 private:
  [[nodiscard]] char peek() const { return line_.at(at_); }
  void expect(char wanted) {
    if (line_.at(at_++) != wanted) throw std::runtime_error("not the format: " + line_);
  }
  std::string until(const char* ends) {
    const std::size_t end = line_.find_first_of(ends, at_);
    std::string out = line_.substr(at_, end - at_);
    at_ = end;
    return out;
  }
  std::string read_value() {
    std::string out;
    expect('"');
    while (peek() != '"') {
      char c = line_.at(at_++);
      if (c == '\\') {
        c = line_.at(at_++);
        if (c == 'n') c = '\n';
      }
      out += c;
    }
    expect('"');
    return out;
  }
  MetricLabels read_labels() {
    MetricLabels out;
    expect('{');
    while (true) {
      std::string name = until("=");
      expect('=');
      out.emplace_back(std::move(name), read_value());
      if (peek() == '}') break;
      expect(',');
    }
    expect('}');
    return out;
  }

  std::istringstream in_;
  std::string line_;
  std::size_t at_ = 0;
};

/// Chooses metrics whose values and labels have whatever a text may have.
class RandomMetrics {
 public:
  explicit RandomMetrics(unsigned seed) : random_(seed) {}

  std::string value() {
    static constexpr std::string_view kLetters = "ab\\\"\n{}=, é#";
    std::string out(below(8), ' ');
    for (char& c : out) c = kLetters[below(kLetters.size())];
    return out;
  }
  /// Sums of a few have at most 16 digits, so that they read back exactly.
  double number() {
    static constexpr std::array kNumbers = {0.0, 1.0, -3.5, 0.25, 4'294'967'296.0, 1e12};
    return kNumbers[below(kNumbers.size())];
  }
  std::size_t below(std::size_t end) { return random_() % end; }

 private:
  std::mt19937 random_;
};

TEST(ExpositionTest, IsReadBackByASlowReader) {
  static constexpr std::array kFamilies = {MetricFamily{"one_total", "One."},
                                           MetricFamily{"two", "Two."}};
  for (unsigned seed = 0; seed < 500; ++seed) {
    RandomMetrics random(seed);
    MetricCollector metrics;
    SlowReader::Samples expected;
    for (std::size_t i = random.below(12); i > 0; --i) {
      const MetricFamily& family = kFamilies[random.below(2)];
      MetricLabels labels;
      if (random.below(3) > 0) labels.emplace_back("a", random.value());
      if (random.below(3) > 0) labels.emplace_back("b", random.value());
      const double value = random.number();
      metrics.add(family, MetricType::gauge, labels, value);
      expected[{family.name, labels}] += value;
    }
    const std::string text = exposition_text(metrics);
    EXPECT_EQ(SlowReader(text).read(), expected) << "seed " << seed << "\n" << text;
  }
}

TEST(ExpositionTest, ReadsBackTheBucketsOfAHistogram) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    RandomMetrics random(seed);
    Histogram<kTwoBuckets> wait;
    std::array<double, 3> below{};
    double sum = 0;
    for (std::size_t i = random.below(20); i > 0; --i) {
      const std::size_t micros = random.below(2'000'000);
      wait.record(static_cast<std::int64_t>(micros));
      sum += static_cast<double>(micros);
      below[0] += micros <= 250'000 ? 1 : 0;
      below[1] += micros <= 1'000'000 ? 1 : 0;
      below[2] += 1;
    }
    const std::string text = text_of({"w", "W."}, MetricType::histogram, {}, wait.read());
    SlowReader::Samples samples = SlowReader(text).read();
    const auto bucket = [&samples](const char* le) {
      return samples.at({"w_bucket", MetricLabels{{"le", le}}});
    };
    EXPECT_EQ(bucket("0.25"), below[0]) << "seed " << seed;
    EXPECT_EQ(bucket("1"), below[1]);
    EXPECT_EQ(bucket("+Inf"), below[2]);
    EXPECT_EQ(samples.at({"w_count", {}}), below[2]);
    EXPECT_NEAR(samples.at({"w_sum", {}}), sum / kMicrosPerSecond, 1e-9);
  }
}

}  // namespace
}  // namespace holdfast::control
