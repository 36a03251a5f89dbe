// Tests the administration commands against a fake control socket.

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "support/base/temp_dir.hpp"
#include "support/client/fake_gateway.hpp"
#include "unit/cli/command_line.hpp"

namespace holdfast::cli {
namespace {

using test::json_response;
using testing::HasSubstr;
using testing::Not;

// A daemon's control socket that gives one answer.
struct Daemon {
  explicit Daemon(std::string body, int status = 200)
      : socket([status, body](const net::Request&) { return json_response(status, body); },
               "unix:" + folder.file("control.sock")) {}

  // Runs a command with this daemon's data directory.
  int operator()(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--data-dir", folder.path().string()});
    return holdfast(arguments);
  }
  net::Request last() const { return socket.requests().back(); }

  test::TempDir folder;
  test::FakeGateway socket;
  CommandLine holdfast;
};

TEST(Administration, NeedsARunningDaemonInTheDataDirectory) {
  const test::TempDir folder;
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"status", "--data-dir", folder.path().string()}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr(folder.file("control.sock")));
  EXPECT_THAT(holdfast.err, HasSubstr("--data-dir"));
}

TEST(Administration, PrintsTheAnswerItselfForPrograms) {
  const std::string answer = R"({"version":"1","delivery":{"accepted":3},"listeners":[]})";
  Daemon daemon(answer);
  EXPECT_EQ(daemon({"status", "--json"}), kSuccess);
  EXPECT_EQ(daemon.holdfast.out, answer + "\n");
  EXPECT_EQ(daemon.last().head.target, "/v1/status");
}

TEST(Administration, ShowsTheStatusAsATable) {
  Daemon daemon(R"({"version":"1.2","state":"ready","delivery":{"accepted":3},"listeners":[)"
                R"({"part":"gateway","address":"127.0.0.1:1","openSockets":2,)"
                R"("openWebsockets":1,"requests":9}]})");
  EXPECT_EQ(daemon({"status"}), kSuccess);
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("state              ready\n"));
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("delivery.accepted  3\n"));
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("127.0.0.1:1, 2 sockets, 1 WebSockets, 9 requests"));
}

TEST(Administration, ShowsTimesInALine) {
  Daemon daemon(R"({"delivery":{"acknowledgement":{"count":200,"sumSeconds":1.5,"buckets":[)"
                R"({"le":0.001,"count":99},{"le":0.0025,"count":101},{"le":0.05,"count":198},)"
                R"({"le":null,"count":200}]}}})");
  EXPECT_EQ(daemon({"status"}), kSuccess);
  EXPECT_THAT(
      daemon.holdfast.out,
      HasSubstr(
          "delivery.acknowledgement  200, half of them within 0.0025 s, 99 % within 0.05 s\n"));
  Daemon idle(R"({"delivery":{"acknowledgement":{"count":0,"sumSeconds":0,"buckets":[]}}})");
  EXPECT_EQ(idle({"status"}), kSuccess);
  EXPECT_THAT(idle.holdfast.out, HasSubstr("delivery.acknowledgement  0\n"));
}

TEST(Administration, SaysWhoseIdItWasWhereAUsersNameWasGiven) {
  const test::TempDir folder;
  const test::FakeGateway socket(
      [](const net::Request& request) {
        return request.head.target.starts_with("/v1/users/")
                   ? json_response(200, R"({"username":"ann","userId":"1-2"})")
                   : json_response(200, R"({"messages":[],"totals":{"messages":0,"bytes":0}})");
      },
      "unix:" + folder.file("control.sock"));
  CommandLine holdfast;
  const std::string data_dir = folder.path().string();
  EXPECT_EQ(holdfast({"pending", "show", "ann", "--data-dir", data_dir}), kSuccess);
  EXPECT_THAT(holdfast.err, HasSubstr("\"ann\" is the name of a user whose id is 1-2"));
  EXPECT_EQ(holdfast({"pending", "show", "1-2", "--data-dir", data_dir}), kSuccess);
  EXPECT_THAT(holdfast.err, Not(HasSubstr("is the name")));
}

TEST(Administration, AnswersWhetherTheGatewayIsReadyByTheExitCodeAlone) {
  Daemon ready(R"({"version":"1.2","state":"ready"})");
  EXPECT_EQ(ready({"status", "--ready"}), kSuccess);
  EXPECT_EQ(ready.holdfast.out + ready.holdfast.err, "");
  Daemon draining(R"({"version":"1.2","state":"draining"})");
  EXPECT_EQ(draining({"status", "--ready"}), kFailure);
  EXPECT_EQ(draining.holdfast.out, "");
  EXPECT_THAT(draining.holdfast.err, HasSubstr("not ready: draining"));
  EXPECT_EQ(draining({"status", "--ready", "--json"}), kUsage);
}

