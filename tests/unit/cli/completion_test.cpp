// Tests the completion scripts, in bash where it can run.

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/base/temp_dir.hpp"
#include "unit/cli/command_line.hpp"

namespace holdfast::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

std::string script_of(const std::string& shell) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"completion", shell}), kSuccess);
  return holdfast.out;
}

std::vector<std::string> lines_of(const std::string& command) {
  std::vector<std::string> out;
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::array<char, 4096> buffer{};
  while (pipe && std::fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) {
    std::string line(buffer.data());
    if (line.ends_with('\n')) line.pop_back();
    out.push_back(std::move(line));
  }
  return out;
}

/// Returns the words that bash offers after the given ones, of which the last is being typed.
class Bash {
 public:
  Bash() { std::ofstream(script_) << script_of("bash"); }

  std::vector<std::string> operator()(const std::vector<std::string>& words) const {
    std::string list = "holdfast";
    for (const std::string& word : words) list += " '" + word + "'";
    const std::string run = folder_.file("run.bash");
    std::ofstream(run) << "set -eu\nsource " << script_ << "\ncomplete -p holdfast >&2\n"
                       << "COMP_WORDS=(" << list << ")\nCOMP_CWORD=" << words.size() << "\n"
                       << "_holdfast\nprintf '%s\\n' \"${COMPREPLY[@]-}\"\n";
    std::vector<std::string> out = lines_of("bash " + run + " 2>/dev/null");
    if (out == std::vector<std::string>{""}) out.clear();
    return out;
  }

 private:
  test::TempDir folder_;
  std::string script_ = folder_.file("holdfast.bash");
};

TEST(Completion, OffersCommandsAndTheirSubcommandsInBash) {
  const Bash bash;
  EXPECT_THAT(bash({"dead"}), ElementsAre("dead-letters"));
  EXPECT_THAT(bash({"dead-letters", "re"}), ElementsAre("redrive"));
  EXPECT_THAT(bash({"user", "s"}), UnorderedElementsAre("show", "set-password", "sign-out"));
  EXPECT_THAT(bash({""}), Contains("access-key"));
  EXPECT_THAT(bash({"nonsense", "u"}), ElementsAre("user"));
}

TEST(Completion, OffersTheOptionsOfTheCommandAlone) {
  const Bash bash;
  EXPECT_THAT(bash({"pending", "delete", "--a"}), ElementsAre("--all"));
  EXPECT_THAT(bash({"dead-letters", "list", "--re"}), ElementsAre("--reason"));
  EXPECT_THAT(bash({"dead-letters", "list", "--a"}), ElementsAre("--after"));
  EXPECT_THAT(bash({"user", "create", "ann", "--gen"}), ElementsAre("--generate"));
}

TEST(Completion, TakesTheValueOfAnOptionForNoCommand) {
  const Bash bash;
  // A directory of that name, and behind it the command goes on.
  EXPECT_THAT(bash({"user", "list", "--filter", "user", "--li"}), ElementsAre("--limit"));
  EXPECT_THAT(bash({"user", "list", "--data-dir", "us"}), IsEmpty()) << "bash offers files";
}

TEST(Completion, IsAScriptThatBashCanRead) {
  const test::TempDir folder;
  const std::string script = folder.file("holdfast.bash");
  std::ofstream(script) << script_of("bash");
  EXPECT_THAT(lines_of("bash -n " + script + " 2>&1"), IsEmpty());
  EXPECT_THAT(lines_of("bash -c 'source " + script + " && complete -p holdfast'"),
              ElementsAre(HasSubstr("-F _holdfast")));
}

TEST(Completion, DescribesEveryCommandForZshAndFish) {
  const std::string zsh = script_of("zsh");
  const std::string fish = script_of("fish");
  EXPECT_THAT(zsh, testing::StartsWith("#compdef holdfast\n"));
  for (const char* const path : {"/user/create", "/dead-letters/redrive", "/connections/close"}) {
    EXPECT_THAT(zsh, HasSubstr("'" + std::string(path) + "'")) << path;
    EXPECT_THAT(fish, HasSubstr("'" + std::string(path) + "'")) << path;
  }
  EXPECT_THAT(zsh, HasSubstr("'--reason:only with this reason"));
  EXPECT_THAT(fish,
              HasSubstr("complete -c holdfast -n '__holdfast_at \\'/user\\'' -f -a 'create'"));
  EXPECT_THAT(fish, HasSubstr("-l reason -r -d"));
}

TEST(Completion, KnowsNoOtherShell) {
  CommandLine holdfast;
  EXPECT_EQ(holdfast({"completion", "tcsh"}), kUsage);
  EXPECT_THAT(holdfast.err, Not(IsEmpty()));
}

}  // namespace
}  // namespace holdfast::cli
