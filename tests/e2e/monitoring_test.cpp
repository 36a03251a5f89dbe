// Checks Prometheus's view, the alerts and Grafana's dashboard against the metrics of a busy
// gateway, and the metrics against their documentation.

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "e2e/outside.hpp"
#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/metrics.hpp"
#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

constexpr std::string_view kTableBegin = "<!-- metrics: a test holds it against the program -->\n";
constexpr std::string_view kTableEnd = "<!-- /metrics -->";

std::string docker_file(const std::string& name) {
  return std::string(HOLDFAST_SOURCE_DIR) + "/docker/" + name;
}

/// Runs it in docker/; its words when it fails.
testing::AssertionResult promtool_agrees(std::vector<std::string> arguments,
                                         const std::string& input = {}) {
  arguments.insert(arguments.begin(), promtool());
  ChildProcess child({.command = std::move(arguments), .directory = docker_file("")});
  if (!input.empty() && !child.write(input)) return testing::AssertionFailure() << "no input";
  child.close_input();
  if (child.wait(kPatience) == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << transcript(child);
}

/// A gateway to which everything has happened that the e2e helpers can bring about in short.
class MonitoringTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const TempDir dir;
    GatewayProcess gateway({.data_dir = dir.file("data")});
    const OutsideUser user = make_user(gateway, "alice");
    EXPECT_EQ(publish(gateway, user.id, "held"), "STORED");
    const auto client = gateway.client();
    const auto token = client->temporary_token(user.id_token).value();
    const auto socket = client->open_websocket(token, {});
    RawClient(gateway.address()).upgrade("/ws?token=rubbish");
    EXPECT_FALSE(client->initiate_auth("alice", "wrong password"));
    text_ = metrics_text(gateway.control_address());
  }

  /// Names of families, `_bucket` and the like left out.
  static std::set<std::string> families() {
    std::set<std::string> out;
    for (const auto& [name, type] : types()) out.insert(name);
    return out;
  }
  static std::map<std::string, std::string> types() {
    std::map<std::string, std::string> out;
    std::istringstream lines(text_);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string hash;
      std::string keyword;
      std::string name;
      std::string type;
      words >> hash >> keyword >> name >> type;
      if (hash == "#" && keyword == "TYPE") out[name] = type;
    }
    return out;
  }
  static std::string help_of(const std::string& family) {
    const std::string start = "# HELP " + family + " ";
    const auto at = text_.find(start) + start.size();
    return text_.substr(at, text_.find('\n', at) - at);
  }
  static std::string labels_of(const std::string& family) {
    std::set<std::string> out;
    const std::regex label(R"((\w+)=")");
    for (const auto& [series, value] : parse_samples(text_)) {
      const std::string name = series.substr(0, series.find('{'));
      if (name != family && name != family + "_bucket") continue;
      for (std::sregex_iterator it(series.begin(), series.end(), label), end; it != end; ++it) {
        if (it->str(1) != "le") out.insert(it->str(1));
      }
    }
    // Without TLS here.
    if (family == "holdfast_tls_certificate_expiry_seconds") out = {"address", "listener"};
    std::string text;
    for (const std::string& one : out) text += (text.empty() ? "`" : ", `") + one + "`";
    return text;
  }
  static std::string table() {
    std::string out = "| metric | type | labels | what it tells |\n|---|---|---|---|\n";
    for (const auto& [name, type] : types()) {
      out +=
          "| `" + name + "` | " + type + " | " + labels_of(name) + " | " + help_of(name) + " |\n";
    }
    return out;
  }
  /// Returns the metrics in our PromQL that no gateway has.
  static std::set<std::string> unknown_in(const std::string& queries) {
    std::set<std::string> out;
    const std::set<std::string> known = families();
    const std::regex metric(R"(\b((?:holdfast|process)_[a-z_]+))");
    const std::regex suffix("_(bucket|count|sum)$");
    for (std::sregex_iterator it(queries.begin(), queries.end(), metric), end; it != end; ++it) {
      const std::string name = it->str(1);
      const std::string base = std::regex_replace(name, suffix, "");
      if (!known.contains(name) && !known.contains(base)) out.insert(name);
    }
    return out;
  }

  static inline std::string text_;
};