TEST(Administration, ListsPendingUsersAndTellsOfMore) {
  Daemon daemon(R"({"users":[{"userId":"ann","messages":2,"bytes":10}],"next":"ann"})");
  EXPECT_EQ(daemon({"pending", "list", "--after", "a b", "--limit", "1"}), kSuccess);
  EXPECT_EQ(daemon.last().head.target, "/v1/pending?limit=1&after=a%20b");
  EXPECT_EQ(daemon.holdfast.out, "USER ID  MESSAGES  BYTES\nann      2         10\n");
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("--after ann"));
}

TEST(Administration, SaysThatNothingIsPending) {
  Daemon daemon(R"({"users":[],"next":null})");
  EXPECT_EQ(daemon({"pending", "list"}), kSuccess);
  EXPECT_EQ(daemon.holdfast.out, "");
  EXPECT_EQ(daemon.holdfast.err, "Nothing is pending.\n");
}

TEST(Administration, ShowsAUsersPendingMessages) {
  Daemon daemon(R"({"userId":"a/b","messages":[{"messageId":"m","sequence":7,"bytes":3,)"
                R"("acceptedAt":"then","expiresAt":"later"}],)"
                R"("totals":{"messages":1,"bytes":3},"next":null})");
  EXPECT_EQ(daemon({"pending", "show", "a/b"}), kSuccess);
  EXPECT_EQ(daemon.last().head.target, "/v1/pending/a%2Fb?limit=100");
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("7         m           3      then      later"));
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("1 messages, 3 bytes"));
}

TEST(Administration, ShowsTheStepsOfAnExecution) {
  Daemon daemon(R"({"executions":[{"workflow":"SendMessage","id":"m","userId":"ann","steps":[)"
                R"({"state":"Received","at":"t0","atMicros":1000},)"
                R"({"state":"Stored","at":"t1","atMicros":1450}]}]})");
  EXPECT_EQ(daemon({"execution", "show", "m"}), kSuccess);
  EXPECT_EQ(daemon.last().head.target, "/v1/executions/m");
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("SendMessage m of user ann"));
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("Stored    t1  +450 us"));
  EXPECT_THAT(daemon.holdfast.out, testing::EndsWith("acknowledgement not recorded\n"));
}

TEST(Administration, SaysLastWhenAMessageWasAcknowledgedAndByWhichConnection) {
  Daemon daemon(R"({"executions":[{"workflow":"SendMessage","id":"m","userId":"ann","steps":[],)"
                R"("acknowledged":{"at":"t9","atMicros":9,"connectionId":"c1"}},)"
                R"({"workflow":"SendUnsentMessages","id":"n","userId":"ann","steps":[],)"
                R"("acknowledged":null}]})");
  EXPECT_EQ(daemon({"execution", "show", "m"}), kSuccess);
  EXPECT_THAT(daemon.holdfast.out, testing::EndsWith("\nacknowledged t9 by connection c1\n"));
}

TEST(Administration, AsksForTheExecutionsAndConnectionsOfOneUser) {
  Daemon daemon(R"({"executions":[],"connections":[]})");
  EXPECT_EQ(daemon({"execution", "list", "--user", "ann"}), kSuccess);
  EXPECT_EQ(daemon.last().head.target, "/v1/executions?limit=100&userId=ann");
  EXPECT_EQ(daemon({"connections", "list", "--user", "ann"}), kSuccess);
  EXPECT_EQ(daemon.last().head.target, "/v1/connections?limit=100&userId=ann");
}

TEST(Administration, CreatesAnAccessKeyWithAPolicyAndPrintsWhatAShellCanEvaluate) {
  Daemon daemon(R"({"id":"AKIAIOSFODNN7EXAMPLE","secret":"wJalrXUtnFEMI/K7MDENG",)"
                R"("name":"ann"})",
                201);
  const std::string policy = daemon.folder.file("policy.json");
  std::ofstream(policy) << R"({"Version":"2012-10-17","Statement":[]})";
  EXPECT_EQ(daemon({"access-key", "create", "ann", "--policy", policy}), kSuccess);
  EXPECT_EQ(daemon.holdfast.out,
            "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n"
            "export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG\n");
  EXPECT_EQ(daemon.last().head.method, "POST");
  EXPECT_EQ(daemon.last().body,
            R"({"name":"ann","policy":{"Version":"2012-10-17","Statement":[]}})");
  EXPECT_EQ(daemon({"access-key", "create", "ann"}), kSuccess);
  EXPECT_EQ(daemon.last().body, R"({"name":"ann"})");
}

