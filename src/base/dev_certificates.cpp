// Makes a certificate authority and certificates for development.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/base/private_file.hpp>

namespace holdfast {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
using FilePtr = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

constexpr long kDaySeconds = 24L * 3600;
constexpr long kAuthorityDays = 3650;
// The longest lifetime that browsers and phones accept from a private authority.
constexpr long kCertificateDays = 825;
constexpr std::size_t kNameBytesMax = 253;

struct Pair {
  KeyPtr key{nullptr, &EVP_PKEY_free};
  CertificatePtr certificate{nullptr, &X509_free};
};

std::unexpected<Error> io_failure(const std::string& what, const std::string& path) {
  return fail(Errc::io, "cannot " + what + " " + path + ": " + std::strerror(errno), path);
}

bool is_address(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  return inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

// Names go into OpenSSL's notation, where commas and colons would mean something.
bool is_host_name(const std::string& name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return ascii::is_alphanumeric(c) || c == '-' || c == '.' || c == '*' || c == '_';
         });
}

/// The names of a certificate, and its authority's name constraints, in OpenSSL's notation.
struct Names {
  std::string alternatives;
  std::string constraints;

  void add(const std::string& name) {
    const bool address = is_address(name);
    if (!alternatives.empty()) alternatives += ',';
    alternatives += (address ? "IP:" : "DNS:") + name;
    // RFC 5280 section 4.2.1.10: a name stands for all below it, an address needs its mask.
    const std::string mask =
        name.contains(':') ? "/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "/255.255.255.255";
    const std::string whole = name.starts_with("*.") ? name.substr(2) : name;
    constraints += ",permitted;" + (address ? "IP:" + name + mask : "DNS:" + whole);
  }
};

Result<Names> checked_names(const std::vector<std::string>& names) {
  Names out;
  for (const char* own : {"localhost", "127.0.0.1", "::1"}) out.add(own);
  for (const std::string& name : names) {
    if (!is_address(name) && !is_host_name(name)) {
      return fail(Errc::invalid_argument, "neither a host name nor an IP address: " + name, name);
    }
    out.add(name);
  }
  return out;
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Without an issuer it signs itself.
Pair make_pair(const std::string& name, long days, const Pair* issuer) {
  Pair made;
  made.key.reset(EVP_EC_gen("P-256"));
  made.certificate.reset(X509_new());
  X509* const certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  std::array<unsigned char, 16> serial{};
  RAND_bytes(serial.data(), static_cast<int>(serial.size()));
  serial[0] &= 0x7f;
  BIGNUM* const number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  // Clocks differ a little.
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), days * kDaySeconds);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  const Pair& by = issuer != nullptr ? *issuer : made;
  X509_set_issuer_name(certificate, X509_get_subject_name(by.certificate.get()));
  return made;
}

// Makes an authority that devices trust only for these names, even if its key is stolen.
Pair make_authority(const Names& names) {
  Pair made = make_pair("Holdfast development CA", kAuthorityDays, nullptr);
  X509* const certificate = made.certificate.get();
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  add_extension(certificate, certificate, NID_name_constraints, "critical" + names.constraints);
  X509_sign(certificate, made.key.get(), EVP_sha256());
  return made;
}

Pair make_server(const Pair& authority, const Names& names) {
  Pair made = make_pair("localhost", kCertificateDays, &authority);
  X509* const certificate = made.certificate.get();
  X509* const issuer = authority.certificate.get();
  add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(certificate, issuer, NID_subject_alt_name, names.alternatives);
  add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
  add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
  X509_sign(certificate, authority.key.get(), EVP_sha256());
  return made;
}

// Writes what `write` puts out to a file in PEM.
template <class Write>
Result<void> write_pem(const std::string& path, mode_t mode, Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_secmem()), &BIO_free);
  if (!memory || write(memory.get()) != 1) {
    return fail(Errc::internal, "cannot make the text of " + path, path);
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return write_private_file(path, {text, static_cast<std::size_t>(size)}, {.mode = mode});
}

Result<void> write_pair(const Pair& pair, const std::string& certificate, const std::string& key) {
  auto written = write_pem(key, S_IRUSR | S_IWUSR, [&pair](BIO* out) {
    return PEM_write_bio_PrivateKey(out, pair.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  if (!written) return written;
  return write_pem(certificate, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH,
                   [&pair](BIO* out) { return PEM_write_bio_X509(out, pair.certificate.get()); });
}

// An authority of an earlier run may be for other names.
bool may_sign(const Pair& authority, const Pair& server) {
  // OpenSSL compares names that it has taken out of the certificate before.
  X509_check_purpose(server.certificate.get(), -1, 0);
  const std::unique_ptr<NAME_CONSTRAINTS, decltype(&NAME_CONSTRAINTS_free)> constraints(
      static_cast<NAME_CONSTRAINTS*>(
          X509_get_ext_d2i(authority.certificate.get(), NID_name_constraints, nullptr, nullptr)),
      &NAME_CONSTRAINTS_free);
  return !constraints ||
         NAME_CONSTRAINTS_check(server.certificate.get(), constraints.get()) == X509_V_OK;
}

Result<Pair> read_authority(const std::string& certificate, const std::string& key) {
  Pair pair;
  const FilePtr certificate_file(std::fopen(certificate.c_str(), "re"), &std::fclose);
  if (!certificate_file) return io_failure("read", certificate);
  const FilePtr key_file(std::fopen(key.c_str(), "re"), &std::fclose);
  if (!key_file) return io_failure("read", key);
  pair.certificate.reset(PEM_read_X509(certificate_file.get(), nullptr, nullptr, nullptr));
  pair.key.reset(PEM_read_PrivateKey(key_file.get(), nullptr, nullptr, nullptr));
  if (!pair.certificate || !pair.key ||
      X509_check_private_key(pair.certificate.get(), pair.key.get()) != 1) {
    return fail(Errc::invalid_argument,
                certificate + " and " + key +
                    " are no certificate authority: remove both for a "
                    "new one",
                certificate);
  }
  return pair;
}

}  // namespace

Result<DevCertificates> make_dev_certificates(const std::string& directory,
                                              const std::vector<std::string>& names) {
  const auto checked = checked_names(names);
  if (!checked) return std::unexpected(checked.error());
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return fail(Errc::io, "cannot make " + directory + ": " + error.message(), directory);
  }
  DevCertificates made{.ca_file = directory + "/ca.pem",
                       .ca_key_file = directory + "/ca.key",
                       .certificate_file = directory + "/server.pem",
                       .key_file = directory + "/server.key"};
  Pair authority;
  if (std::filesystem::exists(made.ca_file, error)) {
    auto read = read_authority(made.ca_file, made.ca_key_file);
    if (!read) return std::unexpected(std::move(read.error()));
    authority = std::move(*read);
  } else {
    authority = make_authority(*checked);
    auto written = write_pair(authority, made.ca_file, made.ca_key_file);
    if (!written) return std::unexpected(std::move(written.error()));
  }
  const Pair server = make_server(authority, *checked);
  if (!may_sign(authority, server)) {
    return fail(Errc::invalid_argument,
                made.ca_file + " is for fewer names: remove it and " + made.ca_key_file +
                    " for a new one, and trust that",
                made.ca_file);
  }
  auto written = write_pair(server, made.certificate_file, made.key_file);
  if (!written) return std::unexpected(std::move(written.error()));
  return made;
}

}  // namespace holdfast
