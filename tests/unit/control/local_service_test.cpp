// Tests the routes of the control socket.

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>
#include <holdfast/control/service.hpp>
#include <holdfast/net/server.hpp>

#include "support/control/control_socket_parts.hpp"

namespace holdfast::test {
namespace {

class ControlSocket : public ::testing::Test, protected ControlSocketParts {
 protected:
  net::Response ask(std::string method, std::string target, std::string body = {}) {
    auto out = try_ask(std::move(method), std::move(target), std::move(body));
    EXPECT_TRUE(out.has_value()) << "no answer came";
    return std::move(out).value_or(net::Response());
  }
  Json get(std::string target) {
    const net::Response response = ask("GET", std::move(target));
    EXPECT_EQ(response.status, 200) << response.body;
    return parse_json(response.body).value();
  }
  static void expect_error(const net::Response& response, int status, const std::string& code,
                           const std::string& where = {}) {
    EXPECT_EQ(response.status, status) << response.body;
    const Json body = parse_json(response.body).value();
    EXPECT_EQ(body["error"]["code"], code);
    EXPECT_EQ(body["error"]["where"], where);
    EXPECT_FALSE(body["error"]["message"].get<std::string>().empty());
  }
};

TEST_F(ControlSocket, RecordsEachChangeOnceWithWhoAndWhat) {
  const net::Response made = ask("POST", "/v1/access-keys", R"({"name":"orders"})");
  ASSERT_EQ(made.status, 201) << made.body;
  ask("PATCH", "/v1/access-keys/AKIAorders", R"({"enabled":false})");
  ask("DELETE", "/v1/access-keys/AKIAnobody");
  ask("POST", "/v1/keys/rotate");
  ask("DELETE", "/v1/connections/c1");
  ASSERT_EQ(audit_->events.size(), 5U);
  const auto& events = audit_->events;
  for (const AuditEvent& event : events) {
    EXPECT_EQ(event.actor, "uid:1000");
    EXPECT_EQ(event.address, "");
    EXPECT_EQ(event.target.find("the-secret"), std::string::npos);
  }
  EXPECT_EQ(events[0].action, "access_key.create");
  EXPECT_EQ(events[0].target, "access_key:AKIAorders");
  EXPECT_EQ(events[1].action, "access_key.change");
  EXPECT_EQ(events[1].target, "access_key:AKIAorders");
  EXPECT_EQ(events[2].action, "access_key.delete");
  EXPECT_EQ(events[2].outcome, AuditOutcome::refused);
  EXPECT_EQ(events[2].reason, "no such key");
  EXPECT_EQ(events[3].action, "keys.rotate");
  EXPECT_EQ(events[4].target, "connection:c1");
}

TEST_F(ControlSocket, RecordsNoReads) {
  get("/v1/status");
  get("/v1/access-keys");
  EXPECT_TRUE(audit_->events.empty());
}

TEST_F(ControlSocket, SumsTheShardsInItsStatus) {
  process_.version = "1.2.3";
  process_.started_at = clock_.wall_now() - Seconds(90);
  Gauge queued(store_, {"holdfast_store_queue_depth", "Taken slots."});
  queued.set(4);
  Gauge writable(store_, {"holdfast_store_writable", "1 if it is."});
  writable.set(1);
  const MetricFamily transactions{"holdfast_store_transactions_total", "By outcome.", {"outcome"}};
  Counter committed(store_, transactions, {"committed"});
  committed.add(6);
  Counter failed(store_, transactions, {"failed"});
  failed.add(2);
  control::ListenerStatus listener{.part = "gateway", .address = "127.0.0.1:8080", .stats = {}};
  listener.stats.open_websockets = 2;
  listener.stats.refused_connections = 1;
  process_.listeners = {listener};
  mailboxes_[0].told_metrics.accepted.add(3);
  mailboxes_[1].told_metrics.accepted.add(4);
  mailboxes_[0].told_metrics.foreign_texts.add(5);
  mailboxes_[1].told_metrics.foreign_texts.add(6);
  mailboxes_[1].told_metrics.pending_bytes.add(9);
  mailboxes_[0].told_metrics.acknowledgement.record(200);
  mailboxes_[1].told_metrics.acknowledgement.record(2'000'000);
  mailboxes_[1].told_metrics.acknowledgement.record(90'000'000);
  const Json body = get("/v1/status");
  EXPECT_EQ(body["version"], "1.2.3");
  EXPECT_EQ(body["state"], "ready");
  EXPECT_EQ(body["startedAt"], "2026-01-22T09:58:30.000Z");
  EXPECT_EQ(body["uptimeSeconds"], 90);
  EXPECT_EQ(body["shards"], 2);
  EXPECT_EQ(body["delivery"]["accepted"], 7);
  EXPECT_EQ(body["delivery"]["foreignTexts"], 11);
  EXPECT_EQ(body["delivery"]["pendingBytes"], 9);
  const Json& acknowledgement = body["delivery"]["acknowledgement"];
  EXPECT_EQ(acknowledgement["count"], 3);
  EXPECT_DOUBLE_EQ(acknowledgement["sumSeconds"], 92.0002);
  EXPECT_EQ(acknowledgement["buckets"].front(), (Json{{"le", 0.0001}, {"count", 0}}));
  EXPECT_EQ(acknowledgement["buckets"][1], (Json{{"le", 0.00025}, {"count", 1}}));
  EXPECT_EQ(acknowledgement["buckets"].back(), (Json{{"le", nullptr}, {"count", 3}}));
  EXPECT_EQ(body["store"]["queued"], 4);
  EXPECT_EQ(body["store"]["transactions"], 6);
  EXPECT_EQ(body["store"]["failedTransactions"], 2);
  EXPECT_EQ(body["store"]["writable"], true);
  EXPECT_EQ(body["listeners"][0]["part"], "gateway");
  EXPECT_EQ(body["listeners"][0]["openWebsockets"], 2);
  EXPECT_EQ(body["listeners"][0]["refusedConnections"], 1);
}

TEST_F(ControlSocket, ListsUsersWithPendingMessagesPageByPage) {
  for (const char* user : {"a", "b", "c"}) hold(user, 1, "text");
  const Json first = get("/v1/pending?limit=2");
  ASSERT_EQ(first["users"].size(), 2U);
  EXPECT_EQ(first["users"][0], (Json{{"userId", "a"}, {"messages", 1}, {"bytes", 4}}));
  EXPECT_EQ(first["next"], "b");
  const Json second = get("/v1/pending?limit=2&after=b");
  ASSERT_EQ(second["users"].size(), 1U);
  EXPECT_EQ(second["users"][0]["userId"], "c");
  EXPECT_TRUE(second["next"].is_null());
}

TEST_F(ControlSocket, ShowsAUsersPendingMessagesButNeverTheirText) {
  const std::string user = "user/ü 1";
  for (Sequence sequence : {11, 12, 13}) hold(user, sequence, "sesame");
  mailboxes_[router_.home(UserId(user))].told_pending = {UserId(user), {4, 24}};
  const net::Response response = ask("GET", "/v1/pending/user%2F%C3%BC%201?limit=2");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body.find("sesame"), std::string::npos);
  const Json body = parse_json(response.body).value();
  EXPECT_EQ(body["userId"], user);
  ASSERT_EQ(body["messages"].size(), 2U);
  EXPECT_EQ(body["messages"][0]["sequence"], 11);
  EXPECT_EQ(body["messages"][0]["bytes"], 6);
  EXPECT_EQ(body["messages"][0]["messageId"].get<std::string>().size(), 36U);
  EXPECT_EQ(body["messages"][0]["acceptedAt"], "2026-01-22T10:00:00.000Z");
  EXPECT_EQ(body["messages"][0]["expiresAt"], "2026-01-22T10:01:00.000Z");
  EXPECT_EQ(body["totals"], (Json{{"messages", 4}, {"bytes", 24}}));
  EXPECT_EQ(body["next"], 12);
  const Json rest = get("/v1/pending/user%2F%C3%BC%201?after=12");
  EXPECT_EQ(rest["messages"].size(), 1U);
  EXPECT_TRUE(rest["next"].is_null());
  EXPECT_TRUE(get("/v1/pending/nobody")["messages"].empty());
}

TEST_F(ControlSocket, DeletesPendingMessagesThroughTheirMailbox) {
  const std::string id = MessageId::generate(clock_.wall_now()).str();
  FakeMailboxes& home = mailboxes_[router_.home(UserId("a/b"))];
  home.told_deletion = delivery::Deletion{.moved = {1, 5}, .left = {2, 9}};
  const net::Response one = ask("DELETE", "/v1/pending/a%2Fb?messageId=" + id);
  EXPECT_EQ(one.status, 200) << one.body;
  EXPECT_EQ(parse_json(one.body).value(), (Json{{"deleted", {{"messages", 1}, {"bytes", 5}}},
                                                {"left", {{"messages", 2}, {"bytes", 9}}}}));
  EXPECT_EQ(ask("DELETE", "/v1/pending/a%2Fb?all=true").status, 200);
  ASSERT_EQ(home.deletions.size(), 2U);
  EXPECT_EQ(home.deletions[0].user, UserId("a/b"));
  EXPECT_EQ(home.deletions[0].id->str(), id);
  EXPECT_EQ(home.deletions[0].reason, "deleted");
  EXPECT_FALSE(home.deletions[1].id);
  home.told_deletion = fail(Errc::conflict, "under delivery");
  expect_error(ask("DELETE", "/v1/pending/a%2Fb?messageId=" + id), 409, "conflict");
  expect_error(ask("DELETE", "/v1/pending/a?messageId=x"), 400, "invalid_argument", "messageId");
  expect_error(ask("DELETE", "/v1/pending/a?all=true&messageId=" + id), 400, "invalid_argument",
               "query");
  expect_error(ask("DELETE", "/v1/pending/a"), 400, "invalid_argument", "query");
}

TEST_F(ControlSocket, RedrivesAUsersLettersInTheOrderOfTheirAcceptance) {
  std::vector<MessageId> ids;
  for (Sequence sequence : {3, 1, 2}) {
    auto message = std::make_shared<delivery::Message>();
    message->user = UserId("u");
    message->id = MessageId::generate(clock_.wall_now());
    message->sequence = sequence;
    ids.push_back(message->id);
    database_->tables.dead_letters[message->id] = {message, "expired", clock_.wall_now()};
  }
  FakeMailboxes& home = mailboxes_[router_.home(UserId("u"))];
  const net::Response all = ask("POST", "/v1/dead-letters/redrive", R"({"userId":"u"})");
  ASSERT_EQ(all.status, 200) << all.body;
  EXPECT_EQ(parse_json(all.body).value()["redriven"].size(), 3U);
  ASSERT_EQ(home.redriven.size(), 3U);
  EXPECT_EQ(home.redriven[0].second, ids[1]);
  EXPECT_EQ(home.redriven[1].second, ids[2]);
  EXPECT_EQ(home.redriven[2].second, ids[0]);
  EXPECT_EQ(home.redriven_for[0], std::nullopt);
  (void)ask("POST", "/v1/dead-letters/redrive",
            R"({"messageIds":[")" + ids[0].str() + R"("],"ttlSeconds":60})");
  EXPECT_EQ(home.redriven_for.at(3), Seconds(60));
  for (const char* const wrong : {"0", "-1", "1.5", "\"60\"", "315360001"}) {
    expect_error(ask("POST", "/v1/dead-letters/redrive",
                     R"({"all":true,"ttlSeconds":)" + std::string(wrong) + "}"),
                 400, "invalid_argument", "ttlSeconds");
  }
  for (const char* const ttl : {"60", "null"}) {
    expect_error(ask("POST", "/v1/dead-letters/delete",
                     R"({"all":true,"ttlSeconds":)" + std::string(ttl) + "}"),
                 400, "invalid_argument", "ttlSeconds");
  }
  // The first that finds no room fails those behind it, which are not even asked for.
  home.redrive_fails = Error(Errc::limit_exceeded, "full");
  const net::Response full = ask("POST", "/v1/dead-letters/redrive", R"({"all":true})");
  EXPECT_EQ(parse_json(full.body).value()["failed"].size(), 3U);
  EXPECT_EQ(home.redriven.size(), 5U);
}

TEST_F(ControlSocket, TellsWhenALetterWasAcceptedFirstAndWhatMoreThereIsToSay) {
  const WallTime first = clock_.wall_now();
  const auto die = [&](const MessageId& id) {
    auto message = std::make_shared<delivery::Message>();
    message->user = UserId("u");
    message->id = id;
    message->sequence = 1;
    message->accepted_at = clock_.wall_now();
    database_->tables.dead_letters[id] = {message, "undeliverable", clock_.wall_now(),
                                          "connections ended with 1009"};
    return get("/v1/dead-letters")["deadLetters"].at(0);
  };
  const MessageId id = MessageId::generate(first);
  Json letter = die(id);
  EXPECT_EQ(letter["reason"], "undeliverable");
  EXPECT_EQ(letter["detail"], "connections ended with 1009");
  EXPECT_EQ(letter["firstAcceptedAt"], letter["acceptedAt"]);
  clock_.advance(Seconds(90));  // it was redriven
  letter = die(id);
  EXPECT_EQ(letter["firstAcceptedAt"], format_iso8601(first));
  EXPECT_EQ(letter["acceptedAt"], format_iso8601(first + Seconds(90)));
}

TEST_F(ControlSocket, WantsNoAnswerFromAStoreThatCannotReadRatherThanNever) {
  hold("a", 1, "text");
  (void)get("/v1/pending/a");
  ASSERT_TRUE(messages_[1].last_read());
  EXPECT_FALSE(messages_[1].last_read()->until_read);
}

TEST_F(ControlSocket, ExpiresNothingByLooking) {
  hold("a", 1, "text");
  clock_.advance(Seconds(3600));
  EXPECT_EQ(get("/v1/pending/a")["messages"].size(), 1U);
  EXPECT_TRUE(database_->tables.dead_letters.empty());
}

TEST_F(ControlSocket, ListsExecutionsOfAllShardsTheNewestFirst) {
  mailboxes_[0].told_executions = {execution("a", 1'769'076'000'000'003),
                                   execution("a", 1'769'076'000'000'001)};
  mailboxes_[1].told_executions = {execution("b", 1'769'076'000'000'002)};
  const Json all = get("/v1/executions")["executions"];
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0]["sequence"], 1'769'076'000'000'003);
  EXPECT_EQ(all[1]["userId"], "b");
  EXPECT_EQ(all[0]["workflow"], "SendMessage");
  EXPECT_EQ(all[0]["state"], "Stored");
  EXPECT_EQ(all[0]["finished"], true);
  EXPECT_EQ(all[0]["stepCount"], 2);
  EXPECT_EQ(all[0]["startedAt"], "2026-01-22T10:00:00.000Z");
  EXPECT_EQ(all[0]["updatedAt"], "2026-01-22T10:00:00.001Z");
  EXPECT_EQ(all[0]["steps"][0]["state"], "Received");
  EXPECT_EQ(all[0]["steps"][1]["atMicros"], 1'769'076'000'001'503);
  EXPECT_EQ(get("/v1/executions?limit=2")["executions"].size(), 2U);
  EXPECT_EQ(get("/v1/executions?userId=b")["executions"].size(), 1U);
  EXPECT_TRUE(get("/v1/executions?userId=nobody")["executions"].empty());
}

TEST_F(ControlSocket, ShowsHowAMessageWentFromTheFirstToTheLast) {
  delivery::Execution sent = execution("b", 1'769'076'000'000'001);
  delivery::Execution flushed = execution("b", 1'769'076'000'000'002);
  flushed.id = sent.id;
  flushed.workflow = delivery::Workflow::send_unsent_messages;
  sent.acknowledged = {.at_us = 1'769'076'000'005'000, .by = ConnectionId("c1")};
  mailboxes_[1].told_executions = {flushed, sent};
  const Json found = get("/v1/executions/" + sent.id.str())["executions"];
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]["workflow"], "SendMessage");
  EXPECT_EQ(found[0]["acknowledged"], (Json{{"at", "2026-01-22T10:00:00.005Z"},
                                            {"atMicros", 1'769'076'000'005'000},
                                            {"connectionId", "c1"}}));
  EXPECT_EQ(found[1]["workflow"], "SendUnsentMessages");
}

TEST_F(ControlSocket, ShowsAnExecutionByItsMessage) {
  mailboxes_[1].told_executions = {execution("b", 5), execution("b", 6)};
  const std::string id = mailboxes_[1].told_executions[0].id.str();
  const Json found = get("/v1/executions/" + id)["executions"];
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]["id"], id);
  EXPECT_TRUE(found[0]["acknowledged"].is_null());
  expect_error(ask("GET", "/v1/executions/" + MessageId().str()), 404, "not_found");
  expect_error(ask("GET", "/v1/executions/xyz"), 400, "invalid_argument", "messageId");
}

TEST_F(ControlSocket, ListsConnectionsTheOldestFirst) {
  const auto connection = [&](const std::string& id, const std::string& user, int seconds) {
    delivery::ConnectionInfo info;
    info.id = ConnectionId(id);
    info.user = UserId(user);
    info.username = "name of " + user;
    info.remote_address = "127.0.0.1";
    info.user_agent = "agent\xff";
    info.connected_at = clock_.wall_now() + Seconds(seconds);
    return info;
  };
  mailboxes_[0].told_connections = {connection("two", "a", 2), connection("three", "b", 3)};
  mailboxes_[1].told_connections = {connection("one", "c", 1)};
  const Json all = get("/v1/connections")["connections"];
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0]["connectionId"], "one");
  EXPECT_EQ(all[1]["connectionId"], "two");
  EXPECT_EQ(all[0]["username"], "name of c");
  EXPECT_EQ(all[0]["connectedAt"], "2026-01-22T10:00:01.000Z");
  EXPECT_EQ(get("/v1/connections?userId=b")["connections"].size(), 1U);
  EXPECT_EQ(get("/v1/connections?limit=1")["connections"].size(), 1U);
}

TEST_F(ControlSocket, CreatesListsAndDeletesAccessKeys) {
  const net::Response created =
      ask("POST", "/v1/access-keys",
          R"({"name":"ci","policy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
          R"("Action":"*","Resource":"*"}]}})");
  ASSERT_EQ(created.status, 201) << created.body;
  EXPECT_EQ(
      parse_json(created.body).value(),
      (Json{{"id", "AKIAci"}, {"secret", "the-secret"}, {"name", "ci"}, {"expiresAt", nullptr}}));
  EXPECT_EQ(ask("POST", "/v1/access-keys", R"({"name":"app"})").status, 201);
  const net::Response listed = ask("GET", "/v1/access-keys");
  EXPECT_EQ(listed.body.find("the-secret"), std::string::npos);
  const Json list = parse_json(listed.body).value()["accessKeys"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["name"], "app");
  EXPECT_EQ(list[0]["policy"]["Statement"][0]["Action"], "execute-api:Invoke");
  EXPECT_EQ(list[1]["arn"], "arn:aws:iam::000000000000:user/ci");
  EXPECT_EQ(ask("DELETE", "/v1/access-keys/AKIAci").status, 200);
  expect_error(ask("DELETE", "/v1/access-keys/AKIAci"), 404, "not_found");
  EXPECT_EQ(get("/v1/access-keys")["accessKeys"].size(), 1U);
}

TEST_F(ControlSocket, DisablesAndEnablesAccessKeys) {
  ask("POST", "/v1/access-keys", R"({"name":"ci"})");
  EXPECT_EQ(ask("PATCH", "/v1/access-keys/AKIAci", R"({"enabled":false})").status, 200);
  EXPECT_EQ(get("/v1/access-keys")["accessKeys"][0]["enabled"], false);
  EXPECT_EQ(ask("PATCH", "/v1/access-keys/AKIAci", R"({"enabled":true})").status, 200);
  EXPECT_EQ(get("/v1/access-keys")["accessKeys"][0]["enabled"], true);
  expect_error(ask("PATCH", "/v1/access-keys/AKIAno", R"({"enabled":true})"), 404, "not_found");
  for (const char* body : {"", "[]", "{}", R"({"enabled":1})", R"({"enabled":true,"x":1})"}) {
    EXPECT_EQ(ask("PATCH", "/v1/access-keys/AKIAci", body).status, 400) << body;
  }
}

TEST_F(ControlSocket, ShowsAnAccessKeyAndChangesItsPolicyAndRate) {
  ask("POST", "/v1/access-keys", R"({"name":"ci","requestsPerSecond":5})");
  const Json shown = get("/v1/access-keys/AKIAci");
  EXPECT_EQ(shown, get("/v1/access-keys")["accessKeys"][0]);
  EXPECT_EQ(shown["requestsPerSecond"], 5);
  EXPECT_FALSE(shown.dump().contains("the-secret"));
  expect_error(ask("GET", "/v1/access-keys/AKIAno"), 404, "not_found");
  constexpr const char* kAdmin =
      R"({"policy":{"Version":"2012-10-17","Statement":{"Effect":"Allow",)"
      R"("Action":"cognito-idp:*","Resource":"*"}},"requestsPerSecond":null})";
  EXPECT_EQ(ask("PATCH", "/v1/access-keys/AKIAci", kAdmin).status, 200);
  const Json changed = get("/v1/access-keys/AKIAci");
  EXPECT_EQ(changed["policy"]["Statement"]["Action"], "cognito-idp:*");
  EXPECT_EQ(changed["requestsPerSecond"], nullptr);
  EXPECT_EQ(changed["enabled"], true);
  expect_error(ask("PATCH", "/v1/access-keys/AKIAci", R"({"policy":{"Version":"2012-10-17"}})"),
               400, "invalid_argument", "Statement");
  for (const char* rate : {"-1", "1000001", "1.5", "true", R"("5")", "99999999999999999999"}) {
    const std::string body = std::string(R"({"requestsPerSecond":)") + rate + "}";
    expect_error(ask("PATCH", "/v1/access-keys/AKIAci", body), 400, "invalid_argument",
                 "requestsPerSecond");
    EXPECT_EQ(ask("POST", "/v1/access-keys", R"({"name":"x",)" + body.substr(1)).status, 400);
  }
  EXPECT_EQ(ask("PATCH", "/v1/access-keys/AKIAci", R"({"requestsPerSecond":0})").status, 200);
  EXPECT_EQ(get("/v1/access-keys/AKIAci")["requestsPerSecond"], 0);
}

TEST_F(ControlSocket, TakesNullForAnAbsentMemberAndNotForARequiredOne) {
  EXPECT_EQ(ask("POST", "/v1/access-keys", R"({"name":"ci","policy":null})").status, 201);
  EXPECT_EQ(ask("PATCH", "/v1/access-keys/AKIAci", R"({"enabled":false,"policy":null})").status,
            200);
  EXPECT_EQ(get("/v1/access-keys/AKIAci")["enabled"], false);
  EXPECT_EQ(ask("PATCH", "/v1/access-keys/AKIAci", R"({"enabled":true})").status, 200);
  EXPECT_EQ(ask("POST", "/v1/sessions",
                R"({"accessKeyId":"AKIAci","durationSeconds":null,"policy":null})")
                .status,
            201);
  EXPECT_EQ(ask("POST", "/v1/access-keys", R"({"name":"rated","requestsPerSecond":null})").status,
            201);
  EXPECT_EQ(ask("POST", "/v1/messages",
                R"({"userId":"u","message":"m","deduplicationId":null,"ttlSeconds":null})")
                .status,
            200);
  for (const char* const which : {R"("userId":"u","reason":null,"messageIds":null,"all":null)",
                                  R"("reason":"expired","userId":null)", R"("all":true)"}) {
    const std::string body = std::string("{") + which + R"(,"after":null)";
    EXPECT_EQ(ask("POST", "/v1/dead-letters/redrive", body + R"(,"ttlSeconds":null})").status, 200)
        << which;
    EXPECT_EQ(ask("POST", "/v1/dead-letters/delete", body + "}").status, 200) << which;
  }
  for (const auto& [target, body] : {std::pair("/v1/access-keys", R"({"name":null})"),
                                     std::pair("/v1/sessions", R"({"accessKeyId":null})"),
                                     std::pair("/v1/messages", R"({"userId":null,"message":"m"})"),
                                     std::pair("/v1/messages", R"({"userId":"u","message":null})"),
                                     std::pair("/v1/users", R"({"username":null})")}) {
    EXPECT_EQ(ask("POST", target, body).status, 400) << body;
  }
  EXPECT_EQ(ask("PATCH", "/v1/access-keys/AKIAci", R"({"enabled":null})").status, 400);
}

TEST_F(ControlSocket, MakesTemporaryCredentialsInTheFormOfAwsTools) {
  ask("POST", "/v1/access-keys", R"({"name":"ci"})");
  const net::Response made = ask("POST", "/v1/sessions", R"({"accessKeyId":"AKIAci"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(parse_json(made.body).value(), (Json{{"Version", 1},
                                                 {"AccessKeyId", "ASIA1"},
                                                 {"SecretAccessKey", "session-secret"},
                                                 {"SessionToken", "the-token"},
                                                 {"Expiration", "1970-01-01T01:00:00.000Z"}}));
  EXPECT_EQ(keys_->session_policy, std::nullopt);
  const net::Response narrow = ask(
      "POST", "/v1/sessions", R"({"accessKeyId":"AKIAci","durationSeconds":900,"policy":{"a":1}})");
  EXPECT_EQ(parse_json(narrow.body).value()["Expiration"], "1970-01-01T00:15:00.000Z");
  EXPECT_EQ(keys_->session_policy, R"({"a":1})");
  expect_error(ask("POST", "/v1/sessions", R"({"accessKeyId":"AKIAno"})"), 404, "not_found");
  expect_error(ask("POST", "/v1/sessions", "{}"), 400, "invalid_argument", "accessKeyId");
  expect_error(ask("POST", "/v1/sessions", R"({"accessKeyId":"AKIAci","durationSeconds":"1h"})"),
               400, "invalid_argument", "durationSeconds");
  expect_error(ask("POST", "/v1/sessions", R"({"accessKeyId":"AKIAci","policy":"{}"})"), 400,
               "invalid_argument", "policy");
  expect_error(ask("POST", "/v1/sessions", R"({"accessKeyId":"AKIAci","role":"x"})"), 400,
               "invalid_argument", "role");
  ask("PATCH", "/v1/access-keys/AKIAci", R"({"enabled":false})");
  expect_error(ask("POST", "/v1/sessions", R"({"accessKeyId":"AKIAci"})"), 409, "conflict");
}

TEST_F(ControlSocket, RefusesBadAccessKeys) {
  expect_error(ask("POST", "/v1/access-keys", "x"), 400, "invalid_argument");
  expect_error(ask("POST", "/v1/access-keys", "[]"), 400, "invalid_argument", "body");
  expect_error(ask("POST", "/v1/access-keys", "{}"), 400, "invalid_argument", "name");
  expect_error(ask("POST", "/v1/access-keys", R"({"name":5})"), 400, "invalid_argument", "name");
  expect_error(ask("POST", "/v1/access-keys", R"({"name":"a","policy":"x"})"), 400,
               "invalid_argument", "policy");
  expect_error(ask("POST", "/v1/access-keys", R"({"name":"a","polcy":{}})"), 400,
               "invalid_argument", "polcy");
  EXPECT_EQ(ask("POST", "/v1/access-keys", R"({"name":"a","policy":{"Version":"x"}})").status, 400);
  expect_error(ask("POST", "/v1/access-keys", R"({"name":"taken"})"), 409, "already_exists",
               "name");
  EXPECT_TRUE(keys_->keys.empty());
}

TEST_F(ControlSocket, RotatesTheDataKeyAndTheSigningKeyOrNeither) {
  const net::Response rotated = ask("POST", "/v1/keys/rotate");
  ASSERT_EQ(rotated.status, 200);
  EXPECT_EQ(rotated.body, R"({"keyId":2,"signingKeyId":7})");
  signer_->full = true;
  expect_error(ask("POST", "/v1/keys/rotate"), 409, "conflict");
  EXPECT_EQ(ring_->id, 2U);
  signer_->full = false;
  ring_->broken = true;
  expect_error(ask("POST", "/v1/keys/rotate"), 503, "unavailable");
}

TEST_F(ControlSocket, RefusesBadParametersByName) {
  for (const char* limit : {"0", "1001", "-1", "x", "", "1e2", "99999999999999999999"}) {
    expect_error(ask("GET", std::string("/v1/pending?limit=") + limit), 400, "invalid_argument",
                 "limit");
  }
  expect_error(ask("GET", "/v1/pending/a?after=x"), 400, "invalid_argument", "after");
  expect_error(ask("GET", "/v1/pending/a?after=-5"), 400, "invalid_argument", "after");
  expect_error(ask("GET", "/v1/pending/%zz"), 400, "invalid_argument", "path");
  expect_error(ask("GET", "/v1/pending/%ff"), 400, "invalid_argument", "path");
  expect_error(ask("GET", "/v1/pending?after=%f"), 400, "invalid_argument", "query");
}

TEST_F(ControlSocket, RefusesOtherPathsAndMethods) {
  for (const char* path : {"/", "/v1", "/v1/", "/v1/pending/", "/v1/pending/a/b", "/v2/status"}) {
    expect_error(ask("GET", path), 404, "not_found");
  }
  const net::Response response = ask("PUT", "/v1/access-keys");
  expect_error(response, 405, "invalid_argument");
  const auto allow =
      std::ranges::find(response.headers, "Allow", &std::pair<std::string, std::string>::first);
  ASSERT_NE(allow, response.headers.end());
  EXPECT_EQ(allow->second, "GET, POST");
  expect_error(ask("GET", "/v1/keys/rotate"), 405, "invalid_argument");
}

TEST_F(ControlSocket, SaysThatTheStoreCannotTell) {
  messages_[1].set_mode(FakeMessageStore::Mode::manual);
  net::Request request;
  request.head.method = "GET";
  request.head.target = "/v1/pending";
  request.head.shard = 1;
  std::optional<net::Response> out;
  service_->handle(std::move(request), [&](net::Response response) { out = std::move(response); });
  ASSERT_TRUE(messages_[1].take());
  ASSERT_TRUE(messages_[1].fail());
  executors_[1].run();
  ASSERT_TRUE(out.has_value());
  expect_error(*out, 503, "unavailable");
}

// Shards that are threads: nothing of a request is touched by two of them at once.
TEST(ControlSocketOnShards, GathersFromEveryShardWhereverItIsAsked) {
  constexpr std::size_t shard_count = 3;
  const auto shards = net::make_shards(shard_count);
  std::array<FakeMailboxes, shard_count> mailboxes;
  std::vector<delivery::Router::Shard> homes;
  for (std::size_t i = 0; i < shard_count; ++i) {
    mailboxes[i].told_metrics.accepted.add(i + 1);
    homes.push_back({&shards->at(i), &mailboxes[i]});
  }
  const delivery::Router router(std::move(homes));
  const auto keys = std::make_shared<FakeAccessKeys>();
  const auto service = control::make_local_control_service({system_clock(),
                                                            router,
                                                            {},
                                                            keys,
                                                            std::make_shared<FakeKeyRing>(),
                                                            std::make_shared<FakeTokenSigner>(),
                                                            shards->at(0),
                                                            [] { return control::State::ready; },
                                                            [] { return control::ProcessStatus(); },
                                                            {},
                                                            {}});
  shards->start();
  std::vector<std::future<std::string>> answers;
  for (std::size_t i = 0; i < 60; ++i) {
    auto promise = std::make_shared<std::promise<std::string>>();
    answers.push_back(promise->get_future());
    const std::size_t shard = i % shard_count;
    shards->at(shard).post([&service, promise, shard, i] {
      net::Request request;
      request.head.method = i % 2 == 0 ? "GET" : "POST";
      request.head.target = i % 2 == 0 ? "/v1/status" : "/v1/access-keys";
      request.head.shard = shard;
      request.body = R"({"name":"taken"})";
      service->handle(std::move(request), [promise](const net::Response& response) {
        promise->set_value(response.body);
      });
    });
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i].wait_for(std::chrono::seconds(30)), std::future_status::ready);
    const std::string body = answers[i].get();
    EXPECT_NE(body.find(i % 2 == 0 ? R"("accepted":6)" : "already_exists"), std::string::npos)
        << body;
  }
  shards->stop();
}