TEST(Administration, CreatesARootKeyWhenItIsAskedFor) {
  Daemon daemon(R"({"id":"AKIAIOSFODNN7EXAMPLE","secret":"wJalrXUtnFEMI/K7MDENG",)"
                R"("name":"root"})",
                201);
  EXPECT_EQ(daemon({"access-key", "create", "root", "--root"}), kSuccess);
  EXPECT_EQ(daemon.last().body,
            R"({"name":"root","policy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
            R"("Action":"*","Resource":"*"}]}})");
  EXPECT_EQ(daemon({"access-key", "create", "root", "--root", "--policy", "{}"}), kUsage);
}

TEST(Administration, RefusesAPolicyFileThatIsMissingOrNoJson) {
  Daemon daemon("{}");
  EXPECT_EQ(daemon({"access-key", "create", "ann", "--policy", daemon.folder.file("none")}),
            kFailure);
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("none"));
  const std::string policy = daemon.folder.file("policy.json");
  std::ofstream(policy) << "{";
  EXPECT_EQ(daemon({"access-key", "create", "ann", "--policy", policy}), kFailure);
  EXPECT_THAT(daemon.holdfast.err, HasSubstr(policy));
  EXPECT_TRUE(daemon.socket.requests().empty());
}

TEST(Administration, ListsAndDeletesAccessKeys) {
  Daemon daemon(R"({"accessKeys":[{"id":"AKIA1","name":"ann","arn":"arn:x","enabled":true,)"
                R"("createdAt":"then","policy":{}}]})");
  EXPECT_EQ(daemon({"access-key", "list"}), kSuccess);
  EXPECT_THAT(daemon.holdfast.out,
              HasSubstr("AKIA1  ann   true     default  then     never    arn:x"));
  EXPECT_EQ(daemon({"access-key", "delete", "AKIA1"}), kSuccess);
  EXPECT_EQ(daemon.last().head.method, "DELETE");
  EXPECT_EQ(daemon.last().head.target, "/v1/access-keys/AKIA1");
}

TEST(Administration, MakesAnAccessKeyThatExpires) {
  Daemon daemon(R"({"id":"AKIAIOSFODNN7EXAMPLE","name":"ann","secret":"wJalrXUtnFEMI/K7MDENG",)"
                R"("expiresAt":"2027-01-01"})",
                201);
  EXPECT_EQ(daemon({"access-key", "create", "ann", "--expires-in", "2"}), kSuccess);
  EXPECT_EQ(parse_json(daemon.last().body).value(),
            Json({{"name", "ann"}, {"expiresInSeconds", 172'800}}));
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("Good until 2027-01-01."));
  for (const char* bad : {"0", "3651", "soon"}) {
    EXPECT_EQ(daemon({"access-key", "create", "ann", "--expires-in", bad}), kUsage) << bad;
  }
}

TEST(Administration, ShowsAnAccessKeyWithItsPolicyAndRate) {
  Daemon daemon(R"({"id":"AKIA1","name":"ann","arn":"arn:x","enabled":true,"createdAt":"then",)"
                R"("requestsPerSecond":0,"policy":{"Version":"2012-10-17"}})");
  EXPECT_EQ(daemon({"access-key", "show", "AKIA1"}), kSuccess);
  EXPECT_EQ(daemon.last().head.method, "GET");
  EXPECT_EQ(daemon.last().head.target, "/v1/access-keys/AKIA1");
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("rate     any\n"));
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("{\n  \"Version\": \"2012-10-17\"\n}\n"));
  EXPECT_EQ(daemon({"access-key", "policy", "AKIA1"}), kSuccess);
  EXPECT_EQ(daemon.holdfast.out, "{\n  \"Version\": \"2012-10-17\"\n}\n");
}

TEST(Administration, ReplacesAPolicyFromAFileOrFromTheCommandLine) {
  Daemon daemon("{}");
  const std::string policy = daemon.folder.file("policy.json");
  std::ofstream(policy) << R"({"Version":"2012-10-17","Statement":[]})";
  for (const std::string& given :
       {policy, std::string(R"( {"Version": "2012-10-17", "Statement": []})")}) {
    EXPECT_EQ(daemon({"access-key", "policy", "AKIA1", "--set", given}), kSuccess);
    EXPECT_EQ(daemon.last().head.method, "PATCH");
    EXPECT_EQ(daemon.last().head.target, "/v1/access-keys/AKIA1");
    EXPECT_EQ(daemon.last().body, R"({"policy":{"Version":"2012-10-17","Statement":[]}})");
  }
  const std::size_t asked = daemon.socket.requests().size();
  EXPECT_EQ(daemon({"access-key", "policy", "AKIA1", "--set", R"({"Version":)"}), kFailure);
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("the policy: "));
  EXPECT_EQ(daemon.socket.requests().size(), asked);
}

