// Tests the metrics of the process and of what all modules share.

#include "control/metrics.hpp"

#include <ctime>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <holdfast/api/route_metrics.hpp>
#include <holdfast/base/shares.hpp>
#include <holdfast/delivery/mailbox_metrics.hpp>

#include "control/exposition.hpp"

namespace holdfast::control {
namespace {

using testing::Contains;
using testing::HasSubstr;

class Metrics : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> lines() const {
    MetricCollector all;
    mailboxes_.collect(all);
    routes_.collect(all);
    refusals_.collect(all);
    collect_process(all, State::ready, process_, {});
    std::istringstream text(exposition_text(all));
    std::vector<std::string> out;
    for (std::string line; std::getline(text, line);) out.push_back(line);
    return out;
  }

  delivery::MailboxMetrics mailboxes_;
  api::RouteMetrics routes_;
  BoundRefusals refusals_;
  ProcessStatus process_;
};

TEST_F(Metrics, CountsMessagesByOutcome) {
  mailboxes_.delivered.add(5);
  mailboxes_.elided.add(4);
  mailboxes_.expired.add(1);
  mailboxes_.deleted.add(2);
  mailboxes_.buried.add(3);
  mailboxes_.stuck.add(4);
  const auto all = lines();
  EXPECT_THAT(all, Contains("holdfast_messages_total{outcome=\"delivered\"} 5"));
  EXPECT_THAT(all, Contains("holdfast_messages_total{outcome=\"elided\"} 4"));
  EXPECT_THAT(all, Contains("holdfast_messages_total{outcome=\"expired\"} 1"));
  EXPECT_THAT(all, Contains("holdfast_messages_total{outcome=\"dead\"} 6"));
  EXPECT_THAT(all, Contains("holdfast_messages_dead_total{reason=\"access_ended\"} 3"));
  EXPECT_THAT(all, Contains("holdfast_messages_stuck_total 4"));
}

TEST_F(Metrics, TellsHistogramsInSecondsAndCumulatively) {
  mailboxes_.acknowledgement.record(200);
  mailboxes_.acknowledgement.record(2'000);
  mailboxes_.acknowledgement.record(100'000'000);
  const auto all = lines();
  const std::string name = "holdfast_message_acknowledgement_seconds";
  EXPECT_THAT(all, Contains("# TYPE " + name + " histogram"));
  EXPECT_THAT(all, Contains(name + "_bucket{le=\"0.0001\"} 0"));
  EXPECT_THAT(all, Contains(name + "_bucket{le=\"0.00025\"} 1"));
  EXPECT_THAT(all, Contains(name + "_bucket{le=\"0.0025\"} 2"));
  EXPECT_THAT(all, Contains(name + "_bucket{le=\"60\"} 2"));
  EXPECT_THAT(all, Contains(name + "_bucket{le=\"+Inf\"} 3"));
  EXPECT_THAT(all, Contains(name + "_count 3"));
  EXPECT_THAT(all, Contains(name + "_sum 100.0022"));
}

TEST_F(Metrics, TellsWhatBoundsRefusedForAllAndForOne) {
  refusals_.add(Bound::password_work, BoundScope::share);
  const auto all = lines();
  const std::string name = "holdfast_bound_refusals_total{bound=";
  EXPECT_THAT(all, Contains(name + "\"password_work\",scope=\"share\"} 1"));
  EXPECT_THAT(all, Contains(name + "\"password_work\",scope=\"all\"} 0"));
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Bound::last); ++i) {
    const std::string bound = to_string(static_cast<Bound>(i));
    EXPECT_THAT(all, Contains(testing::StartsWith(name + "\"" + bound + "\",scope=\"all\"}")));
  }
}

TEST_F(Metrics, HasEveryReasonFromTheStart) {
  std::set<std::string> reasons;
  const std::regex series(R"re((\w+)\{reason="(\w+)"\} 0)re");
  for (const std::string& line : lines()) {
    std::smatch match;
    if (std::regex_match(line, match, series)) reasons.insert(match.str(1) + " " + match.str(2));
  }
  for (const char* const one :
       {"holdfast_websocket_upgrades_refused_total token_used",
        "holdfast_websocket_upgrades_refused_total draining",
        "holdfast_login_failures_total locked", "holdfast_login_failures_total unavailable",
        "holdfast_signature_failures_total expired_token", "holdfast_calls_refused_total rate",
        "holdfast_temporary_tokens_refused_total user", "holdfast_ingest_refused_total conflict"}) {
    EXPECT_THAT(reasons, Contains(one));
  }
}

TEST_F(Metrics, NeverRepeatsASeriesAndHelpsWithEach) {
  std::set<std::string> helped;
  std::set<std::string> seen;
  for (const std::string& line : lines()) {
    if (line.starts_with("# HELP ")) {
      const std::string rest = line.substr(7);
      const std::string name = rest.substr(0, rest.find(' '));
      EXPECT_TRUE(helped.insert(name).second) << name << " is told twice";
      EXPECT_THAT(rest, HasSubstr(".")) << "a sentence";
    } else if (!line.starts_with("#")) {
      const std::string series = line.substr(0, line.rfind(' '));
      EXPECT_TRUE(seen.insert(series).second) << series;
    }
  }
  EXPECT_GT(helped.size(), 30U);
}

TEST(OwnUse, TellsWhatTheKernelTells) {
  const OwnUse before = measure_own_use(0);
  EXPECT_GT(before.resident_bytes, 1U << 20);
  EXPECT_GT(before.virtual_bytes, before.resident_bytes);
  EXPECT_GT(before.files_max, before.open_files);
  EXPECT_LE(before.start_time_seconds, static_cast<double>(time(nullptr)) + 1);
  EXPECT_GE(before.start_time_seconds, static_cast<double>(time(nullptr)) - 3'600);
  const int extra[] = {dup(0), dup(0), dup(0)};
  EXPECT_EQ(measure_own_use(0).open_files, before.open_files + 3);
  for (const int file : extra) close(file);
  while (measure_own_use(0).cpu_seconds <= before.cpu_seconds) {
  }
}

}  // namespace
}  // namespace holdfast::control
