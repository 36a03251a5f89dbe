// Serves the web console, its sessions and its API.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/control/console.hpp>

#include "console_files.hpp"
#include "console_guard.hpp"
#include "console_sessions.hpp"
#include "wire.hpp"

namespace holdfast::control {
namespace {

using net::HttpService;
using Screened = std::variant<net::Response, net::BodyLimit>;

constexpr std::string_view kRoot = "/console/";
constexpr std::string_view kApi = "/console/api/";
constexpr std::string_view kSessionPath = "/console/api/session";
constexpr std::string_view kControlPaths = "/console/api/v1/";
// The routes of the control socket that the pages may use, by the element after `v1`. A signed-in
// operator cannot let others in, and cannot rotate the gateway's keys.
constexpr std::string_view kHandedOn[] = {"status",      "messages",     "pending", "executions",
                                          "connections", "dead-letters", "users",   "sign-out",
                                          "access-keys", "audit"};
constexpr std::string_view kHeader = "X-Holdfast-Console";
constexpr std::string_view kPageSecretHeader = "X-Holdfast-Session";
constexpr std::size_t kSessionBodyBytes = 4 << 10;
constexpr std::size_t kPasswordBytesMax = 1024;
constexpr Seconds kRetryAfter{5};

net::Response method_not_allowed(std::string_view allow) {
  net::Response out = json_error(405, Error(Errc::invalid_argument, "the path has other methods"));
  out.headers.emplace_back("Allow", allow);
  return out;
}

net::Response not_signed_in() {
  return json_error(401, Error(Errc::unauthenticated, "sign in first"));
}

/// The proof that a browser signs in with: one of the two.
struct Entry {
  std::optional<std::string> link;
  std::optional<std::string> password;
};

Result<Entry> read_entry(std::string_view body) {
  auto input = parse_json(body);
  if (!input) return std::unexpected(std::move(input.error()));
  if (!input->is_object()) return refuse("must have one member", "body");
  for (const char* const name : {"link", "password"}) {
    if (input->contains(name) && (*input)[name].is_null()) input->erase(name);
  }
  if (input->size() != 1) return refuse("must have one member", "body");
  auto& [name, value] = *input->get_ref<Json::object_t&>().begin();
  if (!value.is_string()) return refuse("must be a string", name);
  auto& text = value.get_ref<std::string&>();
  if (text.empty() || text.size() > kPasswordBytesMax) return refuse("has a wrong length", name);
  if (name == "link") return Entry{.link = std::move(text), .password = {}};
  if (name == "password") return Entry{.link = {}, .password = std::move(text)};
  return refuse("unknown member", name);
}

}  // namespace

class Console::Impl : public std::enable_shared_from_this<Console::Impl> {
 public:
  Impl(ConsoleOptions options, ConsoleParts parts)
      : options_(std::move(options)),
        parts_(std::move(parts)),
        sessions_(parts_.clock, {.link_lifetime = options_.link_lifetime,
                                 .idle = options_.session_idle,
                                 .lifetime = options_.session_lifetime}),
        policy_(content_security_policy(options_.gateway_urls)),
        // Browsers share cookies between the ports of a host, where another gateway may be.
        cookie_name_("holdfast_console_" +
                     hex_encode(view(sha256(options_.user_pool_id))).substr(0, 8)) {}

  Result<Link> make_link() {
    if (options_.link_url.empty()) {
      return fail(Errc::conflict, "the control listener is a Unix socket that no browser can open");
    }
    return Link{.url = options_.link_url + std::string(kRoot) + "#link=" + sessions_.make_link(),
                .lifetime = options_.link_lifetime};
  }

  std::vector<ControlRoute> routes(const std::shared_ptr<HttpService>& local) {
    const auto handle = [self = shared_from_this(), local](net::Request request,
                                                           net::Responder respond) {
      self->handle(*local, std::move(request), std::move(respond));
    };
    const auto screen = [self = shared_from_this(), local](const net::RequestHead& head) {
      return self->screen_guarded(*local, head);
    };
    return {{.path = "/console", .screen = screen, .handle = handle},
            {.path = std::string(kRoot), .screen = screen, .handle = handle}};
  }

 private:
  Screened screen_guarded(HttpService& local, const net::RequestHead& head) {
    Screened out = screen(local, head);
    if (auto* refused = std::get_if<net::Response>(&out)) add_security_headers(*refused, policy_);
    return out;
  }

  Screened screen(HttpService& local, const net::RequestHead& head) {
    if (!is_own_host(options_, head)) {
      return json_error(
          Error(Errc::forbidden, "the console is not served under this name", "Host"));
    }
    const std::string_view path = head.path();
    if (!path.starts_with(kApi)) {
      if (head.method != "GET") return method_not_allowed("GET, HEAD");
      return net::BodyLimit{.bytes = kSessionBodyBytes};
    }
    if (head.header(kHeader) == nullptr || !is_own_page(options_, head)) {
      return json_error(Error(Errc::forbidden, "not asked by the console's own page", "Origin"));
    }
    if (path == kSessionPath) {
      if (head.method == "GET" || head.method == "POST" || head.method == "DELETE") {
        return net::BodyLimit{.bytes = kSessionBodyBytes};
      }
      return method_not_allowed("GET, HEAD, POST, DELETE");
    }
    if (!session_left(head)) return not_signed_in();
    if (!is_control_path(path)) return json_error(Error(Errc::not_found, "no such path"));
    return local.screen(control_head(head));
  }

