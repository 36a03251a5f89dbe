// Tests the console's routes: sign-in, files and API.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>
#include <holdfast/control/console.hpp>

#include "support/base/fake_audit.hpp"
#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/delivery/fake_mailboxes.hpp"
#include "support/identity/fake_password_hasher.hpp"

namespace holdfast::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// The control socket's service: says what it was asked.
class EchoingService final : public net::HttpService {
 public:
  std::variant<net::Response, net::BodyLimit> screen(const net::RequestHead& head) override {
    if (head.path() == "/v1/users/nothing") return net::Response{.status = 404};
    return net::BodyLimit{.bytes = 77};
  }
  void handle(net::Request request, net::Responder respond) override {
    ++asked;
    actor = request.head.actor;
    respond({.body = request.head.method + " " + request.head.target + " " + request.body});
  }
  net::Response error(int status, std::string_view) const override { return {.status = status}; }

  int asked = 0;
  std::string actor;
};

std::string header_of(const net::Response& response, std::string_view name) {
  for (const auto& [header, value] : response.headers) {
    if (header == name) return value;
  }
  return {};
}

class ConsolePages : public ::testing::Test {
 protected:
  ConsolePages() { open({}); }
  void open(control::ConsoleOptions options) {
    options.gateway_urls = {"http://127.0.0.1:8080"};
    options.user_pool_id = "us-east-1_Abc";
    options.client_id = "client";
    options.link_url = "http://127.0.0.1:8081";
    console_ = std::make_shared<control::Console>(std::move(options),
                                                  control::ConsoleParts{.clock = clock_,
                                                                        .router = router_,
                                                                        .hasher = hasher_,
                                                                        .attempts = attempts_,
                                                                        .audit = audit_});
    service_ = control::make_control_service([] { return control::State::ready; },
                                             console_->routes(local_));
  }

  net::Response ask(const std::string& method, const std::string& target, Headers headers = {},
                    const std::string& body = {}) {
    net::Request request;
    request.head.method = method;
    request.head.target = target;
    request.head.secure = secure_;
    request.head.headers = {{"Host", "127.0.0.1:8081"}};
    for (auto& header : headers) {
      if (header.first == "Host") request.head.headers.clear();
      request.head.headers.push_back(std::move(header));
    }
    auto screened = service_->screen(request.head);
    if (auto* refused = std::get_if<net::Response>(&screened)) return std::move(*refused);
    admitted_bytes_ = std::get<net::BodyLimit>(screened).bytes;
    request.body = body;
    std::optional<net::Response> out;
    service_->handle(std::move(request),
                     [&](net::Response response) { out = std::move(response); });
    executor_.run();
    EXPECT_TRUE(out.has_value()) << "no answer came";
    return std::move(out).value_or(net::Response());
  }
  // Sends a request as the console's own page does.
  net::Response call(const std::string& method, const std::string& target,
                     const std::string& body = {}, const std::string& kind = "person") {
    Headers headers = {{"X-Holdfast-Console", kind},
                       {"Origin", secure_ ? "https://127.0.0.1:8081" : "http://127.0.0.1:8081"},
                       {"Sec-Fetch-Site", "same-origin"}};
    if (!cookie_.empty()) headers.emplace_back("Cookie", cookie_);
    if (!page_secret_.empty()) headers.emplace_back("X-Holdfast-Session", page_secret_);
    return ask(method, target, std::move(headers), body);
  }
  net::Response use(const std::string& link) {
    const std::string secret = link.substr(link.find("#link=") + 6);
    return keep_cookie(call("POST", "/console/api/session", Json({{"link", secret}}).dump()));
  }
  net::Response try_password(const std::string& password) {
    return keep_cookie(call("POST", "/console/api/session", Json({{"password", password}}).dump()));
  }
  net::Response keep_cookie(net::Response response) {
    const std::string set = header_of(response, "Set-Cookie");
    if (!set.empty()) cookie_ = set.substr(0, set.find(';'));
    if (response.status == 200) {
      page_secret_ = parse_json(response.body).value()["session"].get<std::string>();
    }
    return response;
  }
  void sign_in() { ASSERT_EQ(use(console_->make_link()->url).status, 200); }
  bool signed_in() {
    return parse_json(call("GET", "/console/api/session").body).value()["signedIn"].get<bool>();
  }

