// Tests TLS on a listener.

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/net/client.hpp>
#include <holdfast/net/tls.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/temp_dir.hpp"
#include "support/net/raw_client.hpp"
#include "support/net/test_server.hpp"

namespace holdfast::net {
namespace {

namespace fs = std::filesystem;
using test::FakeService;
using test::RawClient;
using test::RecordedEvents;
using test::TestServer;
using ::testing::HasSubstr;

constexpr Milliseconds kPatience{5'000};

constexpr const char* kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// A server whose certificate its clients trust.
class TlsServerTest : public ::testing::Test {
 protected:
  void serve(std::size_t shards = 1, HttpLimits limits = {}) {
    tls_ = make_tls_server(files()).value();
    server_.emplace(service_, shards, limits, "127.0.0.1:0", system_clock(), tls_);
  }
  TlsServerOptions files() const {
    return {.certificate_file = made_.certificate_file, .key_file = made_.key_file};
  }
  /// WebSockets are sent more than a client with a small buffer takes.
  void serve_much(std::shared_ptr<delivery::Connection>& connection) {
    service_->on_open = [this, &connection](RequestHead head, LiveResponder respond) {
      respond(LiveAccepted{.shard = head.shard,
                           .on_open = [&](std::shared_ptr<delivery::Connection> c) {
                             connection = std::move(c);
                             connection->start(events_);
                             connection->write_text(std::string(16 << 20, 'y'));
                             connection->flush();
                           }});
    };
    HttpLimits limits;
    limits.outbound_bytes = 32 << 20;
    serve(1, limits);
  }
  Url url(const std::string& scheme, const std::string& target = "/") const {
    return parse_url(scheme + "://" + server_->address() + target).value();
  }
  std::unique_ptr<HttpClient> client() const {
    return make_http_client(url("https"), {.ca_file = made_.ca_file});
  }

  test::TempDir dir_;
  DevCertificates made_ = make_dev_certificates(dir_.file("tls"), {}).value();
  std::shared_ptr<FakeService> service_ = std::make_shared<FakeService>();
  std::shared_ptr<TlsServer> tls_;
  RecordedEvents events_;
  std::optional<TestServer> server_;
};

/// A client of OpenSSL's own, for what the project's client does not do.
class PlainOpenSsl {
 public:
  explicit PlainOpenSsl(const std::string& address)
      : socket_(address), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
    // OpenSSL writes with write(), also after the server's end.
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~PlainOpenSsl() { SSL_free(ssl_); }
  PlainOpenSsl(const PlainOpenSsl&) = delete;
  PlainOpenSsl& operator=(const PlainOpenSsl&) = delete;

  SSL_CTX* context() { return context_.get(); }
  bool connect(SSL_SESSION* session = nullptr) {
    ssl_ = SSL_new(context_.get());
    if (session != nullptr) SSL_set_session(ssl_, session);
    SSL_set_fd(ssl_, socket_.descriptor());
    return SSL_connect(ssl_) == 1;
  }
  SSL* ssl() { return ssl_; }
  RawClient& socket() { return socket_; }
  /// Returns the answer to a request; empty if the connection ends without one.
  std::string ask(std::string_view request = "GET / HTTP/1.1\r\nHost: test\r\n\r\n") {
    SSL_write(ssl_, request.data(), static_cast<int>(request.size()));
    std::array<char, 4096> answer;
    const int size = SSL_read(ssl_, answer.data(), static_cast<int>(answer.size()));
    return size > 0 ? std::string(answer.data(), static_cast<std::size_t>(size)) : std::string();
  }

 private:
  RawClient socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  SSL* ssl_ = nullptr;
};

// Signs itself, for whoever does not look.
void write_rsa_pair(const std::string& certificate_file, const std::string& key_file) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(2048), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  std::FILE* const to_key = std::fopen(key_file.c_str(), "w");
  PEM_write_PrivateKey(to_key, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(to_key);
  std::FILE* const to_certificate = std::fopen(certificate_file.c_str(), "w");
  PEM_write_X509(to_certificate, certificate.get());
  std::fclose(to_certificate);
}

TEST_F(TlsServerTest, ServesRequestsOfEverySizeOnOneConnection) {
  service_->body_bytes_max = 4 << 20;
  service_->on_handle = [](Request request, Responder respond) {
    EXPECT_TRUE(request.head.secure);
    respond({.body = request.body});
  };
  serve();
  const auto http = client();
  for (const std::size_t size : {0UZ, 1UZ, 16'384UZ, 65'536UZ, 3'000'000UZ, 5UZ}) {
    const std::string body(size, 'x');
    const auto response = http->request({.method = "POST", .target = "/", .body = body});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, body);
  }
  EXPECT_EQ(server_->listener().stats().requests, 6U);
}

TEST_F(TlsServerTest, TakesAWebSocketToAnotherShard) {
  std::shared_ptr<delivery::Connection> connection;
  std::size_t other = 0;
  service_->on_open = [&](RequestHead head, LiveResponder respond) {
    other = (head.shard + 1) % 2;
    respond(LiveAccepted{.shard = other, .on_open = [&](std::shared_ptr<delivery::Connection> c) {
                           connection = std::move(c);
                           connection->start(events_);
                           connection->write_text(std::string(1 << 20, 'y'));
                           connection->write_fence("fence");
                           connection->flush();
                         }});
  };
  serve(2);
  auto socket = connect_websocket(url("wss", "/ws"), {}, "", kPatience, {.ca_file = made_.ca_file});
  ASSERT_TRUE(socket) << socket.error().message;
  const auto text = (*socket)->read(kPatience);
  ASSERT_TRUE(text && *text);
  EXPECT_EQ(**text, std::string(1 << 20, 'y'));
  ASSERT_TRUE((*socket)->write("hello"));
  EXPECT_TRUE(events_.saw("text:hello"));
  const std::string large(100'000, 'z');
  ASSERT_TRUE((*socket)->write(large));
  EXPECT_TRUE(events_.saw("text:" + large));
  (void)(*socket)->read(Milliseconds(100));
  EXPECT_TRUE(events_.saw("pong:fence"));
  server_->run_on(other, [&] { connection->close(delivery::CloseReason::shutting_down, "bye"); });
  EXPECT_FALSE((*socket)->read(kPatience));
  EXPECT_EQ((*socket)->close_code(), 1001);
  EXPECT_TRUE(events_.saw("closed"));
  server_->stop();
}

TEST_F(TlsServerTest, AnswersAPlainRequestThatThisPortSpeaksTls) {
  serve();
  RawClient plain(server_->address());
  ASSERT_TRUE(plain.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  const auto response = plain.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 400);
  EXPECT_THAT(response->body, HasSubstr("TLS"));
  EXPECT_TRUE(plain.ends());
}

TEST_F(TlsServerTest, EndsGarbageAndGoesOn) {
  serve();
  for (const std::string& garbage :
       {std::string(4'096, '\0'), std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'a'),
        std::string("SSH-2.0-OpenSSH_9.2\r\n")}) {
    RawClient raw(server_->address());
    raw.send(garbage);
    EXPECT_TRUE(raw.ends());
  }
  EXPECT_EQ(client()->request({}).value().status, 200);
  EXPECT_TRUE(test::eventually([&] { return server_->listener().stats().open_sockets == 0; }));
}

TEST_F(TlsServerTest, EndsAHandshakeThatDoesNotGoOn) {
  HttpLimits limits;
  limits.header_timeout = Milliseconds(50);
  serve(1, limits);
  RawClient silent(server_->address());
  RawClient begun(server_->address());
  ASSERT_TRUE(begun.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6)));
  EXPECT_TRUE(silent.ends());
  EXPECT_TRUE(begun.ends());
}

TEST_F(TlsServerTest, SpeaksVersionTwelveAndNoOlder) {
  serve();
  PlainOpenSsl twelve(server_->address());
  SSL_CTX_set_max_proto_version(twelve.context(), TLS1_2_VERSION);
  ASSERT_TRUE(twelve.connect());
  EXPECT_STREQ(SSL_get_version(twelve.ssl()), "TLSv1.2");
  EXPECT_THAT(twelve.ask(), HasSubstr("200 OK"));
  PlainOpenSsl old(server_->address());
  SSL_CTX_set_security_level(old.context(), 0);
  SSL_CTX_set_min_proto_version(old.context(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.context(), TLS1_1_VERSION);
  EXPECT_FALSE(old.connect());
}

TEST_F(TlsServerTest, RefusesRenegotiation) {
  serve();
  PlainOpenSsl peer(server_->address());
  SSL_CTX_set_max_proto_version(peer.context(), TLS1_2_VERSION);
  ASSERT_TRUE(peer.connect());
  EXPECT_EQ(SSL_renegotiate(peer.ssl()), 1);
  EXPECT_NE(SSL_do_handshake(peer.ssl()), 1);
}

// One call of OpenSSL goes through all of them that have come.
TEST_F(TlsServerTest, EndsAFloodOfKeyUpdatesAndTakesAFew) {
  serve();
  const auto update = [](PlainOpenSsl& peer, int times, int kind) {
    for (int i = 0; i < times; ++i) {
      if (SSL_key_update(peer.ssl(), kind) != 1 || SSL_do_handshake(peer.ssl()) != 1) return false;
    }
    return true;
  };
  PlainOpenSsl few(server_->address());
  ASSERT_TRUE(few.connect());
  ASSERT_TRUE(update(few, 10, SSL_KEY_UPDATE_NOT_REQUESTED));
  ASSERT_TRUE(update(few, 10, SSL_KEY_UPDATE_REQUESTED));
  EXPECT_THAT(few.ask(), HasSubstr("200 OK"));
  PlainOpenSsl many(server_->address());
  ASSERT_TRUE(many.connect());
  (void)update(many, 5'000, SSL_KEY_UPDATE_NOT_REQUESTED);
  EXPECT_EQ(many.ask(), "");
}

// Half a record that the kernel has not taken must not hide what the peer has.
TEST_F(TlsServerTest, SeesASlowReadersProgress) {
  std::shared_ptr<delivery::Connection> connection;
  serve_much(connection);
  PlainOpenSsl peer(server_->address());
  peer.socket().set_receive_buffer(4'096);
  ASSERT_TRUE(peer.connect());
  ASSERT_THAT(peer.ask(kUpgrade), HasSubstr("101"));
  std::size_t read = 0;
  while (read < 20'000) {
    const std::size_t bytes = peer.socket().receive_some().size();
    ASSERT_GT(bytes, 0U);
    read += bytes;
    std::uint64_t taken = 0;
    server_->run_on(0, [&] { taken = connection->bytes_taken(); });
    EXPECT_GE(taken, read);
  }
  server_->run_on(0, [&] { connection->abort(); });
  EXPECT_TRUE(events_.saw("closed"));
  server_->stop();
}

TEST_F(TlsServerTest, HearsTheCloseOfAClientThatResetsBehindIt) {
  std::shared_ptr<delivery::Connection> connection;
  serve_much(connection);
  PlainOpenSsl peer(server_->address());
  peer.socket().set_receive_buffer(4'096);
  ASSERT_TRUE(peer.connect());
  ASSERT_THAT(peer.ask(kUpgrade), HasSubstr("101"));
  server_->run_on(0, [&] {
    const std::string close = test::make_close_frame(1009);
    EXPECT_GT(SSL_write(peer.ssl(), close.data(), static_cast<int>(close.size())), 0);
    std::this_thread::sleep_for(Milliseconds(20));
    peer.socket().close();
    std::this_thread::sleep_for(Milliseconds(20));
  });
  ASSERT_TRUE(events_.saw("closed"));
  EXPECT_EQ(events_.end().by, delivery::ConnectionEnd::By::client);
  EXPECT_EQ(events_.end().code, 1009);
}

TEST_F(TlsServerTest, AgreesOnHttp11AndOnNothingElse) {
  serve();
  const auto offer = [](PlainOpenSsl& peer, std::string_view protocols) {
    SSL_CTX_set_alpn_protos(peer.context(),
                            reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned int>(protocols.size()));
    return peer.connect();
  };
  PlainOpenSsl both(server_->address());
  ASSERT_TRUE(offer(both, "\x02h2\x08http/1.1"));
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(both.ssl(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  PlainOpenSsl newer(server_->address());
  EXPECT_FALSE(offer(newer, "\x02h2"));
}

TEST_F(TlsServerTest, ShowsANewCertificateAfterAReloadAndKeepsWhatIsOpen) {
  serve();
  const auto before = client();
  ASSERT_TRUE(before->request({}));
  const std::string old_ca = dir_.file("old-ca.pem");
  fs::copy_file(made_.ca_file, old_ca);
  fs::remove_all(dir_.file("tls"));
  EXPECT_EQ(tls_->reload().error().code, Errc::io);
  EXPECT_TRUE(make_http_client(url("https"), {.ca_file = old_ca})->request({}));
  made_ = make_dev_certificates(dir_.file("tls"), {}).value();
  ASSERT_TRUE(tls_->reload());
  EXPECT_TRUE(client()->request({}));
  EXPECT_FALSE(make_http_client(url("https"), {.ca_file = old_ca})->request({}));
  const std::size_t open = server_->listener().stats().open_sockets;
  EXPECT_TRUE(before->request({}));
  EXPECT_LE(server_->listener().stats().open_sockets, open) << "a new connection was made";
}

TEST_F(TlsServerTest, AsksForClientCertificatesWhereConfigured) {
  TlsServerOptions options = files();
  options.client_ca_file = made_.ca_file;
  options.client_certificate_required = true;
  tls_ = make_tls_server(options).value();
  server_.emplace(service_, 1, HttpLimits{}, "127.0.0.1:0", system_clock(), tls_);
  PlainOpenSsl stranger(server_->address());
  stranger.connect();  // in TLS 1.3 the refusal comes behind the client's part
  EXPECT_EQ(stranger.ask(), "");
  PlainOpenSsl known(server_->address());
  SSL_CTX_use_certificate_file(known.context(), made_.certificate_file.c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_use_PrivateKey_file(known.context(), made_.key_file.c_str(), SSL_FILETYPE_PEM);
  ASSERT_TRUE(known.connect());
  EXPECT_THAT(known.ask(), HasSubstr("200 OK"));
}

TEST_F(TlsServerTest, Answers503AtItsLimitInTls) {
  HttpLimits limits;
  limits.connections = 1;
  serve(1, limits);
  PlainOpenSsl first(server_->address());
  ASSERT_TRUE(first.connect());
  // One that waits for a request would make room.
  SSL_write(first.ssl(), "GET / HTTP/1.1\r\n", 16);
  ASSERT_TRUE(test::eventually([&] { return server_->listener().stats().body_bytes > 0; }));
  const auto refused = client()->request({});
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_EQ(refused->status, 503);
}

// Every suite of TLS 1.2 by itself, against both kinds of certificate.
TEST_F(TlsServerTest, TakesExactlyTheListedSuites) {
  const auto offered = [](const std::string& address, const std::string& suite) {
    PlainOpenSsl client(address);
    SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
    SSL_CTX_set_security_level(client.context(), 0);
    SSL_CTX_set_cipher_list(client.context(), suite.c_str());
    return client.connect();
  };
  std::vector<std::string> suites;
  {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> all(SSL_CTX_new(TLS_client_method()),
                                                                &SSL_CTX_free);
    SSL_CTX_set_security_level(all.get(), 0);
    SSL_CTX_set_cipher_list(all.get(), "ALL:COMPLEMENTOFALL");
    const STACK_OF(SSL_CIPHER)* const ciphers = SSL_CTX_get_ciphers(all.get());
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
      const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(ciphers, i);
      if (std::string(SSL_CIPHER_get_version(cipher)) != "TLSv1.3") {
        suites.emplace_back(SSL_CIPHER_get_name(cipher));
      }
    }
  }
  ASSERT_GT(suites.size(), 50U);
  for (const std::string kind : {"ECDSA", "RSA"}) {
    if (kind == "RSA") write_rsa_pair(made_.certificate_file, made_.key_file);
    serve();
    std::vector<std::string> taken;
    for (const std::string& suite : suites) {
      if (offered(server_->address(), suite)) taken.push_back(suite);
    }
    EXPECT_THAT(taken, ::testing::UnorderedElementsAre("ECDHE-" + kind + "-AES256-GCM-SHA384",
                                                       "ECDHE-" + kind + "-AES128-GCM-SHA256",
                                                       "ECDHE-" + kind + "-CHACHA20-POLY1305"));
    TlsServerOptions narrow = files();
    narrow.ciphers = "ECDHE+CHACHA20";
    tls_ = make_tls_server(narrow).value();
    server_.emplace(service_, 1, HttpLimits{}, "127.0.0.1:0", system_clock(), tls_);
    EXPECT_TRUE(offered(server_->address(), "ECDHE-" + kind + "-CHACHA20-POLY1305"));
    EXPECT_FALSE(offered(server_->address(), "ECDHE-" + kind + "-AES128-GCM-SHA256"));
  }
  TlsServerOptions wrong = files();
  wrong.ciphers = "NO-SUCH-CIPHER";
  const auto refused = make_tls_server(wrong);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
}

// A ticket is good for a day and a little longer: who steals a key later reads no more than that.
TEST_F(TlsServerTest, RenewsTheKeysOfItsTicketsDaily) {
  test::ManualClock clock;
  tls_ = make_tls_server(files(), clock).value();
  server_.emplace(service_, 1, HttpLimits{}, "127.0.0.1:0", system_clock(), tls_);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto ask = [&](SSL_SESSION* session, SSL_SESSION** next) {
      PlainOpenSsl client(server_->address());
      SSL_CTX_set_min_proto_version(client.context(), version);
      SSL_CTX_set_max_proto_version(client.context(), version);
      EXPECT_TRUE(client.connect(session));
      EXPECT_THAT(client.ask(), HasSubstr("200 OK"));
      if (next != nullptr) *next = SSL_get1_session(client.ssl());
      // One that ends without a goodbye is not to be resumed.
      SSL_shutdown(client.ssl());
      return SSL_session_reused(client.ssl()) == 1;
    };
    SSL_SESSION* first = nullptr;
    SSL_SESSION* renewed = nullptr;
    EXPECT_FALSE(ask(nullptr, &first));
    EXPECT_TRUE(ask(first, nullptr));
    clock.advance(Seconds(25 * 3600));
    EXPECT_TRUE(ask(first, &renewed)) << "the key before this one still opens it";
    clock.advance(Seconds(25 * 3600));
    EXPECT_FALSE(ask(first, nullptr));
    EXPECT_TRUE(ask(renewed, nullptr)) << "it was sealed again under the new key";
    clock.advance(Seconds(72 * 3600));
    EXPECT_FALSE(ask(renewed, nullptr)) << "nothing was sealed for long";
    SSL_SESSION_free(first);
    SSL_SESSION_free(renewed);
  }
}

TEST_F(TlsServerTest, AsksBrowsersToStayWithTls) {
  ListenerOptions options{.name = "test", .address = {}, .limits = {}, .access_log = false};
  options.tls = make_tls_server(files()).value();
  options.transport_security = Seconds(31'536'000);
  options.trusted_proxies = TrustedProxies::parse({"127.0.0.1"}).value();
  server_.emplace(service_, 1, options);
  {
    PlainOpenSsl client(server_->address());
    ASSERT_TRUE(client.connect());
    EXPECT_THAT(client.ask(), HasSubstr("Strict-Transport-Security: max-age=31536000\r\n"));
    EXPECT_THAT(client.ask("rubbish\r\n\r\n"), HasSubstr("Strict-Transport-Security"));
  }
  RawClient plain(server_->address());
  plain.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(plain.read_response()->header("strict-transport-security"), "");
  options.tls = nullptr;
  server_.emplace(service_, 1, options);
  RawClient proxied(server_->address());
  proxied.send("GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-Proto: https\r\n\r\n");
  EXPECT_EQ(proxied.read_response()->header("strict-transport-security"), "max-age=31536000");
  proxied.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(proxied.read_response()->header("strict-transport-security"), "");
}

TEST_F(TlsServerTest, SaysWhichFileIsAtFault) {
  const auto message = [](const TlsServerOptions& options) {
    const auto made = make_tls_server(options);
    return made ? std::string("accepted") : made.error().message;
  };
  TlsServerOptions options = files();
  options.key_file = made_.ca_key_file;
  EXPECT_EQ(message(options), "the private key " + made_.ca_key_file +
                                  " is not that of the certificate " + made_.certificate_file);
  options = files();
  options.key_file = made_.certificate_file;
  EXPECT_THAT(message(options), HasSubstr("no private key in PEM"));
  options.certificate_file = made_.key_file;
  EXPECT_THAT(message(options), HasSubstr("no certificate in PEM in " + made_.key_file));
  options.certificate_file = dir_.file("none.pem");
  EXPECT_THAT(message(options), HasSubstr("cannot read the certificate " + dir_.file("none.pem")));
  options = files();
  options.client_ca_file = made_.key_file;
  EXPECT_THAT(message(options), HasSubstr("no certificates in PEM in " + made_.key_file));
}

TEST_F(TlsServerTest, CountsHandshakesThatWereBegunAndNotFinished) {
  serve();
  const auto failures = [this] { return server_->metric("holdfast_tls_handshake_failures_total"); };
  {
    const RawClient looks_whether_it_is_open(server_->address());
  }
  ASSERT_EQ(client()->request({.target = "/"}).value().status, 200);
  EXPECT_EQ(failures(), 0U);
  RawClient plain(server_->address());
  ASSERT_TRUE(plain.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_TRUE(plain.ends());
  EXPECT_EQ(failures(), 1U);
  PlainOpenSsl old(server_->address());
  SSL_CTX_set_max_proto_version(old.context(), TLS1_1_VERSION);
  EXPECT_FALSE(old.connect());
  EXPECT_TRUE(test::eventually([&] { return failures() == 2; }));
}

TEST_F(TlsServerTest, TellsWhenItsCertificateExpires) {
  serve();
  const auto expires_at = [](const TestServer& server) {
    return static_cast<std::int64_t>(server.metric("holdfast_tls_certificate_expiry_seconds"));
  };
  const std::int64_t left = expires_at(*server_) - unix_seconds(system_clock().wall_now());
  EXPECT_GT(left, 24 * 3600);
  EXPECT_LT(left, 20L * 366 * 24 * 3600);
  EXPECT_EQ(expires_at(*server_), unix_seconds(tls_->expires_at()));
  EXPECT_EQ(expires_at(TestServer(service_)), 0) << "without TLS it has none";
}

}  // namespace
}  // namespace holdfast::net
