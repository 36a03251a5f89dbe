// Tests certificates for development.

#include <cstdlib>
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
  const auto first =
      make_dev_certificates(dir.file("tls"), {"gateway.test", "10.1.2.3", "fe80::1"});
  ASSERT_TRUE(first);
  const auto read = [](const std::string& path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string authority = read(first->ca_file);
  const std::string certificate = read(first->certificate_file);
  ASSERT_TRUE(make_dev_certificates(dir.file("tls"), {"10.1.2.3"}));
  EXPECT_EQ(read(first->ca_file), authority);
  EXPECT_NE(read(first->certificate_file), certificate);
}

// A thief of the authority's key cannot impersonate another host.
TEST(DevCertificates, AreTrustedForTheirNamesAlone) {
  const test::TempDir dir;
  const auto made = make_dev_certificates(dir.file("tls"),
                                          {"gateway.test", "*.wild.test", "10.1.2.3", "fd00::5"});
  ASSERT_TRUE(made) << made.error().message;
  const auto verified = [&](const std::string& names) {
    // Signs with OpenSSL's own tool, as a thief would.
    std::ofstream(dir.file("extensions")) << "subjectAltName=" << names << "\n";
    const std::string command =
        "cd " + dir.file("") +
        " && openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key "
        "-subj /O=other -out other.csr 2>/dev/null"
        " && openssl x509 -req -in other.csr -CA " +
        made->ca_file + " -CAkey " + made->ca_key_file +
        " -days 1 -extfile extensions -out other.pem 2>/dev/null"
        " && openssl verify -CAfile " +
        made->ca_file + " other.pem >/dev/null 2>&1";
    return std::system(command.c_str()) == 0;
  };
  for (const char* own : {"DNS:localhost", "IP:127.0.0.1", "IP:::1", "DNS:gateway.test",
                          "DNS:a.wild.test", "IP:10.1.2.3", "IP:fd00::5"}) {
    EXPECT_TRUE(verified(own)) << own;
  }
  for (const char* other :
       {"DNS:example.com", "DNS:gateway.test.example.com", "DNS:agateway.test", "IP:10.1.2.4",
        "IP:127.0.0.2", "IP:fd00::6", "IP:192.0.2.1", "DNS:localhost,DNS:example.com"}) {
    EXPECT_FALSE(verified(other)) << other;
  }
  // And what it makes itself passes.
  EXPECT_EQ(std::system(("openssl verify -CAfile " + made->ca_file + " " + made->certificate_file +
                         " >/dev/null 2>&1")
                            .c_str()),
            0);
}

TEST(DevCertificates, SayThatAnAuthorityIsForFewerNames) {
  const test::TempDir dir;
  const auto made = make_dev_certificates(dir.file("tls"), {"gateway.test"});
  ASSERT_TRUE(made);
  ASSERT_TRUE(make_dev_certificates(dir.file("tls"), {"sub.gateway.test"}));
  for (const char* name : {"other.test", "10.1.2.3"}) {
    const auto refused = make_dev_certificates(dir.file("tls"), {name});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    EXPECT_NE(refused.error().message.find(made->ca_file), std::string::npos);
  }
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
