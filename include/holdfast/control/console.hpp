#pragma once

#include <memory>
#include <string>
#include <vector>

#include <holdfast/base/audit.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/control/service.hpp>
#include <holdfast/delivery/router.hpp>
#include <holdfast/identity/attempts.hpp>
#include <holdfast/identity/password_hasher.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::control {

struct ConsoleOptions {
  /// Under which names and addresses browsers may ask for it, without a port. Others are refused,
  /// so that no foreign name that is made to lead here (DNS rebinding) makes a page of its own of
  /// it.
  std::vector<std::string> hosts = {"localhost", "127.0.0.1", "[::1]"};
  /// A listener is bound to every interface, so any IP address is accepted as the host.
  bool any_address = false;
  /// The origin under which a proxy shows it, `https://ops.example.com`; empty: none.
  std::string public_origin;
  /// The gateway's URLs for the page that tries it; the first one is preselected.
  std::vector<std::string> gateway_urls;
  std::string user_pool_id;
  std::string client_id;
  /// The start of one-time links, `http://127.0.0.1:8081`; empty: no links can be made.
  std::string link_url;
  std::string password_hash;  ///< Argon2id in the PHC form; empty: only links let in

  Seconds link_lifetime{60};
  Seconds session_idle{30 * 60};
  Seconds session_lifetime{12 * 3600};
};

/// References outlive the console.
struct ConsoleParts {
  const Clock& clock;
  const delivery::Router& router;  ///< for the executors of the shards
  std::shared_ptr<identity::PasswordHasher> hasher;
  std::shared_ptr<identity::AttemptCounts> attempts;
  std::shared_ptr<Audit> audit{};  ///< records sign-ins; null to record nothing
};

/// The web console: its pages, its sessions, and the way in. Any thread.
///
/// `GET /console/api/session` → 200 `{"signedIn","passwordAllowed"}`, and with a session also
///   `"expiresInSeconds"` and `"gateway":{"urls":[…],"userPoolId","clientId"}`.
/// `POST /console/api/session` with `{"link"}` or `{"password"}` → 200 with the same members, a
///   cookie and `"session"`, the page's half of the session; or 403; or 429 with `Retry-After`
///   after too many wrong passwords.
/// `DELETE /console/api/session` → 200 `{}`: signs out.
/// `/console/api/v1/…`: the control socket's; 401 without a session.
///
/// Everything below `/console/api/` needs the header `X-Holdfast-Console` (`background` for
/// requests without user input, which do not keep a session alive), and, except for GET, the
/// console's `Origin`. Routes behind the session need the cookie and, in the header
/// `X-Holdfast-Session`, the page's half, because browsers send a cookie to every port of a host.
/// Sessions and links are in memory, as hashes, and end with the process.
class Console {
 public:
  Console(ConsoleOptions options, ConsoleParts parts);

  struct Link {
    std::string url;
    Seconds lifetime;
  };
  /// A URL that lets one browser in, once. `conflict` where no browser can reach it.
  [[nodiscard]] Result<Link> make_link();
  /// Returns the routes below `/console/` for the control listener. `local` is the service of the
  /// control socket; with a session, the pages reach the routes that they need under
  /// `/console/api/v1/…`. The routes outlive the console.
  [[nodiscard]] std::vector<ControlRoute> routes(std::shared_ptr<net::HttpService> local);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace holdfast::control
