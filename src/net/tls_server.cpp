// Reads certificates and keys into OpenSSL's contexts.

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "ticket_keys.hpp"
#include "tls_stream.hpp"

namespace holdfast::net {
namespace {

constexpr std::string_view kSessionContext = "holdfast";
constexpr int kDepthMax = 8;

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

Result<void> readable(const std::string& what, const std::string& file) {
  if (access(file.c_str(), R_OK) == 0) return {};
  return fail(Errc::io, "cannot read the " + what + " " + file + ": " + std::strerror(errno), file);
}

// Refuses keys with a passphrase. OpenSSL would ask for it on the daemon's terminal.
int no_passphrase(char* /*into*/, int /*size*/, int /*writing*/, void* /*data*/) { return 0; }

// Selects HTTP/1.1, the only protocol here (RFC 7301 section 3.2).
int select_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int offered_size, void* /*data*/) {
  constexpr std::string_view kHttp11 = "http/1.1";
  for (unsigned int at = 0; at < offered_size; at += offered[at] + 1U) {
    const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
    if (name != kHttp11) continue;
    *out = offered + at + 1;
    *out_size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void set_ways(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection holds no record buffers, and a record costs one read.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  // Clients keep the tickets; the server stores no session.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_session_id_context(context,
                                 reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                 static_cast<unsigned int>(kSessionContext.size()));
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
}

// Sets the ciphers of TLS 1.2; TLS 1.3 has its own. OpenSSL silently drops unknown ones.
Result<void> set_ciphers(SSL_CTX* context, const std::string& ciphers) {
  if (SSL_CTX_set_cipher_list(context, ciphers.c_str()) == 1) return {};
  ERR_clear_error();
  return fail(Errc::invalid_argument, "no TLS 1.2 cipher is known in " + ciphers, "tls.ciphers");
}

Result<void> set_certificate(SSL_CTX* context, const TlsServerOptions& options) {
  const std::string& certificate = options.certificate_file;
  if (auto ok = readable("certificate", certificate); !ok) return ok;
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return fail(Errc::invalid_argument,
                "no certificate in PEM in " + certificate + ": " + last_error(), certificate);
  }
  const std::string& key = options.key_file;
  if (auto ok = readable("private key", key); !ok) return ok;
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_check_private_key(context) == 1) {
    return {};
  }
  const unsigned long code = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  const bool mismatch =
      ERR_GET_LIB(code) == ERR_LIB_X509 &&
      (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH);
  const std::string why = last_error();
  if (mismatch) {
    return fail(Errc::invalid_argument,
                "the private key " + key + " is not that of the certificate " + certificate, key);
  }
  return fail(Errc::invalid_argument,
              "no private key in PEM without a passphrase in " + key + ": " + why, key);
}

// Reads the expiry. X.509 has its times in UTC (RFC 5280 section 4.1.2.5).
WallTime expiry_of(const SSL_CTX* context) {
  std::tm utc{};
  const X509* const certificate = SSL_CTX_get0_certificate(context);
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) != 1) return WallTime();
  return WallTime(Seconds(timegm(&utc)));
}

Result<void> set_client_authority(SSL_CTX* context, const TlsServerOptions& options) {
  const std::string& file = options.client_ca_file;
  if (file.empty()) return {};
  if (auto ok = readable("client CA certificates", file); !ok) return ok;
  STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(file.c_str());
  if (names == nullptr || SSL_CTX_load_verify_file(context, file.c_str()) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return fail(Errc::invalid_argument, "no certificates in PEM in " + file + ": " + last_error(),
                file);
  }
  SSL_CTX_set_client_CA_list(context, names);
  SSL_CTX_set_verify_depth(context, kDepthMax);
  const int required = options.client_certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, nullptr);
  return {};
}

}  // namespace

Result<void> TlsFiles::reload() {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (!context) return fail(Errc::internal, "cannot set up TLS: " + last_error(), "tls");
  set_ways(context.get());
  TicketKeys::give(context.get(), clock_);
  if (auto done = set_ciphers(context.get(), options_.ciphers); !done) return done;
  if (auto done = set_certificate(context.get(), options_); !done) return done;
  if (auto done = set_client_authority(context.get(), options_); !done) return done;
  const std::lock_guard lock(mutex_);
  expires_at_ = expiry_of(context.get());
  context_ = std::move(context);
  return {};
}

WallTime TlsFiles::expires_at() const {
  const std::lock_guard lock(mutex_);
  return expires_at_;
}

Result<std::shared_ptr<TlsServer>> make_tls_server(TlsServerOptions options, const Clock& clock) {
  auto server = std::make_shared<TlsFiles>(std::move(options), clock);
  if (auto loaded = server->reload(); !loaded) return std::unexpected(std::move(loaded.error()));
  return server;
}

}  // namespace holdfast::net
