// Tests the checks of a TLS client.

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holdfast/net/client.hpp>

#include "support/base/temp_dir.hpp"

namespace holdfast::net {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
using ContextPtr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

/// A certificate that signs itself, for one name.
CertificatePtr make_certificate(EVP_PKEY* key, const std::string& name) {
  CertificatePtr certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_EXTENSION* const names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
  X509_add_ext(certificate.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

/// Answers one TLS connection's requests with `secure`, on a thread of its own.
class OpensslServer {
 public:
  OpensslServer(const std::string& name, const std::string& ca_file)
      : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free),
        certificate_(make_certificate(key_.get(), name)),
        context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
    SSL_CTX_use_certificate(context_.get(), certificate_.get());
    SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    std::FILE* const file = std::fopen(ca_file.c_str(), "w");
    PEM_write_X509(file, certificate_.get());
    std::fclose(file);
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    listen(fd_, 8);
    socklen_t size = sizeof(address);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~OpensslServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  [[nodiscard]] std::string port() const { return std::to_string(port_); }

 private:
  void serve() {
    for (int peer = accept(fd_, nullptr, nullptr); peer >= 0;
         peer = accept(fd_, nullptr, nullptr)) {
      SSL* const ssl = SSL_new(context_.get());
      SSL_set_fd(ssl, peer);
      std::array<char, 4096> request;
      if (SSL_accept(ssl) == 1) {
        while (SSL_read(ssl, request.data(), request.size()) > 0) {
          constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure";
          SSL_write(ssl, kAnswer.data(), kAnswer.size());
        }
      }
      SSL_free(ssl);
      ::close(peer);
    }
  }

  KeyPtr key_;
  CertificatePtr certificate_;
  ContextPtr context_;
  int fd_ = -1;
  int port_ = 0;
  std::thread thread_;
};

TEST(TlsClientTest, TalksToAServerThatProvesItsName) {
  const test::TempDir directory;
  const OpensslServer server("DNS:localhost,IP:127.0.0.1", directory.file("ca.pem"));
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const auto client =
        make_http_client(parse_url("https://" + std::string(host) + ":" + server.port()).value(),
                         {.ca_file = directory.file("ca.pem")});
    for (int i = 0; i < 2; ++i) {
      const auto response = client->request({});
      ASSERT_TRUE(response) << response.error().message;
      EXPECT_EQ(response->body, "secure");
    }
  }
}

TEST(TlsClientTest, RefusesAnotherNameAndAnUnknownIssuer) {
  const test::TempDir directory;
  const OpensslServer server("DNS:other.example", directory.file("ca.pem"));
  const Url url = parse_url("https://localhost:" + server.port()).value();
  const auto other_name = make_http_client(url, {.ca_file = directory.file("ca.pem")});
  EXPECT_EQ(other_name->request({}).error().code, Errc::unavailable);
  const auto unknown = make_http_client(url);
  EXPECT_EQ(unknown->request({}).error().code, Errc::unavailable);
  const auto no_file = make_http_client(url, {.ca_file = directory.file("none.pem")});
  EXPECT_EQ(no_file->request({}).error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace holdfast::net
