// Tests that a running gateway leaves no secrets in memory or in reach of others.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/file.hpp>
#include <holdfast/base/json.hpp>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"

namespace holdfast::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kMasterKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

std::string contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Counts a text in the writable memory of a process.
std::size_t count_in_memory(pid_t pid, const std::string& wanted) {
  const std::string proc = "/proc/" + std::to_string(pid);
  const UniqueFd memory(open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_GE(memory.get(), 0);
  std::ifstream maps(proc + "/maps");
  std::size_t found = 0;
  std::string bytes;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    std::array<char, 5> rights{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights.data()) != 3 ||
        rights[1] != 'w' || line.contains("[vv")) {
      continue;
    }
    bytes.resize(end - begin);
    const ssize_t got = pread(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(begin));
    const std::string_view there(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    for (std::size_t at = there.find(wanted); at != std::string_view::npos;
         at = there.find(wanted, at + 1)) {
      ++found;
    }
  }
  return found;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHeapKeepsFreed = true;
#else
constexpr bool kHeapKeepsFreed = false;
#endif

class SecrecyTest : public ::testing::Test {
 protected:
  TempDir dir_;
  const std::string data_ = dir_.file("data");
};

TEST_F(SecrecyTest, LeavesNoPasswordInMemoryAfterALogin) {
  if (kHeapKeepsFreed) GTEST_SKIP() << "a sanitizer's heap keeps what is freed as it was";
  if (geteuid() != 0) GTEST_SKIP() << "only root can look into the gateway's memory";
  GatewayProcess gateway({.data_dir = data_});
  const std::string password = "Correct-horse-battery-staple-77-" + std::to_string(getpid());
  const auto client = gateway.client();
  const std::string temporary = "Temporary-" + password;
  ASSERT_TRUE(client->admin_create_user("alice", temporary));
  const auto first = client->admin_initiate_auth("alice", temporary);
  ASSERT_TRUE(first);
  const auto* const challenge = std::get_if<client::Challenge>(&*first);
  ASSERT_NE(challenge, nullptr);
  ASSERT_TRUE(client->admin_respond_new_password("alice", password, challenge->session));
  ASSERT_TRUE(client->initiate_auth("alice", password));
  EXPECT_FALSE(client->initiate_auth("bob", password));
  EXPECT_EQ(count_in_memory(gateway.process().pid(), password), 0U);
  // A secret that it must keep is found, which proves the search.
  EXPECT_GT(
      count_in_memory(gateway.process().pid(), gateway.credentials().at("HOLDFAST_CLIENT_ID")), 0U);
}

TEST_F(SecrecyTest, HidesMemoryFromAllButRootAndDumpsNoCore) {
  const GatewayProcess gateway({.data_dir = data_});
  auto& process = const_cast<GatewayProcess&>(gateway).process();
  const std::string proc = "/proc/" + std::to_string(process.pid());
  EXPECT_THAT(contents_of(proc + "/limits"), ::testing::ContainsRegex("Max core file size +0 +0 "));
  // One that can be dumped has "1" here and belongs to its user; this one is root's.
  struct stat status{};
  ASSERT_EQ(stat((proc + "/environ").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(SecrecyTest, AllowsCoreDumpsOnRequest) {
  const GatewayProcess gateway({.data_dir = data_, .arguments = {"--allow-core-dumps"}});
  const pid_t pid = const_cast<GatewayProcess&>(gateway).process().pid();
  std::ifstream own("/proc/self/limits");
  const std::string limits(std::istreambuf_iterator<char>(own), {});
  const auto core = [](const std::string& text) {
    const std::size_t at = text.find("Max core file size");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(core(contents_of("/proc/" + std::to_string(pid) + "/limits")), core(limits));
}

TEST_F(SecrecyTest, RemovesTheMasterKeyFromTheEnvironment) {
  GatewayProcess gateway({.data_dir = data_, .environment = {{"HOLDFAST_MASTER_KEY", kMasterKey}}});
  const std::string environment =
      contents_of("/proc/" + std::to_string(gateway.process().pid()) + "/environ");
  EXPECT_THAT(environment, HasSubstr("PATH="));
  EXPECT_THAT(environment, Not(HasSubstr(kMasterKey)));
  EXPECT_FALSE(std::filesystem::exists(data_ + "/master.key"));
  if (geteuid() == 0 && !kHeapKeepsFreed) {
    EXPECT_EQ(count_in_memory(gateway.process().pid(), kMasterKey), 0U);
  }
}

TEST_F(SecrecyTest, ReadsTheMasterKeyFromAnotherFile) {
  const std::string file = dir_.file("key");
  std::ofstream(file) << kMasterKey << "\n";
  ASSERT_EQ(chmod(file.c_str(), 0600), 0);
  {
    GatewayProcess gateway(
        {.data_dir = data_, .environment = {{"HOLDFAST_MASTER_KEY_FILE", file}}});
    EXPECT_EQ(gateway.terminate(), 0);
    EXPECT_FALSE(std::filesystem::exists(data_ + "/master.key"));
  }
  // It is the key that the variable's value would have been.
  GatewayProcess again({.data_dir = data_, .environment = {{"HOLDFAST_MASTER_KEY", kMasterKey}}});
  EXPECT_EQ(again.terminate(), 0);
  const auto refused = [this](std::vector<std::pair<std::string, std::string>> environment) {
    ChildProcess process({.command = {holdfast_binary(), "serve", "--data-dir", data_, "--listen",
                                      "127.0.0.1:0", "--control-listen", "127.0.0.1:0"},
                          .environment = std::move(environment)});
    EXPECT_EQ(process.wait(kPatience), 1);
    const auto errors = process.errors();
    return errors.empty() ? std::string() : errors.back();
  };
  EXPECT_THAT(refused({{"HOLDFAST_MASTER_KEY_FILE", dir_.file("none")}}),
              HasSubstr("no master key at " + dir_.file("none")));
  EXPECT_THAT(refused({{"HOLDFAST_MASTER_KEY_FILE", file}, {"HOLDFAST_MASTER_KEY", kMasterKey}}),
              HasSubstr("are both set"));
}

TEST_F(SecrecyTest, WarnsOfSecretsInFilesThatOthersRead) {
  const std::string file = dir_.file("holdfast.json");
  std::ofstream(file) << R"({"user_pool": {"code_command": ["/bin/true", "--password", "x"]}})";
  for (const bool open_to_others : {true, false}) {
    ASSERT_EQ(chmod(file.c_str(), open_to_others ? 0644 : 0640), 0);
    GatewayProcess gateway({.data_dir = data_, .arguments = {"--config", file}});
    EXPECT_EQ(gateway.terminate(), 0);
    const auto output = gateway.process().output();
    const auto warned = [](const std::string& line) {
      return line.contains("config_readable_by_others");
    };
    EXPECT_EQ(std::ranges::any_of(output, warned), open_to_others);
  }
}

TEST_F(SecrecyTest, HidesTheEnvironmentFromACodeCommand) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can run the gateway as another user";
  // As a user of its own, whom the command runs as.
  const std::string home = dir_.file("home");
  ASSERT_EQ(mkdir(home.c_str(), 0700), 0);
  ASSERT_EQ(chmod(dir_.path().c_str(), 0711), 0);
  ASSERT_EQ(chown(home.c_str(), 61234, 61234), 0);
  const std::string script = "cat /proc/$PPID/environ >" + home +
                             "/seen 2>/dev/null; cat /proc/$PPID/mem >>" + home +
                             "/seen 2>/dev/null; echo done >" + home + "/ran";
  const std::string config = dir_.file("holdfast.json");
  std::ofstream(config)
      << R"({"user_pool": {"self_sign_up": true, "code_command": ["/bin/sh", "-c", ")" << script
      << R"("]}})";
  ASSERT_EQ(chmod(config.c_str(), 0644), 0);
  ChildProcess gateway(
      {.command = {"setpriv", "--reuid=61234", "--regid=61234", "--clear-groups", holdfast_binary(),
                   "serve", "--data-dir", home + "/data", "--listen", "127.0.0.1:0",
                   "--control-listen", "127.0.0.1:0", "--config", config},
       .environment = {{"HOLDFAST_MASTER_KEY", kMasterKey}, {"HOLDFAST_MARK", "visible"}}});
  if (!gateway.wait_for_output(
          [](const std::string& line) {
            return line.contains(R"("part":"gateway")") && line.contains("listening");
          },
          kPatience)) {
    GTEST_SKIP() << "the built program is not readable for other users";
  }
  const auto credentials = read_credentials(home + "/data/credentials");
  client::GatewayOptions options;
  options.url = credentials.at("HOLDFAST_URL");
  options.user_pool_id = credentials.at("HOLDFAST_USER_POOL_ID");
  options.client_id = credentials.at("HOLDFAST_CLIENT_ID");
  const auto pool = client::make_gateway_client(options, system_clock());
  ASSERT_TRUE(pool);
  net::ClientRequest sign_up;
  sign_up.method = "POST";
  sign_up.target = "/";
  sign_up.headers = {{"Content-Type", "application/x-amz-json-1.1"},
                     {"X-Amz-Target", "AWSCognitoIdentityProviderService.SignUp"}};
  sign_up.body = Json{{"ClientId", options.client_id},
                      {"Username", "ann"},
                      {"Password", "Correct-horse-battery-77"},
                      {"UserAttributes", {{{"Name", "email"}, {"Value", "ann@example.com"}}}}}
                     .dump();
  const auto answer = (*pool)->send(std::move(sign_up), "");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 200) << answer->body;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!std::filesystem::exists(home + "/ran") && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(std::filesystem::exists(home + "/ran"));
  EXPECT_EQ(contents_of(home + "/seen"), "");
}

}  // namespace
}  // namespace holdfast::test
