// Serves the administration routes on the control socket.

#include <algorithm>
#include <optional>

#include <holdfast/base/encoding.hpp>

#include "routes.hpp"

namespace holdfast::control {
namespace {

constexpr std::size_t kBodyBytes = 256 << 10;

struct LocalRoute {
  std::string_view method;
  std::string_view path;  ///< one that ends in `/` takes an id behind it
  void (*run)(Call call);
  std::string_view action{};  ///< of a change, as the audit log names it
  std::string_view kind{};    ///< the kind of object that the path's id names
};
constexpr LocalRoute kRoutes[] = {
    {"GET", "/v1/status", show_status},
    {"GET", "/v1/pending", list_pending},
    {"GET", "/v1/pending/", show_pending},
    {"DELETE", "/v1/pending/", delete_pending, "pending.delete", "user"},
    {"GET", "/v1/executions", list_executions},
    {"GET", "/v1/executions/", show_execution},
    {"GET", "/v1/connections", list_connections},
    {"GET", "/v1/connections/", show_connection},
    {"DELETE", "/v1/connections/", close_connection, "connection.close", "connection"},
    {"GET", "/v1/dead-letters", list_dead_letters},
    {"POST", "/v1/dead-letters/redrive", redrive_dead_letters, "dead_letters.redrive"},
    {"POST", "/v1/dead-letters/delete", delete_dead_letters, "dead_letters.delete"},
    {"GET", "/v1/users", list_users},
    {"POST", "/v1/users", create_user, "user.create"},
    {"GET", "/v1/users/", show_user},
    {"PATCH", "/v1/users/", change_user, "user.change", "user"},
    {"DELETE", "/v1/users/", delete_user, "user.delete", "user"},
    {"POST", "/v1/sign-out/", sign_user_out, "user.sign_out", "user"},
    {"GET", "/v1/access-keys", list_access_keys},
    {"GET", "/v1/access-keys/", show_access_key},
    {"POST", "/v1/access-keys", create_access_key, "access_key.create"},
    {"PATCH", "/v1/access-keys/", change_access_key, "access_key.change", "access_key"},
    {"DELETE", "/v1/access-keys/", delete_access_key, "access_key.delete", "access_key"},
    {"POST", "/v1/sessions", create_session, "access_key.session"},
    {"POST", "/v1/keys/rotate", rotate_keys, "keys.rotate"},
    {"POST", "/v1/backup", begin_backup, "backup.begin"},
    {"GET", "/v1/backup", show_backup},
    {"DELETE", "/v1/backup", cancel_backup, "backup.cancel"},
    {"POST", "/v1/messages", send_message, "message.send"},
    {"POST", "/v1/console-links", create_console_link, "console.link"},
    {"GET", "/v1/audit", list_audit},
};

bool matches(const LocalRoute& route, std::string_view path) {
  if (!route.path.ends_with('/')) return path == route.path;
  return path.size() > route.path.size() && path.starts_with(route.path) &&
         !path.substr(route.path.size()).contains('/');
}

const LocalRoute* find_route(const net::RequestHead& head) {
  const auto* const found = std::ranges::find_if(kRoutes, [&](const LocalRoute& route) {
    return route.method == head.method && matches(route, head.path());
  });
  return found == std::end(kRoutes) ? nullptr : found;
}

// 404, or 405 with the methods that the path has.
net::Response no_route(std::string_view path) {
  std::string allow;
  for (const LocalRoute& route : kRoutes) {
    if (!matches(route, path)) continue;
    if (!allow.empty()) allow += ", ";
    allow += route.method;
  }
  if (allow.empty()) return json_error(Error(Errc::not_found, "no such path"));
  net::Response out =
      json_error(405, Error(Errc::invalid_argument, "the path has other methods: " + allow));
  out.headers.emplace_back("Allow", std::move(allow));
  return out;
}

class LocalControlService final : public net::HttpService {
 public:
  explicit LocalControlService(LocalControlParts parts) : parts_(std::move(parts)) {}

  std::variant<net::Response, net::BodyLimit> screen(const net::RequestHead& head) override {
    if (find_route(head) == nullptr) return no_route(head.path());
    return net::BodyLimit{.bytes = kBodyBytes};
  }

  void handle(net::Request request, net::Responder respond) override {
    const LocalRoute* const route = find_route(request.head);
    if (route == nullptr) return respond(no_route(request.head.path()));
    auto query = parse_query(request.head.query());
    if (!query) return respond(json_error(query.error()));
    std::optional<std::string> id = std::string();
    if (route->path.ends_with('/')) {
      id = percent_decode(request.head.path().substr(route->path.size()));
    }
    if (!id || !is_utf8(*id)) {
      return respond(json_error(Error(Errc::invalid_argument, "broken percent-encoding", "path")));
    }
    auto audit = audited(*route, request.head, *id, respond);
    route->run(Call{.parts = parts_,
                    .shard = request.head.shard,
                    .query = std::move(*query),
                    .id = std::move(*id),
                    .body = std::move(request.body),
                    .respond = std::move(respond),
                    .audit = std::move(audit)});
  }

  net::Response error(int status, std::string_view message) const override {
    const Errc code = status == 413   ? Errc::limit_exceeded
                      : status == 503 ? Errc::unavailable
                                      : Errc::invalid_argument;
    return json_error(status, Error(code, std::string(message)));
  }

 private:
  /// The event of a change, which is recorded with its answer; null for reads.
  std::shared_ptr<AuditEvent> audited(const LocalRoute& route, const net::RequestHead& head,
                                      const std::string& id, net::Responder& respond) const {
    if (route.action.empty() || parts_.audit == nullptr) return nullptr;
    auto event = std::make_shared<AuditEvent>();
    event->actor = head.actor.empty() ? "system" : head.actor;
    event->action = route.action;
    if (!route.kind.empty()) event->target = std::string(route.kind) + ":" + id;
    if (head.remote_address != "unix") event->address = head.remote_address;
    respond = std::move(respond).with([audit = parts_.audit, event](net::Response& response) {
      if (response.status >= 400) {
        event->outcome = response.status >= 500 ? AuditOutcome::failed : AuditOutcome::refused;
        event->reason = response.refused;
      }
      audit->record(std::move(*event));
    });
    return event;
  }

  const LocalControlParts parts_;
};

}  // namespace

std::shared_ptr<net::HttpService> make_local_control_service(LocalControlParts parts) {
  return std::make_shared<LocalControlService>(std::move(parts));
}

}  // namespace holdfast::control