  void handle(HttpService& local, net::Request request, net::Responder respond) {
    net::Responder guarded =
        std::move(respond).with([self = shared_from_this()](net::Response& response) {
          add_security_headers(response, self->policy_);
        });
    const std::string_view path = request.head.path();
    if (!path.starts_with(kApi)) return guarded(file_answer(request.head));
    if (path == kSessionPath) return handle_session(std::move(request), std::move(guarded));
    // It may have ended while the body came.
    if (!session_left(request.head)) return guarded(not_signed_in());
    hand_over(local, std::move(request), std::move(guarded));
  }

  // ---- pages

  net::Response file_answer(const net::RequestHead& head) const {
    const std::string_view path = head.path();
    net::Response out;
    if (!path.starts_with(kRoot)) {
      out.status = 308;
      out.headers.emplace_back("Location", kRoot);
      return out;
    }
    std::string_view name = path.substr(kRoot.size());
    if (name.empty()) name = "index.html";
    const auto files = console_files();
    const auto file = std::ranges::find(files, name, &ConsoleFile::name);
    if (file == files.end()) return json_error(Error(Errc::not_found, "no such page"));
    const std::string tag = "\"" + std::string(file->hash) + "\"";
    // Asked for each time and mostly not sent: an upgrade of the program is seen at once.
    out.headers = {{"Cache-Control", "no-cache"}, {"ETag", tag}};
    const std::string* const known = head.header("If-None-Match");
    if (known != nullptr && known->contains(tag)) {
      out.status = 304;
      return out;
    }
    out.headers.emplace_back("Content-Type", file->type);
    out.body = file->text;
    return out;
  }

  // ---- sessions

  /// Returns whether the browser used https, to this listener or to a proxy in front of it.
  bool by_https(const net::RequestHead& head) const {
    return head.secure ||
           (options_.public_origin.starts_with("https://") && names_public_host(options_, head));
  }
  // `__Host-`: no other host, path or plain connection can set it (RFC 6265bis section 4.1.3.2).
  std::string cookie_name(const net::RequestHead& head) const {
    return by_https(head) ? "__Host-" + cookie_name_ : cookie_name_;
  }
  std::string cookie(const net::RequestHead& head, std::string_view secret, Seconds age) const {
    const bool https = by_https(head);
    std::string out = cookie_name(head) + "=";
    out.append(secret).append(https ? "; Path=/" : "; Path=/console");
    out += "; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(age.count());
    if (https) out += "; Secure";
    return out;
  }

  // A browser sends a cookie to every port of the host, and so to others' programs: the page's own
  // half of the session never leaves its origin.
  std::optional<ConsoleSessions::Found> session_of(const net::RequestHead& head) {
    const std::string* const kind = head.header(kHeader);
    const bool active = kind == nullptr || *kind != "background";
    const std::string* const half = head.header(kPageSecretHeader);
    if (half == nullptr) return std::nullopt;
    const std::string name = cookie_name(head);
    for (const std::string_view secret : cookies(head, name)) {
      if (auto found = sessions_.find(secret, *half, active)) return found;
    }
    return std::nullopt;
  }
  std::optional<Seconds> session_left(const net::RequestHead& head) {
    const auto found = session_of(head);
    return found ? std::optional(found->left) : std::nullopt;
  }
  std::string session_name(const net::RequestHead& head) {
    const auto found = session_of(head);
    return found ? found->name : std::string();
  }

  Json session_json(std::optional<Seconds> left) const {
    Json out = {{"signedIn", left.has_value()},
                {"passwordAllowed", !options_.password_hash.empty()}};
    if (!left) return out;
    out["expiresInSeconds"] = left->count();
    out["gateway"] = {{"urls", options_.gateway_urls},
                      {"userPoolId", options_.user_pool_id},
                      {"clientId", options_.client_id}};
    return out;
  }

  void handle_session(net::Request request, net::Responder respond) {
    if (request.head.method == "GET") {
      return respond(json_answer(session_json(session_left(request.head))));
    }
    if (request.head.method == "DELETE") {
      const std::string name = cookie_name(request.head);
      if (session_left(request.head)) {
        for (const std::string_view secret : cookies(request.head, name)) sessions_.close(secret);
      }
      net::Response out = json_answer(Json::object());
      out.headers.emplace_back("Set-Cookie", cookie(request.head, "", Seconds(0)));
      return respond(std::move(out));
    }
    auto entry = read_entry(request.body);
    wipe(request.body);
    if (!entry) return respond(json_error(entry.error()));
    if (entry->password) {
      return try_password(std::move(request.head), std::move(*entry->password), std::move(respond));
    }
    if (sessions_.use_link(*entry->link)) return let_in(request.head, "link", respond);
    turn_away(request.head, "link",
              Error(Errc::forbidden, "the link has been used or has expired", "link"), respond);
  }

