#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <holdfast/base/dev_certificates.hpp>

#include "support/base/temp_dir.hpp"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

mode_t mode_of(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

TEST(DevCertificates, ProtectTheirKeys) {
  const test::TempDir dir;
  const auto made = make_dev_certificates(dir.file("deep/tls"), {});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(mode_of(made->key_file), 0600U);
  EXPECT_EQ(mode_of(made->ca_key_file), 0600U);
  EXPECT_EQ(mode_of(made->certificate_file), 0644U);
  EXPECT_EQ(mode_of(made->ca_file), 0644U);
}

TEST(DevCertificates, KeepTheirAuthority) {
  const test::TempDir dir;
  const auto first = make_dev_certificates(dir.file("tls"), {});
  ASSERT_TRUE(first);
  const auto read = [](const std::string& path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string authority = read(first->ca_file);
  const std::string certificate = read(first->certificate_file);
  ASSERT_TRUE(make_dev_certificates(dir.file("tls"), {"gateway.test", "10.1.2.3", "fe80::1"}));
  EXPECT_EQ(read(first->ca_file), authority);
  EXPECT_NE(read(first->certificate_file), certificate);
}

TEST(DevCertificates, RefuseWhatIsNoNameAndWhatIsNoAuthority) {
  const test::TempDir dir;
  for (const char* name : {"", "a,DNS:b", "IP:1.2.3.4", "two words", "-a"}) {
    const auto refused = make_dev_certificates(dir.file("tls"), {name});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  }
  EXPECT_FALSE(fs::exists(dir.file("tls")));
  const auto made = make_dev_certificates(dir.file("tls"), {});
  std::ofstream(made->ca_file) << "no certificate";
  EXPECT_EQ(make_dev_certificates(dir.file("tls"), {}).error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace holdfast
