#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <holdfast/base/audit.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/base/metrics.hpp>
#include <holdfast/base/sender_quota.hpp>
#include <holdfast/delivery/message_store.hpp>
#include <holdfast/delivery/router.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/net/http.hpp>
#include <holdfast/net/server.hpp>

namespace holdfast::identity {
class UserPool;
}

namespace holdfast::control {

/// The process's state, as `/readyz` and `status` report it.
enum class State : std::uint8_t {
  starting,
  ready,
  draining,      ///< a shutdown has begun
  store_failed,  ///< the last commit failed
  store_hangs,   ///< the store has not answered for some seconds
};
inline constexpr std::array kStates = {State::starting, State::ready, State::draining,
                                       State::store_failed, State::store_hangs};
/// `starting`, `ready`, `draining`, `store_failed`, `store_hangs`.
[[nodiscard]] const char* to_string(State state) noexcept;

/// Returns the process's state. Called on any shard, at any time.
using StateProbe = std::function<State()>;
/// Returns warnings about a process that still works: `disk_low`, … Called on any shard, at
/// any time.
using NotesProbe = std::function<std::vector<std::string>()>;

/// One more path of the control listener.
struct ControlRoute {
  std::string path;  ///< one that ends in `/` takes all that begins with it
  /// Decides about a request before its body is read, as `net::HttpService::screen`. Null: only
  /// `GET`, and bodies are ignored.
  std::function<std::variant<net::Response, net::BodyLimit>(const net::RequestHead&)> screen{};
  /// On the shard that serves the request.
  std::function<void(net::Request, net::Responder)> handle;
  /// Returns whether the route is served under the request's host; otherwise 403. Null: under any.
  std::function<bool(const net::RequestHead&)> serves_host{};
};

/// Accepts requests whose host is one of `hosts`, an IP address, or missing, with any port. A page
/// of another host can only make browsers use a name of its own, which may point here (DNS
/// rebinding).
[[nodiscard]] std::function<bool(const net::RequestHead&)> make_host_check(
    std::vector<std::string> hosts);

/// The control listener's service: `GET /livez` is 200 `ok` while the process answers at all;
/// `GET /readyz` is 200 `ready`, or 503 with the state's name, and the notes behind it (`ready,
/// disk_low`). Both are `text/plain`, and answer HTTP/1.0 without a host, as load balancers ask.
/// Other paths are those of its routes, or 404; 503 `starting` while the process starts, as they
/// may be there soon. `HEAD` is answered as `GET` everywhere; routes see a `GET`.
class ControlService : public net::HttpService {
 public:
  /// Adds routes that cannot be there from the start, as they need the store. Once, on any thread,
  /// also while it serves.
  virtual void add(std::vector<ControlRoute> routes) = 0;
};
[[nodiscard]] std::shared_ptr<ControlService> make_control_service(
    StateProbe state, std::vector<ControlRoute> routes = {}, NotesProbe notes = {});

/// One listener's numbers.
struct ListenerStatus {
  std::string part;     ///< `gateway`, `control`, `local`
  std::string address;  ///< with the bound port
  net::ServerStats stats;
};

/// The status of the process as a whole. Read on any shard after the start.
struct ProcessStatus {
  std::string version;
  WallTime started_at;
  std::vector<ListenerStatus> listeners;
  std::uint64_t disk_bytes = 0;       ///< of the file system of the data directory
  std::uint64_t disk_free_bytes = 0;  ///< of those, for who may not use the reserve
};

/// The progress of a backup, as the control socket reports it.
struct BackupProgress {
  const char* stage = "";  ///< `copying`, `checking`, `done`, `failed`
  std::string path;        ///< of the copy, in the data directory
  std::int64_t bytes_done = 0;
  std::int64_t bytes_total = 0;
  std::optional<Error> error;  ///< of `failed`
};

/// Makes backups, as the composition root has them. Any thread.
class BackupMaker {
 public:
  virtual ~BackupMaker() = default;
  /// `conflict` while one is being made.
  [[nodiscard]] virtual Result<void> begin() = 0;
  /// Of the last one; nullopt when there was none.
  [[nodiscard]] virtual std::optional<BackupProgress> progress() const = 0;
  /// Ends one that is being made.
  virtual void cancel() = 0;
};

/// The sources of `/metrics`. They are called only after the start of the process, which is later
/// than the listener's.
struct MetricsParts {
  /// Reads the metrics of all modules. On the shard that answers.
  std::function<void(MetricCollector&)> collect;
  std::function<ProcessStatus()> process;
};

/// `GET /metrics` in Prometheus's text format, version 0.0.4; 503 while the process starts. Every
/// metric, and every value of its labels, is there from the start.
[[nodiscard]] ControlRoute make_metrics_route(StateProbe state, MetricsParts parts);

class Console;

/// The parts that the control socket works on. References outlive the service.
struct LocalControlParts {
  const Clock& clock;
  const delivery::Router& router;
  std::vector<delivery::MessageStore*> messages;  ///< by shard: the handle of that shard
  std::shared_ptr<iam::AccessKeys> access_keys;
  std::shared_ptr<identity::KeyRing> key_ring;
  std::shared_ptr<identity::TokenSigner> signer;
  /// The executor of the store handle that `access_keys`, `key_ring` and `signer` were opened with:
  /// their changes are made there.
  Executor& keys_executor;
  StateProbe state;
  std::function<ProcessStatus()> process;
  std::vector<identity::UserPool*> user_pools;  ///< by shard
  std::string user_pool_id;
  BackupMaker* backups = nullptr;  ///< null: backups are not available
  /// Asked for each message: it is live.
  std::function<std::size_t()> message_bytes_max = [] { return std::size_t{128} << 10; };
  /// Whose account the messages of `POST /v1/messages` are.
  SenderQuotaPtr operator_caller = std::make_shared<SenderQuota>("operator");
  std::shared_ptr<Console> console{};        ///< null: switched off
  std::shared_ptr<Audit> audit{};            ///< records changes; null to record nothing
  std::vector<AuditStore*> audit_records{};  ///< the records to list, by shard
  /// Returns the keyed hash that stands for a username in the audit log.
  std::function<std::string(std::string_view)> audit_name{};
  /// Reads the metrics of all modules, for the store's numbers in the status. Any shard.
  std::function<void(MetricCollector&)> collect = [](MetricCollector&) {};
};

/// The service of `control.sock`: HTTP/1.1 with JSON bodies, for the commands of the daemon's own
/// user; the socket's file mode is the access control.
///
/// Every answer is an object with `Content-Type: application/json`. Times are RFC 3339 in UTC with
/// milliseconds (`2026-01-22T10:00:00.000Z`); sequence numbers, counts and bytes are integers.
/// Lists are bounded by `limit` (1 to 1000, default 100). Path elements and query values are
/// percent-encoded. An unknown member of a body is 400.
///
/// `GET /v1/status` → 200
///   `{"version","state","startedAt","now","uptimeSeconds","shards","droppedLogLines",`
///   `"delivery":{"accepted","delivered","stored","elided","rejected","deduplicated","expired",`
///   `"deleted","buried","flushed","timeouts","foreignTexts","mailboxes","connections",`
///   `"pendingMessages","pendingBytes",`
///   `"acknowledgement":{"count","sumSeconds","buckets":[{"le","count"}]}},`
///   `"store":{"queued","transactions","operations","failedTransactions","databaseBytes",`
///   `"walBytes","writable"},`
///   `"listeners":[{"part","address","openSockets","openWebsockets","requests",`
///   `"refusedConnections"}]}`; `delivery` is the sum over the shards,
///   `acknowledgement` the time from acceptance to acknowledgement of messages that were sent as
///   they came: `count` of those within `le` seconds, so cumulative; the last `le` is null.
///
/// `POST /v1/messages` with `{"userId","message","deduplicationId","ttlSeconds"}`, the last two
///   optional → 200 `{"messageId","sequence","status":"DELIVERED"|"STORED"}`, as `POST /message` of
///   the gateway, sent by the operator. A body has at most 256 KiB.
///
/// `GET /v1/pending?after=USER_ID&limit=N` → 200
/// `{"users":[{"userId","messages","bytes"}],"next"}`,
///   users by id; `next` is the `after` of the next page, or null.
///
/// `GET /v1/pending/{userId}?after=SEQUENCE&limit=N` → 200
///   `{"userId","messages":[{"messageId","sequence","bytes","acceptedAt","expiresAt"}],`
///   `"totals":{"messages","bytes"},"next"}`, rising by sequence; never the text. `messages` is
///   what is on disk; `totals` counts what is accepted and not acknowledged yet too. A user with
///   nothing pending is 200 with an empty list. `next` as above, an integer.
///
/// `DELETE /v1/pending/{userId}?messageId=ID` or `?all=true` → 200
///   `{"deleted":{"messages","bytes"},"left":{"messages","bytes"}}`: what moved to the dead
///   letters, with the reason `deleted`, and what the user has pending afterwards. What an open
///   connection was sent, or is not committed yet, is under delivery: `all` leaves it, for one it
///   is 409 `conflict`. 404 when no such message is pending. A 503 may come when some have moved.
///
/// `GET /v1/dead-letters?userId=USER_ID&reason=REASON&after=ID&limit=N` → 200
///   `{"deadLetters":[{"messageId","userId","sequence","bytes","reason","acceptedAt","expiresAt",`
///   `"diedAt"}],"next"}`, by id; a page may be short and have a `next`. Never the text.
/// `POST /v1/dead-letters/redrive` with `{"messageIds":[…]}` (at most 100), or `{"userId"}`,
///   `{"reason"}` or both, or `{"all":true}`, these with the `after` of the page before → 200
///   `{"redriven":[{"messageId","userId","sequence","status"}],`
///   `"failed":[{"messageId","code","message"}],"next"}`: a page of at most 100. Each user's are
///   accepted anew one after the other, in the order of their old acceptance; after an
///   `unavailable` or `limit_exceeded` the user's later ones fail alike. One that is damaged fails
///   alone, with `io`. What fails stays a dead letter.
/// `POST /v1/dead-letters/delete`, likewise with at most 1000 → 200
///   `{"deleted":[ID],"failed":[…],"next"}`: gone for good.
///
/// `GET /v1/users?filter=FILTER&after=TOKEN&limit=N` → 200 `{"users":[USER],"next"}`, by name, at
///   most 60; the filter as ListUsers has it (`email ^= "ann"`); a page may be short and have a
///   `next`. USER: `{"username","userId","status","enabled","createdAt","modifiedAt",`
///   `"passwordSetAt","attributes":{…}}`; `passwordSetAt` is null where there is no password.
/// `POST /v1/users` with `{"username","password","permanent","attributes":{…}}` → 201 USER. Without
///   `permanent` the password is a temporary one; without a password nothing lets the user in.
///   409 when the name is taken.
/// `GET /v1/users/{user}` → 200 USER. `{user}` is an id or, where no user has that id, a name.
/// `PATCH /v1/users/{user}` with `{"enabled"}` or `{"password","permanent"}` → 200 `{}`.
/// `DELETE /v1/users/{user}` and `POST /v1/sign-out/{user}` → 200 `{}`. Disabling, deleting and
///   signing out do what the user pool's operations do.
///
/// `GET /v1/executions?userId=USER_ID&limit=N` → 200 `{"executions":[EXECUTION]}`, newest first;
/// `GET /v1/executions/{messageId}` → 200 likewise (usually one), 404 when none is remembered.
///   EXECUTION: `{"workflow":"SendMessage"|"SendUnsentMessages","id","userId","sequence","state",`
///   `"finished","startedAt","updatedAt","stepCount","messages",`
///   `"steps":[{"state","at","atMicros"}]}`. `id` is the message's id, or the run's own for
///   SendUnsentMessages; `state` is the last step's; `atMicros` is unix microseconds; `steps` has
///   the first and the last of `stepCount`; `messages` counts what a SendUnsentMessages has sent.
///
/// `GET /v1/connections?userId=USER_ID&after=NEXT&limit=N` → 200 `{"connections":[CONNECTION],`
///   `"next"}`, oldest first. CONNECTION: `{"connectionId","userId","username","remoteAddress",`
///   `"userAgent","connectedAt","lastActiveAt","shard"}`.
/// `GET /v1/connections/{connectionId}` → 200 CONNECTION, and `DELETE` closes it with 1001 → 200
///   `{}`; 404 when none of that id is open.
///
/// `GET /v1/access-keys` → 200 `{"accessKeys":[KEY]}`, by name; `GET /v1/access-keys/{id}` → 200
///   KEY, 404 when there is none. KEY: `{"id","name","arn","enabled","createdAt",`
///   `"requestsPerSecond","policy":{…}}`, never a secret; `requestsPerSecond` is 0 for any number,
///   and null where what is configured holds.
/// `POST /v1/access-keys` with `{"name","policy":{…},"requestsPerSecond"}` → 201
///   `{"id","secret","name"}`: the secret is shown this once. Without `policy` the key may send
///   messages (`execute-api:Invoke` on `*`) and nothing else. 400 for a bad name or policy (with
///   `where`), 409 when the name is taken.
/// `PATCH /v1/access-keys/{id}` with any of `{"enabled","policy":{…},"requestsPerSecond"}` → 200
///   `{}`; 404 when there is none.
/// `DELETE /v1/access-keys/{id}` → 200 `{}`; 404 when there is none.
///
/// `POST /v1/sessions` with `{"accessKeyId","durationSeconds","policy":{…}}` → 201
///   `{"Version":1,"AccessKeyId","SecretAccessKey","SessionToken","Expiration"}`: temporary
///   credentials of that key, in the form that AWS's tools read from a `credential_process`. 900 to
///   129 600 seconds, 3600 without `durationSeconds`; `policy` narrows what they may do. 404 when
///   there is no such key, 409 when it is disabled.
///
/// `POST /v1/keys/rotate` → 200 `{"keyId","signingKeyId"}`: the new data key's id, and that of the
///   next key of the user pool's tokens, once they are committed. 409 `conflict` while too
///   many signing keys are in use; then nothing is changed.
///
/// `POST /v1/backup` → 202 BACKUP: begins a copy of the database into a file of the data directory,
///   in the place of the last one; 409 `conflict` while one is being made. `GET /v1/backup` → 200
///   BACKUP, of the last one; 404 when there was none. `DELETE /v1/backup` → 200 `{}`: ends one
///   that is being made. BACKUP:
///   `{"stage":"copying"|"checking"|"done"|"failed","path","bytesDone",`
///   `"bytesTotal","error"}`; `error` is null unless it failed. Whoever asked for it moves the file
///   away when it is done.
/// `GET /v1/audit?before=ID&since=TIME&actor=ACTOR&action=ACTION&target=TARGET&outcome=OUTCOME&`
///   `username=NAME&limit=N` → 200
///   `{"records":[{"id","time","actor","action","target","outcome","reason","remoteAddress"}],`
///   `"next"}`, the newest first; each parameter is optional. An `action` that ends in `.` stands
///   for its group; `username` finds what was refused under a name. `next` is the `before` of the
///   next page, or null; a page may be short and have one.
/// `POST /v1/console-links` → 201 `{"url","expiresInSeconds"}`: lets one browser into the console,
///   once. 409 `conflict` where the console is switched off or no browser can reach it.
///
/// Errors are `{"error":{"code","message","where"}}` with the names of `Errc`: 400
/// `invalid_argument`, 404 `not_found`, 405 (with `Allow`) `invalid_argument`, 409 `already_exists`
/// or `conflict`, 413 `limit_exceeded`, 503 `unavailable`.
[[nodiscard]] std::shared_ptr<net::HttpService> make_local_control_service(LocalControlParts parts);

}  // namespace holdfast::control