/// The texts of every member of this name, wherever in the document it is.
void collect(const Json& json, const std::string& name, std::vector<std::string>& out) {
  if (json.is_object() && json.contains(name) && json[name].is_string()) {
    out.push_back(json[name].get<std::string>());
  }
  for (const Json& child : json) {
    if (child.is_structured()) collect(child, name, out);
  }
}

TEST_F(MonitoringTest, TellsMetricsAsPrometheusWantsThem) {
  EXPECT_TRUE(promtool_agrees({"check", "metrics"}, text_));
  EXPECT_FALSE(promtool_agrees({"check", "metrics"}, "# TYPE latency_ms counter\nlatency_ms 1\n"))
      << "the check itself must be one";
}

TEST_F(MonitoringTest, HasADocumentedMeaningForEveryMetric) {
  const std::string page = source_file("docs/metrics.md");
  const auto begin = page.find(kTableBegin);
  const auto end = page.find(kTableEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const auto from = begin + kTableBegin.size();
  EXPECT_EQ(page.substr(from, end - from), table()) << "the new table is to be:\n" << table();
}

TEST_F(MonitoringTest, TellsEveryMetricOfTheAlerts) {
  const std::string alerts = source_file("docker/alerts.yml");
  ASSERT_THAT(alerts, testing::HasSubstr("holdfast_store_writable"));
  EXPECT_THAT(unknown_in(alerts), testing::IsEmpty());
  EXPECT_THAT(unknown_in(source_file("docker/alerts_test.yml")), testing::IsEmpty());
}

TEST_F(MonitoringTest, TellsEveryMetricOfTheDashboardAndTheDashboardShowsEach) {
  const auto dashboard = parse_json(source_file("docker/grafana/dashboards/holdfast.json"));
  ASSERT_TRUE(dashboard);
  std::vector<std::string> queries;
  collect(*dashboard, "expr", queries);
  EXPECT_GT(queries.size(), 50U);
  std::string all;
  for (const std::string& query : queries) all += query + "\n";
  EXPECT_THAT(unknown_in(all), testing::IsEmpty());
  for (const std::string& family : families()) {
    EXPECT_THAT(all, testing::HasSubstr(family));
  }
}

TEST_F(MonitoringTest, HasADashboardWithoutOverlappingPanels) {
  const Json dashboard = parse_json(source_file("docker/grafana/dashboards/holdfast.json")).value();
  std::set<int> ids;
  std::set<std::pair<int, int>> taken;
  for (const Json& panel : dashboard["panels"]) {
    EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second);
    const Json& place = panel["gridPos"];
    EXPECT_LE(place["x"].get<int>() + place["w"].get<int>(), 24);
    for (int x = 0; x < place["w"].get<int>(); ++x) {
      for (int y = 0; y < place["h"].get<int>(); ++y) {
        EXPECT_TRUE(taken.emplace(place["x"].get<int>() + x, place["y"].get<int>() + y).second)
            << panel["title"];
      }
    }
  }
}

TEST(AlertsTest, FiresOnlyWhenItShould) {
  EXPECT_TRUE(promtool_agrees({"check", "config", "prometheus.yml"}));
  EXPECT_TRUE(promtool_agrees({"check", "rules", "alerts.yml"}));
  EXPECT_TRUE(promtool_agrees({"test", "rules", "alerts_test.yml"}));
}

TEST(AlertsTest, HasATestAndAdviceForEachAlert) {
  const std::string rules = source_file("docker/alerts.yml");
  const std::string tests = source_file("docker/alerts_test.yml");
  const std::regex alert(R"(- alert: (\w+)\n([\s\S]*?)(?=\n\n|$))");
  std::size_t count = 0;
  for (std::sregex_iterator it(rules.begin(), rules.end(), alert), end; it != end; ++it) {
    ++count;
    EXPECT_THAT(tests, testing::HasSubstr("alertname=\"" + it->str(1) + "\"")) << it->str(1);
    for (const char* const part : {"severity:", "summary:", "description:", "action:"}) {
      EXPECT_THAT(it->str(2), testing::HasSubstr(part)) << it->str(1);
    }
  }
  EXPECT_EQ(count, 21U);
}

}  // namespace
}  // namespace holdfast::test
