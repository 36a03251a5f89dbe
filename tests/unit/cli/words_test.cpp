// Tests the texts of commands: help, hints and errors.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "cli/settings.hpp"
#include "unit/cli/fake_daemon.hpp"

namespace holdfast::cli {
namespace {

using test::FakeGateway;
using test::json_response;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Words, AcceptsHelpAndVersionAsCommands) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"--help"}), kSuccess);
  const std::string help = holdfast.out;
  EXPECT_EQ(holdfast({"help"}), kSuccess);
  EXPECT_EQ(holdfast.out, help);
  EXPECT_EQ(holdfast({"help", "user", "create"}), kSuccess);
  EXPECT_THAT(holdfast.out, HasSubstr("--no-password"));
  EXPECT_EQ(holdfast({"--version"}), kSuccess);
  const std::string version = holdfast.out;
  EXPECT_EQ(holdfast({"version"}), kSuccess);
  EXPECT_EQ(holdfast.out, version);
  EXPECT_THAT(version, HasSubstr("holdfast "));
}

TEST(Words, ReadsStandardInputForADash) {
  const FakeGateway gateway([](const net::Request&) {
    return json_response(200, R"({"messageId":"m-1","sequence":1,"status":"STORED"})");
  });
  CommandLine holdfast;
  holdfast.source_credentials(gateway.url());
  holdfast.in = "two\nlines\n";
  EXPECT_EQ(holdfast({"publish", "u", "-"}), kSuccess) << holdfast.err;
  EXPECT_EQ((*parse_json(gateway.requests().back().body))["message"], "two\nlines");
  holdfast.in = "";
  EXPECT_EQ(holdfast({"publish", "u", "-"}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("standard input"));
  EXPECT_EQ(gateway.requests().size(), 1U);
}

TEST(Words, AcceptsOnlyKnownReasons) {
  FakeDaemon daemon([](const net::Request&) {
    return json_response(200, R"({"deadLetters":[],"redriven":[],"deleted":[],"failed":[]})");
  });
  for (const char* command : {"list", "redrive", "delete"}) {
    EXPECT_EQ(daemon({"dead-letters", command, "--reason", "nope"}), kUsage) << command;
    EXPECT_THAT(daemon.holdfast.err + daemon.holdfast.out, HasSubstr("user_disabled"));
  }
  EXPECT_THAT(daemon.asked(), IsEmpty());
  for (const char* reason : {"expired", "deleted", "user_deleted", "user_disabled"}) {
    EXPECT_EQ(daemon({"dead-letters", "redrive", "--reason", reason}), kSuccess) << reason;
  }
}

TEST(Words, DistinguishesAnEmptyListFromNoMatch) {
  FakeDaemon daemon(
      [](const net::Request&) { return json_response(200, R"({"deadLetters":[],"next":null})"); });
  EXPECT_EQ(daemon({"dead-letters", "list"}), kSuccess);
  EXPECT_EQ(daemon.holdfast.err, "There are no dead letters.\n");
  EXPECT_EQ(daemon({"dead-letters", "list", "--user", "u"}), kSuccess);
  EXPECT_EQ(daemon.holdfast.err, "There are no such dead letters.\n");

  FakeDaemon empty([](const net::Request&) {
    return json_response(200, R"({"users":[],"records":[],"next":null})");
  });
  EXPECT_EQ(empty({"user", "list"}), kSuccess);
  EXPECT_EQ(empty.holdfast.err, "There are no users.\n");
  EXPECT_EQ(empty({"user", "list", "--filter", "username ^= \"a\""}), kSuccess);
  EXPECT_EQ(empty.holdfast.err, "There are no such users.\n");
  EXPECT_EQ(empty({"audit", "list"}), kSuccess);
  EXPECT_EQ(empty.holdfast.err, "There are no audit records.\n");
  EXPECT_EQ(empty({"audit", "list", "--outcome", "failed"}), kSuccess);
  EXPECT_EQ(empty.holdfast.err, "There are no such audit records.\n");
}

TEST(Words, HintsAtEachCause) {
  EXPECT_THAT(hint_for_connection("certificate verify failed (SSL routines)"),
              HasSubstr("SSL_CERT_FILE"));
  EXPECT_THAT(hint_for_connection("Permission denied"), HasSubstr("as root or as"));
  EXPECT_THAT(hint_for_connection("Connection refused"), HasSubstr("`holdfast serve` running"));
  const FakeGateway gateway([](const net::Request&) { return net::Response{404, {}, "", false}; });
  CommandLine holdfast;
  holdfast.source_credentials("https" + gateway.url().substr(4));
  EXPECT_EQ(holdfast({"publish", "u", "hi"}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("use http://"));
  holdfast.source_credentials(gateway.url());
  EXPECT_EQ(holdfast({"publish", "u", "hi"}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("HOLDFAST_URL may be the control listener"));
}

TEST(Words, BeginsAnErrorWithTheMember) {
  FakeDaemon daemon([](const net::Request&) {
    return json_response(400,
                         R"({"error":{"code":"x","message":"is not a UUID","where":"messageId"}})");
  });
  EXPECT_EQ(daemon({"execution", "show", "nope"}), kFailure);
  EXPECT_EQ(daemon.holdfast.err, "holdfast: messageId: is not a UUID\n");
}

}  // namespace
}  // namespace holdfast::cli
