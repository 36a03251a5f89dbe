// Checks the hand-written man page against the program's help: commands and options.

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/command_line.hpp"

namespace holdfast::cli {
namespace {

using Options = std::set<std::string>;
using Commands = std::map<std::string, Options>;  // by the words that lead there

// Options of many commands, which the page explains once.
const Options kShared{"help", "data-dir", "json", "log-level", "log-format"};

void collect_from_help(const std::vector<std::string>& path, Commands& into) {
  static const std::regex option(R"(^ +(?:-\w,)?--([a-z-]+).*)");
  static const std::regex subcommand(R"(^  ([a-z-]+) .*)");
  std::vector<std::string> line{path};
  line.emplace_back("--help");
  CommandLine holdfast;
  ASSERT_EQ(holdfast(line), kSuccess);
  Options options;
  std::vector<std::string> children;
  bool in_subcommands = false;
  std::istringstream help(holdfast.out);
  std::smatch match;
  for (std::string text; std::getline(help, text) && text != "Examples:";) {
    if (text == "Subcommands:") in_subcommands = true;
    if (in_subcommands && std::regex_match(text, match, subcommand)) children.push_back(match[1]);
    if (!in_subcommands && std::regex_match(text, match, option) && !kShared.contains(match[1])) {
      options.insert(match[1]);
    }
  }
  for (const std::string& child : children) {
    std::vector<std::string> deeper{path};
    deeper.push_back(child);
    collect_from_help(deeper, into);
  }
  if (!children.empty()) return;
  std::string name;
  for (const std::string& word : path) name += (name.empty() ? "" : " ") + word;
  into[name] = options;
}

// `.It Cm user create Oo Fl -permanent Oc Ar USERNAME`: the words behind Cm, up to the next macro.
Commands commands_of_page() {
  std::ifstream page(HOLDFAST_SOURCE_DIR "/packaging/holdfast.1");
  Commands out;
  for (std::string text; std::getline(page, text);) {
    if (!text.starts_with(".It Cm ")) continue;
    std::istringstream words(text.substr(7));
    std::string name;
    std::string word;
    while (words >> word && std::islower(static_cast<unsigned char>(word[0])) != 0) {
      name += (name.empty() ? "" : " ") + word;
    }
    Options& options = out[name];
    while (words) {
      if (word == "Fl" && words >> word && !kShared.contains(word.substr(1))) {
        options.insert(word.substr(1));
      }
      words >> word;
    }
  }
  return out;
}

TEST(ManualPage, ListsExactlyTheProgramsCommandsAndOptions) {
  Commands program;
  collect_from_help({}, program);
  const Commands page = commands_of_page();
  ASSERT_THAT(program, testing::Contains(testing::Key("user set-password")));
  for (const auto& [command, options] : program) {
    const auto found = page.find(command);
    ASSERT_NE(found, page.end()) << "packaging/holdfast.1 has no `.It Cm " << command << "`";
    EXPECT_EQ(found->second, options) << command;
  }
  EXPECT_EQ(page.size(), program.size()) << "a command that there is no more";
}

}  // namespace
}  // namespace holdfast::cli
