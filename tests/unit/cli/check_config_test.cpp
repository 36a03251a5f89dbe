// Tests `holdfast check-config`.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/app/config.hpp>
#include <holdfast/base/json.hpp>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "unit/cli/command_line.hpp"

namespace holdfast::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CheckConfig : public ::testing::Test {
 protected:
  std::string write(const std::string& text) {
    const std::string path = dir_.file("holdfast.json");
    test::write_file(path, text);
    return path;
  }
  test::TempDir dir_;
  CommandLine holdfast;
};

TEST_F(CheckConfig, TellsEachValueAndWhoSetIt) {
  const std::string file = write("{\n  \"server\": {\n    \"workers\": 3\n  }\n}");
  ASSERT_EQ(holdfast({"check-config", "--config", file, "--listen", "127.0.0.1:1"}), kSuccess)
      << holdfast.err;
  EXPECT_THAT(holdfast.out, testing::ContainsRegex("server.workers +3 +file \\(.*json:3\\)"));
  EXPECT_THAT(holdfast.out,
              testing::ContainsRegex("server.listen +\"127.0.0.1:1\" +flag \\(--listen\\)"));
  EXPECT_THAT(holdfast.out, testing::ContainsRegex("log.level +\"info\" +default"));
}

TEST_F(CheckConfig, TellsEveryProblemWithItsPlace) {
  const std::string file = write(
      "{\n \"server\": {\"lisen\": 1},\n \"sever\": {},\n"
      " \"limits\": {\"message_bytes\": 0},\n \"tls\": {\"key\": \"k.pem\"}\n}");
  EXPECT_EQ(holdfast({"check-config", "--config", file, "--control-listen", "x"}), kFailure);
  EXPECT_THAT(holdfast.err,
              AllOf(HasSubstr(file + ":2: server.lisen"), HasSubstr(file + ":3: sever"),
                    HasSubstr(file + ":4: limits.message_bytes must be between"),
                    HasSubstr(file + ":5: tls.key needs tls.certificate"),
                    HasSubstr("--control-listen: server.control_listen must be")));
}

TEST_F(CheckConfig, LooksIntoTheFilesThatAreNamed) {
  const std::string file = write(R"({"tls": {"certificate": "/no/cert.pem", "key": "/no/key"}})");
  EXPECT_EQ(holdfast({"check-config", "--config", file}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("/no/cert.pem"));
}

TEST_F(CheckConfig, TakesWhatServeTakes) {
  EXPECT_EQ(holdfast({"check-config", "--data-dir", dir_.file("data"), "--log-level", "debug"}),
            kSuccess)
      << holdfast.err;
}

TEST_F(CheckConfig, ChecksTheMasterKeyOfTheEnvironmentAndNeverShowsIt) {
  holdfast.environment["HOLDFAST_MASTER_KEY"] = "c2hvcnQ=";
  EXPECT_EQ(holdfast({"check-config"}), kFailure);
  EXPECT_THAT(holdfast.err, AllOf(HasSubstr("HOLDFAST_MASTER_KEY"), HasSubstr("32")));
  EXPECT_THAT(holdfast.out + holdfast.err, Not(HasSubstr("c2hvcnQ")));
  holdfast.environment["HOLDFAST_MASTER_KEY"] = std::string(43, 'A') + "=";
  EXPECT_EQ(holdfast({"check-config"}), kSuccess) << holdfast.err;
}

TEST_F(CheckConfig, AnswersProgramsInJson) {
  const std::string file = write("{\"log\": {\"access\": 1}}");
  EXPECT_EQ(holdfast({"check-config", "--config", file, "--json"}), kFailure);
  const auto answer = parse_json(holdfast.out);
  ASSERT_TRUE(answer) << holdfast.out;
  EXPECT_EQ(answer->at("valid"), false);
  EXPECT_EQ(answer->at("problems").at(0).at("key"), "log.access");
  EXPECT_EQ(answer->at("problems").at(0).at("place"), file + ":1");
  EXPECT_EQ(answer->at("settings").size(), app::settings().size());
  EXPECT_EQ(answer->at("settings").at(0).at("source"), "default");
}

TEST_F(CheckConfig, ShowsNoSecrets) {
  const std::string file = write(
      R"({"user_pool": {"code_command": ["/bin/mail", "--password=hunter2"]},
          "aws": {"sample_app_url": "http://user:hunter2@sample.example"}})");
  EXPECT_EQ(holdfast({"check-config", "--config", file}), kSuccess);
  EXPECT_THAT(holdfast.out + holdfast.err, Not(HasSubstr("hunter2")));
  EXPECT_THAT(holdfast.out, HasSubstr("@sample.example"));
}

TEST_F(CheckConfig, PrintsTheSchema) {
  EXPECT_EQ(holdfast({"check-config", "--schema"}), kSuccess);
  EXPECT_EQ(holdfast.out, app::config_schema_text());
}

}  // namespace
}  // namespace holdfast::cli
