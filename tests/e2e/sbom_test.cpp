// Compares the release's bill of materials with the program.
#include <algorithm>
#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

#include "support/gateway/child_process.hpp"
#include "support/gateway/gateway_process.hpp"

namespace holdfast::test {
namespace {

std::string output_of(const std::vector<std::string>& command) {
  ChildProcess process({.command = command});
  EXPECT_EQ(process.wait(kPatience), 0) << command.front();
  std::string out;
  for (const std::string& line : process.output()) out += line + "\n";
  return out;
}

// The loader's own words, but for the page that the kernel brings.
std::set<std::string> linked_libraries() {
  std::set<std::string> out;
  std::istringstream lines(output_of({"ldd", holdfast_binary()}));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name.starts_with("linux-vdso")) continue;
    out.insert(name.substr(name.rfind('/') + 1));
  }
  return out;
}

TEST(BillOfMaterialsTest, NamesEveryLinkedLibraryWithItsPackage) {
  const auto bill =
      parse_json(output_of({HOLDFAST_SOURCE_DIR "/packaging/sbom.sh", holdfast_binary(), "1.2.3"}));
  ASSERT_TRUE(bill) << bill.error().message;
  EXPECT_EQ((*bill)["bomFormat"], "CycloneDX");
  EXPECT_EQ((*bill)["metadata"]["component"]["version"], "1.2.3");
  std::set<std::string> named;
  for (const Json& component : (*bill)["components"]) {
    EXPECT_EQ(component["type"], "library");
    EXPECT_FALSE(component["name"].get<std::string>().empty());
    named.insert(component["properties"][0]["value"].get<std::string>());
  }
  const std::set<std::string> linked = linked_libraries();
  EXPECT_TRUE(linked.contains("libsqlite3.so.0"));
  EXPECT_TRUE(std::ranges::includes(named, linked));
  EXPECT_TRUE(named.contains("boost/version.hpp"));
}

TEST(BillOfMaterialsTest, StaysTheSameForTheSameProgram) {
  const std::vector<std::string> command{HOLDFAST_SOURCE_DIR "/packaging/sbom.sh",
                                         holdfast_binary(), "1.2.3"};
  EXPECT_EQ(output_of(command), output_of(command));
}

}  // namespace
}  // namespace holdfast::test