  ManualClock clock_;
  ManualExecutor executor_;
  FakeMailboxes mailboxes_;
  delivery::Router router_{{{&executor_, &mailboxes_}}};
  std::shared_ptr<FakePasswordHasher> hasher_ = std::make_shared<FakePasswordHasher>();
  std::shared_ptr<identity::AttemptCounts> attempts_ =
      std::make_shared<identity::AttemptCounts>(clock_, 10);
  std::shared_ptr<EchoingService> local_ = std::make_shared<EchoingService>();
  std::shared_ptr<control::Console> console_;
  std::shared_ptr<net::HttpService> service_;
  std::shared_ptr<FakeAudit> audit_ = std::make_shared<FakeAudit>();
  std::string cookie_;
  std::string page_secret_;
  bool secure_ = false;
  std::size_t admitted_bytes_ = 0;
};

TEST_F(ConsolePages, AreServedWithAnETag) {
  EXPECT_EQ(ask("GET", "/console").status, 308);
  EXPECT_EQ(header_of(ask("GET", "/console"), "Location"), "/console/");
  const net::Response page = ask("GET", "/console/?from=here");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(header_of(page, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(header_of(page, "Cache-Control"), "no-cache");
  EXPECT_THAT(page.body, StartsWith("<!doctype html>"));
  const std::string tag = header_of(page, "ETag");
  ASSERT_EQ(tag.size(), 66U);
  const net::Response again = ask("GET", "/console/", {{"If-None-Match", "\"x\", " + tag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
  EXPECT_EQ(header_of(ask("GET", "/console/app.js"), "Content-Type"),
            "text/javascript; charset=utf-8");
  EXPECT_NE(header_of(ask("GET", "/console/style.css"), "ETag"), tag);
  EXPECT_EQ(ask("GET", "/console/../app.js").status, 404);
  EXPECT_EQ(ask("POST", "/console/").status, 405);
}

TEST_F(ConsolePages, HoldNoScriptOrStyleOfTheirOwn) {
  const std::string page = ask("GET", "/console/").body;
  EXPECT_THAT(page, Not(HasSubstr("<style")));
  EXPECT_THAT(page, Not(HasSubstr("style=")));
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
  EXPECT_THAT(page, Not(HasSubstr("http")));
}

TEST_F(ConsolePages, CarryTheirProtectionWhateverTheAnswer) {
  for (const net::Response& response :
       {ask("GET", "/console/"), ask("GET", "/console/none"), ask("PUT", "/console/"),
        ask("GET", "/console/api/session"), call("GET", "/console/api/session"),
        call("GET", "/console/api/v1/status"), ask("GET", "/console/", {{"Host", "evil.example"}}),
        ask("GET", "/console")}) {
    EXPECT_THAT(header_of(response, "Content-Security-Policy"),
                HasSubstr("connect-src 'self' http://127.0.0.1:8080 ws://127.0.0.1:8080;"));
    EXPECT_EQ(header_of(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(header_of(response, "Referrer-Policy"), "no-referrer");
    EXPECT_EQ(header_of(response, "Cross-Origin-Opener-Policy"), "same-origin");
  }
}

TEST_F(ConsolePages, AreNotServedUnderOtherHostNames) {
  for (const char* const target : {"/console/", "/console", "/console/api/session"}) {
    EXPECT_EQ(ask("GET", target, {{"Host", "evil.example:8081"}}).status, 403) << target;
  }
  EXPECT_EQ(ask("GET", "/console/", {{"Host", "localhost:8081"}}).status, 200);
  // Health checks may use any host name.
  EXPECT_EQ(ask("GET", "/livez", {{"Host", "gateway.internal"}}).status, 200);
}

TEST_F(ConsolePages, LetALinkInOnce) {
  EXPECT_FALSE(signed_in());
  const auto link = console_->make_link();
  EXPECT_THAT(link->url, StartsWith("http://127.0.0.1:8081/console/#link="));
  EXPECT_EQ(link->lifetime, Seconds(60));
  const net::Response first = use(link->url);
  EXPECT_EQ(first.status, 200);
  EXPECT_THAT(header_of(first, "Set-Cookie"),
              HasSubstr("; Path=/console; HttpOnly; SameSite=Strict; Max-Age=43200"));
  EXPECT_THAT(header_of(first, "Set-Cookie"), Not(HasSubstr("Secure")));
  const Json answer = parse_json(first.body).value();
  EXPECT_EQ(answer["gateway"]["userPoolId"], "us-east-1_Abc");
  EXPECT_TRUE(signed_in());
  cookie_.clear();
  EXPECT_EQ(use(link->url).status, 403);
  EXPECT_FALSE(signed_in());
}

TEST_F(ConsolePages, KeepTheirCookieToTlsWhereThereIsTls) {
  secure_ = true;
  const net::Response answer = use(console_->make_link()->url);
  EXPECT_THAT(header_of(answer, "Set-Cookie"), StartsWith("__Host-holdfast_console_"));
  EXPECT_THAT(header_of(answer, "Set-Cookie"), HasSubstr("; Path=/;"));
  EXPECT_THAT(header_of(answer, "Set-Cookie"), HasSubstr("; Secure"));
  EXPECT_TRUE(signed_in());
  secure_ = false;  // the cookie's name is another there
  EXPECT_FALSE(signed_in());
}

TEST_F(ConsolePages, HandOnToTheControlSocketForWhoIsSignedInAlone) {
  EXPECT_EQ(call("GET", "/console/api/v1/status").status, 401);
  EXPECT_EQ(call("DELETE", "/console/api/v1/users/ann").status, 401);
  EXPECT_EQ(local_->asked, 0);
  sign_in();
  EXPECT_EQ(call("PATCH", "/console/api/v1/users/a%2Fb?x=%20", "{}").body,
            "PATCH /v1/users/a%2Fb?x=%20 {}");
  EXPECT_EQ(admitted_bytes_, 77U);
  EXPECT_EQ(call("GET", "/console/api/v1/users/nothing").status, 404);
  EXPECT_EQ(call("GET", "/console/api/v2/status").status, 404);
  EXPECT_EQ(local_->asked, 1);
}

TEST_F(ConsolePages, CannotCreateLinksOrRotateKeys) {
  sign_in();
  EXPECT_EQ(call("POST", "/console/api/v1/keys/rotate").status, 404);
  EXPECT_EQ(call("POST", "/console/api/v1/backup").status, 404);
  EXPECT_EQ(call("GET", "/console/api/v1/users-of-another").status, 404);
  EXPECT_EQ(call("GET", "/console/api/v1//status").status, 404);
  EXPECT_EQ(call("POST", "/console/api/v1/console-links").status, 404);
  EXPECT_EQ(call("POST", "/console/api/v1/sessions", "{}").status, 404);
  EXPECT_EQ(local_->asked, 0);
}

TEST_F(ConsolePages, TakeNothingFromAnotherSitesPage) {
  sign_in();
  const std::string path = "/console/api/v1/users/ann";
  const Headers own = {{"Cookie", cookie_},
                       {"X-Holdfast-Session", page_secret_},
                       {"X-Holdfast-Console", "person"},
                       {"Origin", "http://127.0.0.1:8081"},
                       {"Sec-Fetch-Site", "same-origin"}};
  EXPECT_EQ(ask("DELETE", path, own).status, 200);
  const auto with = [&own](const char* name, const char* value) {
    Headers out = own;
    std::erase_if(out, [&](const auto& header) { return header.first == name; });
    if (value != nullptr) out.emplace_back(name, value);
    return out;
  };
  EXPECT_EQ(ask("DELETE", path, with("X-Holdfast-Console", nullptr)).status, 403);
  EXPECT_EQ(ask("DELETE", path, with("Origin", nullptr)).status, 403);
  EXPECT_EQ(ask("DELETE", path, with("Origin", "http://evil.example")).status, 403);
  EXPECT_EQ(ask("DELETE", path, with("Origin", "http://127.0.0.1:8080")).status, 403);
  EXPECT_EQ(ask("DELETE", path, with("Sec-Fetch-Site", "cross-site")).status, 403);
  EXPECT_EQ(ask("GET", path, with("Sec-Fetch-Site", "same-site")).status, 403);
  EXPECT_EQ(ask("GET", path, with("X-Holdfast-Console", nullptr)).status, 403);
  EXPECT_EQ(local_->asked, 1);
}

// A browser sends the cookie to every port of the host: with it, and every other header right,
// nobody gets in.
TEST_F(ConsolePages, NeedBothHalvesOfASession) {
  sign_in();
  const std::string half = page_secret_;
  for (const std::string& wrong : {std::string(), std::string("x"), half + "x", cookie_}) {
    page_secret_ = wrong;
    EXPECT_EQ(call("GET", "/console/api/v1/status").status, 401) << wrong;
    EXPECT_EQ(call("DELETE", "/console/api/v1/users/ann").status, 401) << wrong;
    EXPECT_EQ(call("DELETE", "/console/api/session").status, 200);
    EXPECT_FALSE(signed_in());
  }
  page_secret_ = half;
  const std::string cookie = std::exchange(cookie_, std::string());
  EXPECT_EQ(call("GET", "/console/api/v1/status").status, 401);
  cookie_ = cookie;
  EXPECT_EQ(call("GET", "/console/api/v1/status").status, 200);
  EXPECT_EQ(local_->asked, 1);
}

TEST_F(ConsolePages, KeepTheirCookieToTlsBehindAProxyThatHasIt) {
  control::ConsoleOptions options;
  options.public_origin = "https://ops.example.com";
  open(std::move(options));
  const std::string link = console_->make_link()->url;
  const Json entry = {{"link", link.substr(link.find("#link=") + 6)}};
  const net::Response answer = ask("POST", "/console/api/session",
                                   {{"Host", "ops.example.com"},
                                    {"X-Holdfast-Console", "person"},
                                    {"Origin", "https://ops.example.com"}},
                                   entry.dump());
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(header_of(answer, "Set-Cookie"), StartsWith("__Host-holdfast_console_"));
  EXPECT_THAT(header_of(answer, "Set-Cookie"), HasSubstr("; Path=/;"));
  EXPECT_THAT(header_of(answer, "Set-Cookie"), HasSubstr("; Secure"));
}

TEST_F(ConsolePages, RecordWhoComesInAndWhoDoesNot) {
  EXPECT_EQ(use("http://x/#link=wrong").status, 403);
  sign_in();
  ASSERT_EQ(audit_->events.size(), 2U);
  EXPECT_EQ(audit_->events[0].actor, "stranger");
  EXPECT_EQ(audit_->events[0].action, "console.sign_in");
  EXPECT_EQ(audit_->events[0].outcome, AuditOutcome::refused);
  EXPECT_NE(audit_->events[0].reason, "");
  EXPECT_THAT(audit_->events[1].actor, StartsWith("console:"));
  EXPECT_EQ(audit_->events[1].outcome, AuditOutcome::done);
  for (const AuditEvent& event : audit_->events) {
    EXPECT_THAT(event.actor + event.target + event.reason, Not(HasSubstr(page_secret_)));
  }
  EXPECT_EQ(call("DELETE", "/console/api/v1/users/ann").status, 200);
  EXPECT_EQ(local_->actor, audit_->events[1].actor);
}

TEST_F(ConsolePages, EndTheSessionOnSignOut) {
  sign_in();
  const std::string before = cookie_;
  const net::Response answer = call("DELETE", "/console/api/session");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(header_of(answer, "Set-Cookie"), HasSubstr("=; Path=/console;"));
  EXPECT_THAT(header_of(answer, "Set-Cookie"), HasSubstr("Max-Age=0"));
  cookie_ = before;
  EXPECT_FALSE(signed_in());
}

TEST_F(ConsolePages, EndTheSessionThatOnlyAsksByItself) {
  sign_in();
  clock_.advance(Seconds(20 * 60));
  EXPECT_EQ(call("GET", "/console/api/v1/status", {}, "background").status, 200);
  clock_.advance(Seconds(10 * 60));
  EXPECT_EQ(call("GET", "/console/api/v1/status", {}, "background").status, 401);
}

TEST_F(ConsolePages, TakeNoPasswordWhereNoneIsConfigured) {
  EXPECT_EQ(try_password("correct horse").status, 403);
  EXPECT_EQ(hasher_->verified, 0U);
  EXPECT_FALSE(
      parse_json(call("GET", "/console/api/session").body).value()["passwordAllowed"].get<bool>());
}

TEST_F(ConsolePages, TakeTheConfiguredPassword) {
  control::ConsoleOptions options;
  options.password_hash = FakePasswordHasher::encoded("correct horse");
  open(std::move(options));
  EXPECT_EQ(try_password("wrong").status, 403);
  EXPECT_EQ(cookie_, "");
  EXPECT_EQ(try_password("correct horse").status, 200);
  EXPECT_TRUE(signed_in());
}

TEST_F(ConsolePages, TryFewWrongPasswords) {
  control::ConsoleOptions options;
  options.password_hash = FakePasswordHasher::encoded("correct horse");
  open(std::move(options));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(try_password("wrong").status, 403);
  const net::Response locked = try_password("correct horse");
  EXPECT_EQ(locked.status, 429);
  EXPECT_NE(header_of(locked, "Retry-After"), "");
  EXPECT_EQ(hasher_->verified, 5U);
  sign_in();  // a link lets in all the while
  clock_.advance(Seconds(1000));
  EXPECT_EQ(try_password("correct horse").status, 200);
}

TEST_F(ConsolePages, SayThatThePasswordCannotBeCheckedNow) {
  control::ConsoleOptions options;
  options.password_hash = FakePasswordHasher::encoded("correct horse");
  open(std::move(options));
  hasher_->full = true;
  for (int i = 0; i < 8; ++i) EXPECT_EQ(try_password("correct horse").status, 429);
  hasher_->full = false;
  EXPECT_EQ(try_password("correct horse").status, 200);
}

TEST_F(ConsolePages, RefuseABadSignInBody) {
  for (const char* const body :
       {"", "[]", "{}", "{\"link\":1}", "{\"link\":\"\"}", "{\"link\":\"a\",\"password\":\"b\"}",
        "{\"token\":\"a\"}", "{\"link\":\"a\",\"link\":\"a\"}", R"({"link":null,"password":null})",
        R"({"link":"a","token":null})"}) {
    EXPECT_EQ(call("POST", "/console/api/session", body).status, 400) << body;
  }
  EXPECT_EQ(call("POST", "/console/api/session", R"({"link":"a","password":null})").status, 403);
  const std::string long_link(1025, 'a');
  EXPECT_EQ(call("POST", "/console/api/session", "{\"link\":\"" + long_link + "\"}").status, 400);
  EXPECT_EQ(call("PUT", "/console/api/session").status, 405);
}

TEST_F(ConsolePages, HaveNoLinkWhereNoBrowserCanReachThem) {
  control::Console console(
      {}, {.clock = clock_, .router = router_, .hasher = hasher_, .attempts = attempts_});
  const auto link = console.make_link();
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, Errc::conflict);
}

}  // namespace
}  // namespace holdfast::test
