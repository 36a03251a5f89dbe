// Tests the hardening of the release build: docs/operating.md, "Install".

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "support/base/files.hpp"

namespace holdfast {
namespace {

std::string readelf(const std::string& what) {
  const std::string command = "readelf --wide " + what + " '" HOLDFAST_BINARY "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string text;
  char piece[4096];
  while (const std::size_t size = std::fread(piece, 1, sizeof piece, pipe.get())) {
    text.append(piece, size);
  }
  return text;
}

bool has(const std::string& text, const char* word) { return text.contains(word); }

TEST(HardeningTest, MakesThePositionIndependentProgram) {
  EXPECT_TRUE(has(readelf("--file-header"), "DYN (Position-Independent Executable file)"));
}

TEST(HardeningTest, MakesResolvedSymbolsReadOnly) {
  EXPECT_TRUE(has(readelf("--program-headers"), "GNU_RELRO"));
  EXPECT_TRUE(has(readelf("--dynamic"), "BIND_NOW"));
}

TEST(HardeningTest, MakesTheStackNonExecutable) {
  const std::string headers = readelf("--program-headers");
  const std::size_t stack = headers.find("GNU_STACK");
  ASSERT_NE(stack, std::string::npos);
  EXPECT_FALSE(has(headers.substr(stack, headers.find('\n', stack) - stack), "RWE"));
}

TEST(HardeningTest, EndsTheProgramOnAnOverwrittenStack) {
  EXPECT_TRUE(has(readelf("--dyn-syms"), "__stack_chk_fail"));
}

TEST(HardeningTest, CallsThatWriteToABufferAreHeldAgainstItsSize) {
  // Any of them: the compiler leaves out those that it has proved.
  EXPECT_TRUE(has(readelf("--dyn-syms"), "_chk@GLIBC"));
}

TEST(HardeningTest, HidesTheBuildFolder) {
  EXPECT_FALSE(has(test::read_file(HOLDFAST_BINARY), HOLDFAST_SOURCE_DIR));
}

TEST(HardeningTest, GivesTheBuildAnId) { EXPECT_TRUE(has(readelf("--notes"), "Build ID: ")); }

}  // namespace
}  // namespace holdfast