TEST_F(ControlSocket, AnswersRandomTargetsWithAClearError) {
  std::mt19937 random(7);
  const std::string alphabet = "/v1pendingstatus%20?&=limafr\xff-";
  for (int round = 0; round < 3000; ++round) {
    std::string target = "/v1/";
    for (std::size_t i = random() % 24; i > 0; --i) target += alphabet[random() % alphabet.size()];
    const net::Response response = ask("GET", target);
    EXPECT_TRUE(response.status == 200 || response.status == 400 || response.status == 404 ||
                response.status == 405)
        << target;
    EXPECT_TRUE(parse_json(response.body).has_value()) << response.body;
  }
}

TEST_F(ControlSocket, SendsAMessageAsTheOperator) {
  const net::Response answer =
      ask("POST", "/v1/messages",
          R"({"userId":"ann","message":"hello","deduplicationId":"d-1","ttlSeconds":60})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  FakeMailboxes& home = mailboxes_[router_.home(UserId("ann"))];
  ASSERT_EQ(home.sent.size(), 1U);
  EXPECT_EQ(home.sent[0].user, UserId("ann"));
  EXPECT_EQ(home.sent[0].payload, "hello");
  EXPECT_EQ(home.sent[0].deduplication_id, "d-1");
  EXPECT_EQ(home.sent[0].ttl, Seconds(60));
  EXPECT_EQ(home.sent[0].caller->id, "operator");
  const Json body = parse_json(answer.body).value();
  EXPECT_EQ(body["messageId"].get<std::string>().size(), 36U);
  EXPECT_TRUE(body["sequence"].is_number_integer());
}

TEST_F(ControlSocket, RefusesWhatIsNoMessage) {
  const auto refused = [this](const std::string& body, const std::string& where) {
    expect_error(ask("POST", "/v1/messages", body), 400, "invalid_argument", where);
  };
  refused("[]", "body");
  refused(R"({"userId":"ann"})", "message");
  refused(R"({"message":"x"})", "userId");
  refused(R"({"userId":"","message":"x"})", "userId");
  refused(R"({"userId":")" + std::string(129, 'a') + R"(","message":"x"})", "userId");
  refused(R"({"userId":"ann","message":""})", "message");
  refused(R"({"userId":"ann","message":")" + std::string((128 << 10) + 1, 'a') + R"("})",
          "message");
  refused(R"({"userId":"ann","message":1})", "message");
  refused(R"({"userId":"ann","message":"x","ttlSeconds":0})", "ttlSeconds");
  refused(R"({"userId":"ann","message":"x","ttlSeconds":1.5})", "ttlSeconds");
  refused(R"({"userId":"ann","message":"x","ttlSeconds":1209601})", "ttlSeconds");
  refused(R"({"userId":"ann","message":"x","deduplicationId":"\n"})", "deduplicationId");
  refused(R"({"userId":"ann","message":"x","text":"y"})", "text");
  EXPECT_TRUE(mailboxes_[0].sent.empty());
  EXPECT_TRUE(mailboxes_[1].sent.empty());
}

TEST_F(ControlSocket, MakesNoLinkWhereTheConsoleIsSwitchedOff) {
  expect_error(ask("POST", "/v1/console-links"), 409, "conflict", "console.enabled");
}

}  // namespace
}  // namespace holdfast::test
