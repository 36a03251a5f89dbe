// Tests hostile answers of a gateway or a daemon to commands that root runs.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/json.hpp>

#include "unit/cli/fake_daemon.hpp"

namespace holdfast::cli {
namespace {

using test::FakeGateway;
using test::json_response;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<std::string> kHostile{"$(touch owned)",
                                        "`touch owned`",
                                        "; touch owned",
                                        "\ntouch owned",
                                        "x\ntouch owned\n",
                                        "'; touch owned; '",
                                        "\"; touch owned; \"",
                                        "& touch owned &",
                                        "e30.e30.$(touch owned)",
                                        "AKIAIOSFODNN7EXAMPLE; touch owned",
                                        "AKIAIOSFODNN7EXAMPLE\ntouch owned",
                                        "wJalrXUtnFEMI/K7MDENG$(touch owned)",
                                        "",
                                        "\x1b[31m"};

// A shell that evaluates what a command printed, in an empty folder: whether that stays empty.
bool harmless(const std::string& printed) {
  const test::TempDir folder;
  const test::TempDir elsewhere;
  std::ofstream(elsewhere.file("printed")) << printed;
  const std::string line = "cd '" + folder.path().string() + "' && eval \"$(cat '" +
                           elsewhere.file("printed") + "')\" >/dev/null 2>&1";
  [[maybe_unused]] const int status = std::system(line.c_str());
  return std::filesystem::is_empty(folder.path());
}

TEST(HostileAnswers, AreDetectedByThisTestsShell) {
  EXPECT_FALSE(harmless("export ID_TOKEN=\"$(touch owned)\"\n"));
  EXPECT_TRUE(harmless("export ID_TOKEN=e30.e30.c2ln\n"));
}

TEST(HostileAnswers, NeverBecomeACommandOfALogin) {
  for (const std::string& token : kHostile) {
    const FakeGateway gateway([&token](const net::Request&) {
      return json_response(200, Json{{"AuthenticationResult", {{"IdToken", token}}}}.dump());
    });
    CommandLine holdfast;
    holdfast.source_credentials(gateway.url());
    EXPECT_EQ(holdfast({"auth", "-u", "a", "-p", "x"}), kFailure) << token;
    EXPECT_EQ(holdfast.out, "");
    EXPECT_TRUE(harmless(holdfast.out));
  }
}

TEST(HostileAnswers, NeverBecomeACommandOfAKeyRequest) {
  const Json key{{"id", "AKIAIOSFODNN7EXAMPLE"}, {"secret", "wJalrXUtnFEMI/K7MDENG"}};
  const Json session{{"AccessKeyId", "ASIAIOSFODNN7EXAMPLE"},
                     {"SecretAccessKey", "wJalrXUtnFEMI/K7MDENG"},
                     {"SessionToken", "dG9rZW4tdG9rZW4tdG9rZW4="},
                     {"Expiration", "2026-01-22T10:00:00.000Z"}};
  const std::vector<std::pair<std::vector<std::string>, Json>> commands{
      {{"access-key", "create", "ann"}, key}, {{"access-key", "session", "AKIA1"}, session}};
  for (const auto& [command, good] : commands) {
    for (const auto& [name, value] : good.items()) {
      if (name == "Expiration") continue;
      for (const std::string& text : kHostile) {
        Json answer = good;
        answer[name] = text;
        FakeDaemon daemon([&](const net::Request&) { return json_response(201, answer.dump()); });
        EXPECT_EQ(daemon(command), kFailure) << name << " " << text;
        EXPECT_EQ(daemon.holdfast.out, "");
        EXPECT_TRUE(harmless(daemon.holdfast.out));
      }
    }
    FakeDaemon daemon([&](const net::Request&) { return json_response(201, good.dump()); });
    EXPECT_EQ(daemon(command), kSuccess) << daemon.holdfast.err;
    EXPECT_TRUE(harmless(daemon.holdfast.out));
  }
}

class HostileBackup : public ::testing::Test {
 protected:
  // A daemon whose backup is done at once, and is `path`.
  static FakeGateway::Handler done_with(const std::string& path) {
    return [path](const net::Request&) {
      return json_response(
          200, Json{{"stage", "done"}, {"path", path}, {"bytesDone", 1}, {"bytesTotal", 1}}.dump());
    };
  }
  void SetUp() override { std::ofstream(other_) << kText; }
  void expect_nothing_happened(FakeDaemon& daemon) {
    EXPECT_EQ(daemon({"backup", out_}), kFailure);
    std::ifstream in(other_);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), kText);
    std::vector<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(elsewhere_.path())) {
      left.push_back(entry.path().filename().string());
    }
    EXPECT_THAT(left, testing::ElementsAre("other"));
  }

  static constexpr const char* kText = "not the gateway's";
  test::TempDir elsewhere_;
  const std::string other_ = elsewhere_.file("other");
  const std::string out_ = elsewhere_.file("out.db");
};

