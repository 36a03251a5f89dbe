// Reads what the compiler read: the headers that each module's sources saw, directly and through
// other headers.

#include <cstdio>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "structure/modules.hpp"

namespace holdfast::structure {
namespace {

/// What `ninja -t deps` prints: a line for each object, and below it, indented, its files.
std::vector<std::string> dependency_lines() {
  const std::string command =
      std::string(HOLDFAST_NINJA) + " -C '" + HOLDFAST_BINARY_DIR + "' -t deps 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::vector<std::string> lines;
  std::string line;
  for (int c = 0; pipe && (c = std::fgetc(pipe.get())) != EOF;) {
    if (c != '\n') {
      line.push_back(static_cast<char>(c));
    } else {
      lines.push_back(std::exchange(line, {}));
    }
  }
  return lines;
}

/// `MODULE: FILE` for each header that a module must not see.
struct Findings {
  std::set<std::string> modules;  ///< those that objects were found of
  std::set<std::string> breaches;
};

Findings examine(const std::vector<std::string>& lines) {
  static const std::regex object(R"(^src/CMakeFiles/holdfast_([a-z_]+)\.dir/.*: #deps .*)");
  static const std::regex public_header(R"(.*include/holdfast/([a-z_]+)/.*)");
  static const std::regex private_header(R"(.*src/([a-z_]+)/[a-z_0-9]+\.hpp$)");
  static const std::regex system_header(R"(^\s*/usr/include/(?:x86_64-linux-gnu/)?(.*))");
  Findings out;
  std::string module;
  for (const std::string& line : lines) {
    std::smatch match;
    if (!line.starts_with(' ')) {
      module = std::regex_match(line, match, object) ? match[1].str() : "";
      if (!allowed().contains(module)) module.clear();
      if (!module.empty()) out.modules.insert(module);
      continue;
    }
    if (module.empty()) continue;
    bool is_breach = false;
    if (std::regex_match(line, match, public_header)) {
      is_breach = match[1] != module && !allowed().at(module).contains(match[1]);
    } else if (std::regex_match(line, match, private_header)) {
      is_breach = match[1] != module;
    } else if (std::regex_match(line, match, system_header)) {
      for (const auto& [library, users] : owners()) {
        if (match[1].str().starts_with(library)) is_breach = !users.contains(module);
      }
    }
    if (is_breach) out.breaches.insert(module + ": " + line.substr(line.find_first_not_of(' ')));
  }
  return out;
}

TEST(DependenciesTest, ShowsNoModuleAnotherOutsideOfTheTable) {
  if (std::string_view(HOLDFAST_NINJA).empty()) GTEST_SKIP() << "not built with Ninja";
  const Findings found = examine(dependency_lines());
  EXPECT_EQ(found.modules.size(), allowed().size()) << "build `holdfast` first";
  for (const std::string& breach : found.breaches) ADD_FAILURE() << breach;
}

TEST(DependenciesTest, DetectsEveryKindOfBreach) {
  const auto breaches = [](const std::string& file) {
    return examine({"src/CMakeFiles/holdfast_client.dir/Unity/unity_0_cxx.cxx.o: #deps 9, deps "
                    "mtime 1 (VALID)",
                    "    " + file})
        .breaches.size();
  };
  EXPECT_EQ(breaches("/x/include/holdfast/delivery/message.hpp"), 1U);
  EXPECT_EQ(breaches("/x/src/net/socket.hpp"), 1U);
  EXPECT_EQ(breaches("/usr/include/boost/asio.hpp"), 1U);
  EXPECT_EQ(breaches("/usr/include/x86_64-linux-gnu/openssl/configuration.h"), 1U);
  EXPECT_EQ(breaches("/x/include/holdfast/net/http.hpp"), 0U);
  EXPECT_EQ(breaches("/x/src/client/answer.hpp"), 0U);
  EXPECT_EQ(breaches("/usr/include/c++/12/string"), 0U);
}

}  // namespace
}  // namespace holdfast::structure
