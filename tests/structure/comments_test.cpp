// The form of comments: a comment opens with a verb or a noun, and a source file with a comment.

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

const fs::path kCheckout = HOLDFAST_SOURCE_DIR;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The modules whose comments have not been rewritten yet. A row goes once its module is done.
const std::set<std::string>& to_do() {
  static const std::set<std::string> modules = {"app"};
  return modules;
}

/// Finds comments that open with a clause ("What …", "Whether …") or refer to another comment
/// ("Likewise", "The same"). Only a comment's first line counts.
std::vector<std::string> unclear_openings(const std::string& text) {
  static const std::regex opening(
      R"(^//+<?\s*(What|Whoever|Whether|Which|Who|How|Likewise|The same)\b)");
  static const std::regex trailing(
      R"(^///<\s*(what|whoever|whether|which|who|how|likewise|the same)\b)", std::regex::icase);
  std::vector<std::string> out;
  std::istringstream lines(text);
  bool inside = false;
  int number = 1;
  for (std::string line; std::getline(lines, line); ++number) {
    const std::size_t comment = line.find("//");
    const bool is_comment =
        comment != std::string::npos && comment == line.find_first_not_of(" \t");
    const auto begin = line.begin() + static_cast<std::ptrdiff_t>(std::min(comment, line.size()));
    const std::string from(begin, line.end());
    if ((is_comment && !inside && std::regex_search(from, opening)) ||
        (from.starts_with("///<") && std::regex_search(from, trailing))) {
      out.push_back(std::to_string(number) + ": " + line);
    }
    inside = is_comment;
  }
  return out;
}

/// Lists the C++ files of the modules that have been rewritten, and of their tests.
std::vector<fs::path> sources() {
  std::vector<fs::path> out;
  for (const char* name : {"include/holdfast", "src", "tests/unit", "tests/support",
                           "tests/integration", "tests/e2e", "tests/program"}) {
    const fs::path folder = kCheckout / name;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const fs::path& path = entry.path();
      if (path.extension() != ".cpp" && path.extension() != ".hpp") continue;
      if (!to_do().contains(fs::relative(path, folder).begin()->string())) out.push_back(path);
    }
  }
  std::ranges::sort(out);
  return out;
}

TEST(CommentsTest, WantsOpeningsWithAVerbOrANoun) {
  EXPECT_GT(sources().size(), 200U) << "the tree was not found";
  for (const fs::path& path : sources()) {
    for (const std::string& fault : unclear_openings(text_of(path))) {
      ADD_FAILURE() << fs::relative(path, kCheckout).string() << ":" << fault
                    << "\nBegin with a verb (\"Returns …\") or a noun (CONTRIBUTING.md).";
    }
  }
}

TEST(CommentsTest, WantsAnOpeningLineInEverySource) {
  for (const fs::path& path : sources()) {
    if (path.extension() != ".cpp") continue;
    EXPECT_TRUE(text_of(path).starts_with("// "))
        << fs::relative(path, kCheckout).string() << " needs a first line that says what it is";
  }
}

/// Finds test names that break the rules: a suite that does not end in Test, a name that is longer
/// than 60 letters, or one that does not begin with a verb ("Returns", "Refuses").
std::vector<std::string> unclear_test_names(const std::string& text) {
  static const std::regex declaration(
      R"((?:^|\n)(?:TEST|TEST_F|TEST_P|TYPED_TEST)\((\w+),\s*(\w+)\))");
  static const std::regex verb("(?!Is[A-Z]|As[A-Z]|This[A-Z])[A-Z][a-z]*s(?:[A-Z0-9].*)?");
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), declaration), end; it != end; ++it) {
    const std::string suite = (*it)[1];
    const std::string name = (*it)[2];
    if (!suite.ends_with("Test") || name.size() > 60 || !std::regex_match(name, verb)) {
      out.push_back(suite + "." + name);
    }
  }
  return out;
}

TEST(CommentsTest, WantsTestNamesThatSayWhatTheSubjectDoes) {
  for (const char* folder :
       {"tests/integration", "tests/e2e", "tests/program", "tests/structure", "tests/unit/net",
        "tests/unit/storage", "tests/unit/sqlite", "tests/unit/app"}) {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(kCheckout / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      ++files;
      for (const std::string& name : unclear_test_names(text_of(entry.path()))) {
        ADD_FAILURE() << fs::relative(entry.path(), kCheckout).string() << ": " << name
                      << "\nName tests SubjectTest.DoesSomethingWhenCondition (CONTRIBUTING.md).";
      }
    }
    EXPECT_GT(files, 1U) << folder;
  }
}

TEST(CommentsTest, DetectsUnclearTestNames) {
  EXPECT_EQ(unclear_test_names("TEST(Queue, TakesAll) {").size(), 1U);
  EXPECT_EQ(unclear_test_names("\nTEST_F(QueueTest, IsEmpty) {").size(), 1U);
  EXPECT_EQ(unclear_test_names("TEST(QueueTest, OfOneShard) {").size(), 1U);
  EXPECT_EQ(unclear_test_names("TEST(QueueTest, Takes" + std::string(60, 'x') + ") {").size(), 1U);
  EXPECT_EQ(unclear_test_names("TEST_P(QueueTest,\n       TakesAll) {").size(), 0U);
}

TEST(CommentsTest, DetectsUnclearOpenings) {
  EXPECT_EQ(unclear_openings("/// Whether it is.\n").size(), 1U);
  EXPECT_EQ(unclear_openings("int a;  ///< what it is\n").size(), 1U);
  EXPECT_EQ(unclear_openings("  // The same for b.\n").size(), 1U);
  EXPECT_EQ(unclear_openings("/// Returns whether\n/// what follows is one.\n").size(), 0U);
  EXPECT_EQ(unclear_openings("/// Returns it.\n/// Which one, it says.\n").size(), 0U);
  EXPECT_EQ(unclear_openings("// Whatever comes.\n").size(), 0U);
}

}  // namespace