TEST_F(HostileBackup, KeepsFilesOfAnotherPath) {
  FakeDaemon daemon(done_with(other_));
  expect_nothing_happened(daemon);
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("backup.partial"));
}

TEST_F(HostileBackup, KeepsTheTargetOfALink) {
  FakeDaemon daemon(done_with(other_));
  const std::string copy = daemon.folder.file("backup.partial");
  std::filesystem::create_symlink(other_, copy);
  expect_nothing_happened(daemon);
  std::filesystem::remove(copy);
  std::filesystem::create_hard_link(other_, copy);
  expect_nothing_happened(daemon);
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("not a file of its own"));
  std::filesystem::remove(copy);
  ASSERT_EQ(mkfifo(copy.c_str(), 0600), 0);
  expect_nothing_happened(daemon);
  std::filesystem::remove(copy);
  ASSERT_TRUE(std::filesystem::create_directory(copy));
  expect_nothing_happened(daemon);
}

TEST_F(HostileBackup, IsRefusedWhenItIsNotADatabase) {
  FakeDaemon daemon(done_with(other_));
  std::ofstream(daemon.folder.file("backup.partial")) << "no database";
  expect_nothing_happened(daemon);
}

TEST_F(HostileBackup, IsRefusedWhenAnotherUserOwnsTheFile) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  FakeDaemon daemon(done_with(other_));
  const std::string copy = daemon.folder.file("backup.partial");
  std::ofstream(copy) << "no database";
  ASSERT_EQ(chown(copy.c_str(), 65534, 65534), 0);
  expect_nothing_happened(daemon);
  EXPECT_THAT(daemon.holdfast.err, HasSubstr("belongs to the owner of the folder"));
}

TEST_F(HostileBackup, NeverGoesOntoWhatIsNoRegularFile) {
  FakeDaemon daemon(done_with(other_));
  const std::string link = daemon.folder.file("link");
  const std::string fifo = daemon.folder.file("fifo");
  std::filesystem::create_symlink(other_, link);
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& target : {link, fifo, std::string("/dev/null"), std::string("/tmp")}) {
    EXPECT_EQ(daemon({"backup", target, "--force"}), kFailure) << target;
    EXPECT_THAT(daemon.holdfast.err, HasSubstr("not a regular file")) << target;
  }
  EXPECT_THAT(daemon.asked(), IsEmpty());
  struct stat null{};
  ASSERT_EQ(stat("/dev/null", &null), 0);
  EXPECT_TRUE(S_ISCHR(null.st_mode));
}

// Runs in another folder while it lives.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::filesystem::path& path)
      : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  ~WorkingFolder() { std::filesystem::current_path(before_); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  std::filesystem::path before_;
};

TEST(ForeignSocket, GetsNoRequest) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  const test::TempDir home;
  const std::string data = home.file("data");
  ASSERT_TRUE(std::filesystem::create_directory(data));
  const FakeGateway daemon([](const net::Request&) { return json_response(200, "{}"); },
                           "unix:" + data + "/control.sock");
  const WorkingFolder here(home.path());
  CommandLine holdfast;
  // One's own, then a socket of another user's in it.
  EXPECT_EQ(holdfast({"status"}), kSuccess) << holdfast.err;
  const std::size_t asked = daemon.requests().size();
  ASSERT_EQ(chown((data + "/control.sock").c_str(), 65534, 65534), 0);
  for (const std::string& where : {std::string("./data"), data}) {
    EXPECT_EQ(holdfast({"user", "create", "ann", "--no-password", "--data-dir", where}), kFailure);
    EXPECT_THAT(holdfast.err, HasSubstr("does not belong"));
  }
  // Another user's folder that happens to be here, not one that was named.
  ASSERT_EQ(chown(data.c_str(), 65534, 65534), 0);
  EXPECT_EQ(holdfast({"status"}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("belongs to another user"));
  EXPECT_EQ(daemon.requests().size(), asked);
  EXPECT_EQ(holdfast({"status", "--data-dir", data}), kSuccess) << holdfast.err;
  // One where others may put a socket of theirs.
  ASSERT_EQ(chmod(data.c_str(), 0770), 0);
  EXPECT_EQ(holdfast({"status", "--data-dir", data}), kFailure);
  EXPECT_THAT(holdfast.err, HasSubstr("other users may write"));
}

}  // namespace
}  // namespace holdfast::cli
