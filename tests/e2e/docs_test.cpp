// Runs the commands of the docs as they stand.

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/outside.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {
namespace {

std::optional<std::string> wait_for_text(const ChildProcess& child, const std::string& text) {
  return child.wait_for_output(
      [&text](const std::string& line) { return line.find(text) != std::string::npos; }, kPatience);
}

TEST(DocsTest, RunsTheStoryByHandWithCurlAndWscat) {
  TempDir dir;
  const std::string data_dir = dir.file("data");
  GatewayProcess gateway(
      {.data_dir = data_dir, .environment = {{"HOLDFAST_DELIVERY__ACK_WAIT_MS", "9000"}}});
  const std::string block = code_block(source_file("docs/quick-start.md"), "<!-- story:", "sh");
  // A person would paste these lines; another prints the user's id, ahead of the line that stays.
  const auto last = block.rfind("wscat --connect");
  ASSERT_NE(last, std::string::npos);
  write_file(dir.file("story.sh"),
             block.substr(0, last) + "echo \"user $user_id\"\n" + block.substr(last));

  (void)installed("curl");
  const std::string tools = std::filesystem::path(wscat()).parent_path().string();
  // On a terminal of its own, as a person has: wscat prints otherwise into a pipe.
  ChildProcess story(
      {.command = {installed("script"), "-qec", "bash story.sh", "/dev/null"},
       .environment = {{"PATH", tools + ":" + std::getenv("PATH")}, {"TERM", "dumb"}},
       .directory = dir.path().string()});
  ASSERT_TRUE(wait_for_text(story, "\"Username\":\"bob\"")) << transcript(story);
  ASSERT_TRUE(wait_for_text(story, "\"status\":\"STORED\"}")) << transcript(story);
  ASSERT_TRUE(wait_for_text(story, R"(< {"Payload":"You were away"})")) << transcript(story);
  std::string user_id = lines_after(story, "user ").at(0);
  user_id.erase(user_id.find_last_not_of('\r') + 1);

  EXPECT_TRUE(wait_until_nothing_pending(data_dir, user_id));
  EXPECT_EQ(publish(gateway, user_id, "You are here"), "DELIVERED");
  EXPECT_TRUE(wait_for_text(story, R"(< {"Payload":"You are here"})")) << transcript(story);
}

TEST(DocsTest, NamesOnlyThingsThatExist) {
  TempDir dir;
  GatewayProcess gateway({.data_dir = dir.file("data")});
  const auto script = start_client_script("docs_check.py", {HOLDFAST_SOURCE_DIR, holdfast_binary(),
                                                            "http://" + gateway.control_address()});
  expect_passed(*script);
}

}  // namespace
}  // namespace holdfast::test
