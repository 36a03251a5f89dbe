// Checks the examples of the help texts against the commands and options that they use.

#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/command_line.hpp"

namespace holdfast::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Help {
  std::string text;                   ///< ahead of the examples
  std::vector<std::string> examples;  ///< a line each
  std::vector<std::string> children;
};

Help help_of(const std::string& command) {
  CommandLine holdfast;
  std::vector<std::string> line;
  std::istringstream words(command);
  for (std::string word; words >> word;) line.push_back(word);
  line.emplace_back("--help");
  EXPECT_EQ(holdfast(line), kSuccess);
  Help out;
  static const std::regex child(R"(^  ([a-z-]+) .*)");
  std::istringstream lines(holdfast.out);
  enum { ahead, subcommands, examples } part = ahead;
  std::smatch match;
  for (std::string text; std::getline(lines, text);) {
    if (text == "Examples:") {
      part = examples;
    } else if (part == examples) {
      if (text.starts_with("  ")) out.examples.push_back(text.substr(2));
    } else {
      out.text += text + "\n";
      if (text == "Subcommands:") part = subcommands;
      if (part == subcommands && std::regex_match(text, match, child)) {
        out.children.push_back(match[1]);
      }
    }
  }
  return out;
}

void check_examples(const std::string& command) {
  const Help help = help_of(command);
  EXPECT_FALSE(help.examples.empty()) << command;
  const std::string call = "holdfast " + command;
  bool shown = false;
  for (const std::string& example : help.examples) {
    const std::size_t at = example.find(call);
    if (at == std::string::npos) continue;
    shown = true;
    if (!help.children.empty()) continue;
    const std::string arguments = example.substr(at, example.find_first_of("<>#", at) - at);
    static const std::regex word(R"( (--?[a-z][a-z-]*))");
    for (std::sregex_iterator it(arguments.begin(), arguments.end(), word), end; it != end; ++it) {
      EXPECT_THAT(help.text, HasSubstr((*it)[1].str())) << example;
    }
  }
  EXPECT_TRUE(shown) << "no example calls `" << call << "`";
  for (const std::string& child : help.children) {
    check_examples(command.empty() ? child : command + " " + child);
  }
}

TEST(HelpText, ShowsExamplesOfItsOwnCommandWithKnownOptions) { check_examples(""); }

TEST(HelpText, ListsExitCodesOnlyForTheProgram) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"--help"}), kSuccess);
  EXPECT_THAT(holdfast.out, HasSubstr("Exit codes: 0 success"));
  EXPECT_EQ(holdfast({"backup", "--help"}), kSuccess);
  EXPECT_THAT(holdfast.out, Not(HasSubstr("Exit codes")));
  EXPECT_THAT(holdfast.out, Not(HasSubstr("create-user")));
}

}  // namespace
}  // namespace holdfast::cli
