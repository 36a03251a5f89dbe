// The script that makes a release, on a checkout of its own.

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

class ReleaseTest : public testing::Test {
 protected:
  ReleaseTest() {
    const fs::path source = HOLDFAST_SOURCE_DIR;
    fs::create_directories(tree() / "packaging/debian");
    for (const char* file :
         {"CMakeLists.txt", "CHANGELOG.md", "packaging/release.py", "packaging/debian/changelog"}) {
      fs::copy_file(source / file, tree() / file);
    }
    EXPECT_TRUE(
        in_tree("git init -q && git config user.name x && git config user.email x@y.invalid && "
                "echo /build/ >.gitignore && git add -A && git commit -qm begin"));
  }
  [[nodiscard]] fs::path tree() const { return fs::path(folder_.path()) / "tree"; }
  [[nodiscard]] bool in_tree(const std::string& command) const {
    return std::system(
               ("cd '" + tree().string() + "' && { " + command + "; } >>../log 2>&1").c_str()) == 0;
  }
  [[nodiscard]] std::string text_of(const char* file) const {
    return test::read_file((tree() / file).string());
  }
  /// Stands in for a build: the script only copies its results.
  void build(const std::string& version) const {
    ASSERT_TRUE(
        in_tree("mkdir -p build/package build/release/packaging && echo deb >"
                "build/package/holdfast_" +
                version + "_amd64.deb && echo sbom >build/release/packaging/sbom.cdx.json"));
  }

 private:
  const test::TempDir folder_;
};

TEST_F(ReleaseTest, WritesTheVersionIntoTheTextsAndTagsThem) {
  ASSERT_TRUE(in_tree("packaging/release.py prepare 3.2.1"));
  EXPECT_TRUE(text_of("CMakeLists.txt").contains("project(holdfast VERSION 3.2.1 LANGUAGES CXX)"));
  const std::string changelog = text_of("CHANGELOG.md");
  EXPECT_TRUE(changelog.contains("## [Unreleased]\n\n## [3.2.1] - 2"));
  EXPECT_FALSE(changelog.contains("There has been no release yet"));
  EXPECT_TRUE(
      in_tree("dpkg-parsechangelog -l packaging/debian/changelog -S Version | grep -qx 3.2.1"));
  EXPECT_TRUE(in_tree("test -z \"$(git status --porcelain)\""));
  EXPECT_TRUE(in_tree("test \"$(git rev-parse v3.2.1^{commit})\" = \"$(git rev-parse HEAD)\""));
}

TEST_F(ReleaseTest, CollectsPackageSourcesLibrariesAndTheirSums) {
  ASSERT_TRUE(in_tree("packaging/release.py prepare 3.2.1"));
  build("3.2.1");
  ASSERT_TRUE(in_tree("packaging/release.py collect 3.2.1 build/out"));
  EXPECT_TRUE(
      in_tree("cd build/out && sha256sum --strict -c SHA256SUMS && test $(wc -l <SHA256SUMS) = 3"));
  EXPECT_TRUE(in_tree(
      "tar tzf build/out/holdfast-3.2.1.tar.gz | grep -v '/$' | sed 's,holdfast-3.2.1/,,' | "
      "sort >../packed && git ls-files | sort | cmp - ../packed"));
  EXPECT_TRUE(in_tree(
      "cp build/out/SHA256SUMS .. && sleep 1 && packaging/release.py collect 3.2.1 build/out && "
      "cmp build/out/SHA256SUMS ../SHA256SUMS"))
      << "the same tag has other sums a second later";
}

TEST_F(ReleaseTest, ReleasesNothingTwiceNorWhatNobodyCommitted) {
  EXPECT_FALSE(in_tree("packaging/release.py prepare 3.2"));
  EXPECT_FALSE(in_tree("echo >new && packaging/release.py prepare 3.2.1"));
  EXPECT_TRUE(in_tree("rm new && packaging/release.py prepare 3.2.1"));
  EXPECT_FALSE(in_tree("packaging/release.py prepare 3.2.1"));
  EXPECT_FALSE(in_tree("packaging/release.py prepare 3.2.2")) << "nothing has changed since";
  EXPECT_FALSE(in_tree("packaging/release.py collect 3.2.1 build/out")) << "nothing was built";
}

}  // namespace
}  // namespace holdfast
