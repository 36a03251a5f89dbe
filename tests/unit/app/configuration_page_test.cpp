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

TEST(ConfigurationPage, ListsEveryKeyOfTheConfigurationAsTheCodeHasIt) {
  std::ifstream file(HOLDFAST_SOURCE_DIR "/docs/configuration.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::size_t from = begin + kBegin.size();
  EXPECT_EQ(text.substr(from, end - from), configuration_table());
}

}  // namespace
}  // namespace holdfast::app