  void let_in(const net::RequestHead& head, const char* by, net::Responder& respond) {
    const ConsoleSessions::Opened opened = sessions_.open();
    audit(head, "console:" + opened.name, by, {});
    Json body = session_json(options_.session_lifetime);
    body["session"] = opened.page_secret;
    net::Response out = json_answer(body);
    out.headers.emplace_back("Set-Cookie",
                             cookie(head, opened.cookie_secret, options_.session_lifetime));
    respond(std::move(out));
  }

  void turn_away(const net::RequestHead& head, const char* by, const Error& error,
                 net::Responder& respond) const {
    audit(head, "stranger", by, error.message);
    net::Response out = json_error(error);
    if (out.status == 429) {
      out.headers.emplace_back("Retry-After", std::to_string(kRetryAfter.count()));
    }
    respond(std::move(out));
  }

  void try_password(net::RequestHead head, std::string password, net::Responder respond) {
    if (options_.password_hash.empty()) {
      return turn_away(head, "password",
                       Error(Errc::forbidden, "no password is configured", "password"), respond);
    }
    bool locks = false;
    if (lockout().begin(options_.password_hash, locks) != identity::Lockout::Attempt::allowed) {
      wipe(password);
      return turn_away(head, "password",
                       Error(Errc::too_many_requests,
                             "too many wrong passwords: wait, or use a link", "password"),
                       respond);
    }
    Executor& executor = *parts_.router.shard(head.shard).executor;
    parts_.hasher->verify(
        std::move(password), options_.password_hash, {.source = identity::Source::of_operator()},
        executor,
        [self = shared_from_this(), head = std::move(head), locks,
         respond = std::move(respond)](const Result<bool>& right) mutable {
          if (!right) {
            self->lockout().withdrawn(self->options_.password_hash);
            return self->turn_away(head, "password", right.error(), respond);
          }
          if (!*right) {
            self->turn_away(head, "password",
                            Error(Errc::forbidden, "the password is wrong", "password"), respond);
            if (locks) self->tell_lockout(head);
            return;
          }
          self->lockout().succeeded(self->options_.password_hash);
          self->let_in(head, "password", respond);
        });
  }

  // Counts wrong passwords from everywhere together; links still work during a lock. The count's
  // name is the password's hash, so that a new password starts a new count.
  [[nodiscard]] identity::Lockout& lockout() const { return parts_.attempts->console; }

  // ---- the control socket's routes

  static bool is_control_path(std::string_view path) {
    if (!path.starts_with(kControlPaths)) return false;
    const std::string_view rest = path.substr(kControlPaths.size());
    const std::string_view first = rest.substr(0, rest.find('/'));
    return std::ranges::find(kHandedOn, first) != std::end(kHandedOn);
  }
  static net::RequestHead control_head(net::RequestHead head) {
    head.target.erase(0, kApi.size() - 1);
    return head;
  }

  void hand_over(HttpService& local, net::Request request, net::Responder respond) {
    request.head.actor = "console:" + session_name(request.head);
    request.head = control_head(std::move(request.head));
    local.handle(std::move(request), std::move(respond));
  }

  void tell_lockout(const net::RequestHead& head) const {
    if (parts_.audit == nullptr) return;
    AuditEvent event;
    event.actor = "stranger";
    event.action = "lockout";
    event.target = "console";
    event.outcome = AuditOutcome::refused;
    event.reason = "too many wrong passwords";
    event.address = head.remote_address;
    parts_.audit->record(std::move(event));
  }
  void audit(const net::RequestHead& head, std::string actor, const char* by,
             const std::string& reason) const {
    if (parts_.audit == nullptr) return;
    AuditEvent event;
    event.actor = std::move(actor);
    event.action = "console.sign_in";
    event.target = std::string("by:") + by;
    event.outcome = reason.empty() ? AuditOutcome::done : AuditOutcome::refused;
    event.reason = reason;
    event.address = head.remote_address;
    parts_.audit->record(std::move(event));
  }

  const ConsoleOptions options_;
  const ConsoleParts parts_;
  ConsoleSessions sessions_;
  const std::string policy_;
  const std::string cookie_name_;
};

Console::Console(ConsoleOptions options, ConsoleParts parts)
    : impl_(std::make_shared<Impl>(std::move(options), std::move(parts))) {}

Result<Console::Link> Console::make_link() { return impl_->make_link(); }

std::vector<ControlRoute> Console::routes(std::shared_ptr<HttpService> local) {
  return impl_->routes(local);
}

}  // namespace holdfast::control