TEST(Administration, BoundsAKeysRate) {
  Daemon daemon(R"({"id":"AKIAIOSFODNN7EXAMPLE","secret":"wJalrXUtnFEMI/K7MDENG",)"
                R"("name":"ann"})");
  EXPECT_EQ(daemon({"access-key", "create", "ann", "--rate", "5"}), kSuccess);
  EXPECT_EQ(daemon.last().body, R"({"name":"ann","requestsPerSecond":5})");
  EXPECT_EQ(daemon({"access-key", "rate", "AKIA1", "0"}), kSuccess);
  EXPECT_EQ(daemon.last().head.method, "PATCH");
  EXPECT_EQ(daemon.last().body, R"({"requestsPerSecond":0})");
  EXPECT_EQ(daemon({"access-key", "rate", "AKIA1", "default"}), kSuccess);
  EXPECT_EQ(daemon.last().body, R"({"requestsPerSecond":null})");
  for (const char* bad : {"-1", "1000001", "x", "1.5", ""}) {
    EXPECT_EQ(daemon({"access-key", "rate", "AKIA1", bad}), kUsage) << bad;
  }
  EXPECT_EQ(daemon({"access-key", "rate", "AKIA1"}), kUsage);
  EXPECT_EQ(daemon({"access-key", "create", "ann", "--rate", "x"}), kUsage);
}

TEST(Administration, MakesTemporaryCredentialsForAShellAndForAwsTools) {
  const std::string answer =
      R"({"Version":1,"AccessKeyId":"ASIAIOSFODNN7EXAMPLE",)"
      R"("SecretAccessKey":"wJalrXUtnFEMI/K7MDENG","SessionToken":"t0ken-t0ken-t0ken",)"
      R"("Expiration":"2026-01-22T10:00:00.000Z"})";
  Daemon daemon(answer, 201);
  EXPECT_EQ(daemon({"access-key", "session", "AKIA1"}), kSuccess);
  EXPECT_EQ(daemon.holdfast.out,
            "export AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE\n"
            "export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG\n"
            "export AWS_SESSION_TOKEN=t0ken-t0ken-t0ken\n");
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("2026-01-22T10:00:00.000Z"));
  EXPECT_THAT(daemon.holdfast.err, Not(HasSubstr("t0ken")));
  EXPECT_EQ(daemon.last().head.method, "POST");
  EXPECT_EQ(daemon.last().head.target, "/v1/sessions");
  EXPECT_EQ(daemon.last().body, R"({"accessKeyId":"AKIA1"})");
  EXPECT_EQ(daemon({"access-key", "session", "AKIA1", "--duration", "900", "--policy", R"({"a":1})",
                    "--json"}),
            kSuccess);
  EXPECT_EQ(daemon.last().body,
            R"({"accessKeyId":"AKIA1","durationSeconds":900,"policy":{"a":1}})");
  EXPECT_EQ(daemon.holdfast.out, answer + "\n");
}

TEST(Administration, DisablesAndEnablesAccessKeys) {
  Daemon daemon("{}");
  EXPECT_EQ(daemon({"access-key", "disable", "AKIA1"}), kSuccess);
  EXPECT_EQ(daemon.last().head.method, "PATCH");
  EXPECT_EQ(daemon.last().head.target, "/v1/access-keys/AKIA1");
  EXPECT_EQ(daemon.last().body, R"({"enabled":false})");
  EXPECT_EQ(daemon({"access-key", "enable", "AKIA1"}), kSuccess);
  EXPECT_EQ(daemon.last().body, R"({"enabled":true})");
}

TEST(Administration, RotatesTheKeys) {
  Daemon daemon(R"({"keyId":"5","signingKeyId":"2"})");
  EXPECT_EQ(daemon({"rotate-keys"}), kSuccess);
  EXPECT_EQ(daemon.holdfast.out, "5\n");
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("signing key 2"));
  EXPECT_EQ(daemon.last().head.method, "POST");
  EXPECT_EQ(daemon.last().head.target, "/v1/keys/rotate");
}

TEST(Administration, RepeatsTheDaemonsRefusal) {
  Daemon daemon(R"({"error":{"code":"not_found","message":"no such key","where":""}})", 404);
  EXPECT_EQ(daemon({"access-key", "delete", "AKIA1"}), kFailure);
  EXPECT_EQ(daemon.holdfast.out, "");
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("no such key"));
}

TEST(Administration, EscapesControlCharactersInAnswers) {
  Daemon daemon(R"({"users":[{"userId":"\u001b[2Jann","messages":1,"bytes":1}],"next":null})");
  EXPECT_EQ(daemon({"pending", "list"}), kSuccess);
  EXPECT_THAT(daemon.holdfast.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(daemon.holdfast.out, HasSubstr("\\x1b[2Jann"));
}

}  // namespace
}  // namespace holdfast::cli
