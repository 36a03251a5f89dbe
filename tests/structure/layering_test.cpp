#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "structure/modules.hpp"

// Reads the include lines of the tree.
namespace holdfast::structure {
namespace {

struct Violation {
  std::string place;
  std::string include;
};

// What breaks the rules in one file's text. `is_public` for a header below include/.
std::vector<Violation> violations(const std::string& module, bool is_public,
                                  const std::string& place, std::istream& text) {
  static const std::regex include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  static const std::regex own(R"(^(?:holdfast/)?([a-z_]+)/.*)");
  std::vector<Violation> found;
  std::string line;
  for (int number = 1; std::getline(text, line); ++number) {
    std::smatch match;
    if (!std::regex_search(line, match, include)) continue;
    const std::string target = match[1];
    const std::string at = place + ":" + std::to_string(number);
    for (const auto& [library, users] : owners()) {
      if (target.starts_with(library) && (is_public || !users.contains(module))) {
        found.push_back({at, target});
      }
    }
    if (!std::regex_match(target, match, own) || !allowed().contains(match[1])) continue;
    const std::string used = match[1];
    const bool private_header = !target.starts_with("holdfast/");
    if (private_header || (used != module && !allowed().at(module).contains(used))) {
      found.push_back({at, target});
    }
  }
  return found;
}

TEST(LayeringTest, HoldsForEveryIncludeOfTheTree) {
  namespace fs = std::filesystem;
  const fs::path root = HOLDFAST_SOURCE_DIR;
  std::size_t files = 0;
  for (const auto& [folder, is_public] :
       {std::pair{root / "include" / "holdfast", true}, std::pair{root / "src", false}}) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
      const std::string module = fs::relative(entry.path(), folder).begin()->string();
      // What lies beside the modules is the program's own.
      if (!fs::relative(entry.path(), folder).has_parent_path()) continue;
      ASSERT_TRUE(allowed().contains(module)) << entry.path() << " belongs to no module";
      std::ifstream text(entry.path());
      ++files;
      for (const Violation& v :
           violations(module, is_public, fs::relative(entry.path(), root).string(), text)) {
        ADD_FAILURE() << v.place << ": " << module << " may not include " << v.include;
      }
    }
  }
  EXPECT_GT(files, 40U) << "the tree was not found";
}

TEST(LayeringTest, NoticesEveryKindOfBreach) {
  const auto breaches = [](const std::string& module, bool is_public, const std::string& line) {
    std::istringstream text(line);
    return violations(module, is_public, "here", text).size();
  };
  EXPECT_EQ(breaches("delivery", false, "#include <holdfast/net/http.hpp>"), 1U);
  EXPECT_EQ(breaches("api", false, "#include <holdfast/storage/store.hpp>"), 1U);
  EXPECT_EQ(breaches("api", false, "#include \"net/socket.hpp\""), 1U);
  EXPECT_EQ(breaches("api", false, "#include <boost/asio.hpp>"), 1U);
  EXPECT_EQ(breaches("sqlite", true, "#include <sqlite3.h>"), 1U);
  EXPECT_EQ(breaches("storage", false, "#include <sqlite3.h>"), 1U);
  EXPECT_EQ(breaches("storage", false, "#include <holdfast/sqlite/store.hpp>"), 1U);
  EXPECT_EQ(breaches("net", true, "#include <boost/asio.hpp>"), 1U);
  EXPECT_EQ(breaches("net", true, "#include \"net/socket.hpp\""), 1U);
  EXPECT_EQ(breaches("net", false, "#include \"net/socket.hpp\""), 1U);
  EXPECT_EQ(breaches("net", false, "#include \"socket.hpp\""), 0U);
  EXPECT_EQ(breaches("net", false, "#include <boost/asio.hpp>"), 0U);
  EXPECT_EQ(breaches("api", false, "#include <holdfast/net/http.hpp>"), 0U);
}

}  // namespace
}  // namespace holdfast::structure
