// Compares docs/configuration.md with the table of settings.

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include <holdfast/app/config.hpp>

namespace holdfast::app {
namespace {

constexpr std::string_view kBegin = "<!-- configuration: a test holds it against the code -->\n";
constexpr std::string_view kEnd = "<!-- /configuration -->";

std::string escape_cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, "\\");
  }
  return text;
}

std::string configuration_table() {
  std::string out = "| key | default | what it is |\n|---|---|---|\n";
  for (const SettingInfo& setting : settings()) {
    out += "| `" + setting.key + "` | `" + escape_cell(setting.default_json) + "` | " +
           escape_cell(setting.doc);
    if (!setting.range.empty()) out += " (" + escape_cell(setting.range) + ")";
    if (setting.live) out += " Live.";
    out += " |\n";
  }
  return out;
}

TEST(ConfigurationPageTest, ListsEveryKeyOfTheConfigurationAsTheCodeHasIt) {
  const std::string path = HOLDFAST_SOURCE_DIR "/docs/configuration.md";
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::size_t from = begin + kBegin.size();
  const std::string page = text.substr(0, from) + configuration_table() + text.substr(end);
  if (std::getenv("HOLDFAST_UPDATE_DOCS") != nullptr) {
    std::ofstream(path) << page;
    return;
  }
  EXPECT_EQ(text, page) << "regenerate it: HOLDFAST_UPDATE_DOCS=1 unit_app "
                           "--gtest_filter='ConfigurationPageTest.*'";
}

}  // namespace
}  // namespace holdfast::app
