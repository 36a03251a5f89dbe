// Tests lines that a shell evaluates.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/shell.hpp>

namespace holdfast {
namespace {

using ::testing::HasSubstr;

TEST(ExportLines, QuoteWhatAShellWouldReadMoreInto) {
  EXPECT_EQ(export_lines({{"A", "plain/+=:._-1"}, {"B", "it's $HOME"}, {"C", "http://[::1]:80"}}),
            "export A=plain/+=:._-1\nexport B='it'\\''s $HOME'\nexport C='http://[::1]:80'\n");
}

TEST(ExportLines, TakeValuesOfTheirForm) {
  const std::string key_id(128, 'A');
  const std::vector<ShellVariable> good{
      {"A", "e30.e30.c2ln", ShellForm::jwt},
      {"B", "AKIAIOSFODNN7EXAMPLE", ShellForm::key_id},
      {"C", key_id, ShellForm::key_id},
      {"D", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY==", ShellForm::secret},
      {"E", "base64url-has_other-letters", ShellForm::secret}};
  EXPECT_TRUE(export_lines(good));
}

TEST(ExportLines, PrintNothingWhenOneValueHasNotItsForm) {
  const std::string long_id(129, 'A');
  const std::vector<ShellVariable> bad{{"X", "", ShellForm::jwt},
                                       {"X", "e30.e30", ShellForm::jwt},
                                       {"X", "e30.e30.c2ln.c2ln", ShellForm::jwt},
                                       {"X", "e30..c2ln", ShellForm::jwt},
                                       {"X", "e30.e30.$(id)", ShellForm::jwt},
                                       {"X", "e30.e30.c2ln\n", ShellForm::jwt},
                                       {"X", "", ShellForm::key_id},
                                       {"X", "AKIA", ShellForm::key_id},
                                       {"X", "akiaiosfodnn7example", ShellForm::key_id},
                                       {"X", "AKIAIOSFODNN7EXAMPL;", ShellForm::key_id},
                                       {"X", "AKIAIOSFODNN7EXAMPL\n", ShellForm::key_id},
                                       {"X", long_id, ShellForm::key_id},
                                       {"X", "short", ShellForm::secret},
                                       {"X", "wJalrXUtnFEMI K7MDENG", ShellForm::secret},
                                       {"X", "wJalrXUtnFEMI`id`7MDENG", ShellForm::secret},
                                       {"X", std::string("text\0text", 9), ShellForm::text}};
  for (const ShellVariable& variable : bad) {
    const auto lines = export_lines({{"GOOD", "1"}, variable});
    ASSERT_FALSE(lines) << variable.value;
    EXPECT_THAT(lines.error().message, HasSubstr("the value for X "));
    EXPECT_EQ(lines.error().where, "X");
  }
}

}  // namespace
}  // namespace holdfast
