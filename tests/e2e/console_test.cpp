// The console in a browser, against the real binary.

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/base/json.hpp>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

constexpr const char* kConsolePassword = "a password of the operators";

// Kept for whoever wants to see what the browser showed.
std::string screenshots() {
  const auto folder =
      std::filesystem::path(holdfast_binary()).parent_path() / "console-screenshots";
  std::filesystem::create_directories(folder);
  return folder.string();
}

std::string hashed_password() {
  ChildProcess hash(
      {.command = {holdfast_binary(), "console", "--hash-password", "-p", kConsolePassword}});
  EXPECT_EQ(hash.wait(kPatience), 0) << transcript(hash);
  const auto lines = hash.output();
  return lines.empty() ? std::string() : lines.front();
}

class ConsoleInABrowserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    browser_ = find_browser();
    if (!browser_) GTEST_SKIP() << "there is no Chromium or Google Chrome on the PATH";
  }
  void play(const std::string& scenario,
            std::vector<std::pair<std::string, std::string>> environment = {},
            const std::string& scheme = "http") {
    const std::string data_dir = dir_.file("data");
    GatewayProcess gateway({.data_dir = data_dir, .environment = std::move(environment)});
    const Json given = {{"browser", *browser_},
                        {"binary", holdfast_binary()},
                        {"dataDir", data_dir},
                        {"control", gateway.control_address()},
                        {"gateway", scheme + "://" + gateway.address()},
                        {"client", gateway.credentials().at("HOLDFAST_CLIENT_ID")},
                        {"password", kConsolePassword},
                        {"screenshots", screenshots()}};
    const auto script = start_client_script("console.js", {scenario, given.dump()});
    expect_passed(*script);
    for (const std::string& line : gateway.process().output()) {
      EXPECT_EQ(line.find("#link="), std::string::npos) << line;
    }
  }

  TempDir dir_;
  std::optional<std::string> browser_;
};

TEST_F(ConsoleInABrowserTest, LetsInByALinkOnceAndKeepsOthersOut) { play("entry"); }

TEST_F(ConsoleInABrowserTest, LetsInByThePassword) {
  play("password", {{"HOLDFAST_CONSOLE__PASSWORD_HASH", hashed_password()}});
}

TEST_F(ConsoleInABrowserTest, LetsInAndConnectsOverTls) {
  const auto made = make_dev_certificates(dir_.file("certificates"), {});
  ASSERT_TRUE(made) << made.error().message;
  play("tls",
       {{"HOLDFAST_TLS__CERTIFICATE", made->certificate_file},
        {"HOLDFAST_TLS__KEY", made->key_file},
        {"HOLDFAST_TLS__CONTROL", "true"}},
       "https");
}

TEST_F(ConsoleInABrowserTest, ShowsEveryPageInLightAndDark) { play("desktop"); }

TEST_F(ConsoleInABrowserTest, ShowsEveryPageOnPhonesInLightAndDark) { play("phone"); }

TEST_F(ConsoleInABrowserTest, ChangesWhatOperatorsChange) { play("changes"); }

TEST_F(ConsoleInABrowserTest, ReceivesAsAUserOnTryIt) { play("trial"); }

TEST_F(ConsoleInABrowserTest, ShowsThatNumbersAreOld) { play("silence"); }

TEST_F(ConsoleInABrowserTest, CutsLongNamesShort) { play("widths"); }

TEST_F(ConsoleInABrowserTest, WorksWithoutAMouse) { play("keyboard"); }

}  // namespace
}  // namespace holdfast::test
