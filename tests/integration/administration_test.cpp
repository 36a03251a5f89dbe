// Tests the administration of users, connections and messages by command.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/gateway_process.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

int status_of(const TestGateway& gateway, const std::string& method, const std::string& target,
              const Json& body = nullptr) {
  const auto answer = std::make_unique<client::ControlClient>(gateway.data_dir() + "/control.sock")
                          ->call(method, target, body);
  return answer ? 200 : answer.error().status;
}

// Where only the effect matters; throws when it is refused.
void tell(const TestGateway& gateway, const std::string& method, const std::string& target,
          const Json& body = nullptr) {
  static_cast<void>(gateway.control(method, target, body));
}

client::OutgoingMessage outgoing(const std::string& user_id, const std::string& text) {
  client::OutgoingMessage out;
  out.user_id = user_id;
  out.text = text;
  return out;
}

std::vector<std::string> letter_ids(const Json& page) {
  std::vector<std::string> out;
  for (const Json& letter : page["deadLetters"]) out.push_back(letter["messageId"]);
  return out;
}

TEST(AdministrationOfUsersTest, WalksAUsersWholeLifeByNameAndById) {
  TestGateway gateway;
  const Json made = gateway.control("POST", "/v1/users",
                                    {{"username", "Ann"},
                                     {"password", TestGateway::kPassword},
                                     {"permanent", true},
                                     {"attributes", {{"email", "ann@example.com"}}}});
  const std::string id = made["userId"];
  EXPECT_EQ(made["status"], "CONFIRMED");
  EXPECT_EQ(gateway.control("GET", "/v1/users/" + id), made);
  EXPECT_EQ(gateway.control("GET", "/v1/users/ann"), made);
  EXPECT_TRUE(gateway.client()->initiate_auth("Ann", TestGateway::kPassword));
  EXPECT_EQ(status_of(gateway, "POST", "/v1/users", {{"username", "ann"}}), 409);
  EXPECT_EQ(status_of(gateway, "POST", "/v1/users", {{"username", "bob"}, {"password", "x"}}), 400);
  EXPECT_EQ(status_of(gateway, "GET", "/v1/users/bob"), 404) << "a refused one leaves nothing";

  tell(gateway, "PATCH", "/v1/users/" + id, {{"password", "another one"}, {"permanent", true}});
  EXPECT_FALSE(gateway.client()->initiate_auth("Ann", TestGateway::kPassword));
  EXPECT_TRUE(gateway.client()->initiate_auth("Ann", "another one"));
  tell(gateway, "PATCH", "/v1/users/Ann", {{"enabled", false}});
  EXPECT_EQ(gateway.control("GET", "/v1/users/Ann")["enabled"], false);
  EXPECT_FALSE(gateway.client()->initiate_auth("Ann", "another one"));
  tell(gateway, "PATCH", "/v1/users/Ann", {{"enabled", true}});
  EXPECT_TRUE(gateway.client()->initiate_auth("Ann", "another one"));
  tell(gateway, "DELETE", "/v1/users/" + id);
  EXPECT_EQ(status_of(gateway, "GET", "/v1/users/Ann"), 404);
}

TEST(AdministrationOfUsersTest, RefusesBodiesThatSayTooLittleOrTooMuch) {
  TestGateway gateway;
  tell(gateway, "POST", "/v1/users", {{"username", "ann"}});
  const std::vector<Json> bad = {Json::object(),
                                 {{"enabled", "no"}},
                                 {{"enabled", true}, {"password", "correct horse"}},
                                 {{"permanent", true}},
                                 {{"username", "bob"}},
                                 {{"email", "a"}},
                                 Json::array()};
  for (const Json& body : bad) {
    EXPECT_EQ(status_of(gateway, "PATCH", "/v1/users/ann", body), 400) << body;
  }
  EXPECT_EQ(status_of(gateway, "GET", "/v1/users?filter=nonsense"), 400);
  EXPECT_EQ(status_of(gateway, "PATCH", "/v1/users/bob", {{"enabled", true}}), 404);
}

TEST(AdministrationOfUsersTest, ListsThemPageByPage) {
  TestGateway gateway;
  for (const char* name : {"a", "b", "c"}) tell(gateway, "POST", "/v1/users", {{"username", name}});
  std::vector<std::string> names;
  std::string target = "/v1/users?limit=2";
  for (int pages = 0; pages < 9; ++pages) {
    const Json page = gateway.control("GET", target);
    for (const Json& user : page["users"]) names.push_back(user["username"]);
    if (page["next"].is_null()) break;
    target = "/v1/users?limit=2&after=" + page["next"].get<std::string>();
  }
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

TEST(AdministrationOfUsersTest, ClosesConnectionsOfWhomItDisablesAndMovesWhatWasPending) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  gateway.publish(alice.id, "waits");
  {
    const Inbox inbox(gateway, alice);
    (void)inbox.wait_for(1);
    tell(gateway, "PATCH", "/v1/users/" + alice.id, {{"enabled", false}});
    EXPECT_EQ(inbox.wait_closed(), 4401);
  }
  gateway.publish(alice.id, "more");
  tell(gateway, "DELETE", "/v1/users/" + alice.id);
  Json page;
  const auto deadline = std::chrono::steady_clock::now() + Inbox::kPatience;
  do {
    page = gateway.control("GET", "/v1/dead-letters?reason=user_deleted");
  } while (page["deadLetters"].empty() && std::chrono::steady_clock::now() < deadline);
  ASSERT_THAT(page["deadLetters"], SizeIs(1));
  EXPECT_EQ(page["deadLetters"][0]["userId"], alice.id);
}

TEST(AdministrationOfConnectionsTest, ShowsAndClosesOne) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const Inbox inbox(gateway, alice);
  gateway.publish(alice.id, "it receives");
  ASSERT_THAT(inbox.wait_for(1), SizeIs(1));
  const Json list = gateway.control("GET", "/v1/connections?userId=" + alice.id)["connections"];
  ASSERT_THAT(list, SizeIs(1));
  const std::string id = list[0]["connectionId"];
  EXPECT_EQ(gateway.control("GET", "/v1/connections/" + id)["username"], alice.name);
  tell(gateway, "DELETE", "/v1/connections/" + id);
  EXPECT_EQ(inbox.wait_closed(), 1001);
  EXPECT_EQ(status_of(gateway, "DELETE", "/v1/connections/" + id), 404);
  EXPECT_EQ(status_of(gateway, "GET", "/v1/connections?after=x"), 400);
}

TEST(AdministrationOfMessagesTest, DeletesRedrivesAndForgets) {
  TestGateway gateway;
  for (const char* text : {"one", "two", "three"}) gateway.publish("u", text);
  const Json pending = gateway.control("GET", "/v1/pending/u")["messages"];
  const std::string two = pending[1]["messageId"];
  Json deleted = gateway.control("DELETE", "/v1/pending/u?messageId=" + two);
  EXPECT_EQ(deleted["deleted"], (Json{{"messages", 1}, {"bytes", 3}}));
  EXPECT_EQ(deleted["left"], (Json{{"messages", 2}, {"bytes", 8}}));
  EXPECT_EQ(status_of(gateway, "DELETE", "/v1/pending/u?messageId=" + two), 404);
  EXPECT_EQ(status_of(gateway, "DELETE", "/v1/pending/u"), 400) << "all must be said";
  EXPECT_EQ(letter_ids(gateway.control("GET", "/v1/dead-letters?reason=deleted&userId=u")),
            std::vector{two});

  const Json redriven =
      gateway.control("POST", "/v1/dead-letters/redrive", {{"messageIds", {two}}});
  ASSERT_THAT(redriven["redriven"], SizeIs(1));
  EXPECT_GT(redriven["redriven"][0]["sequence"], pending[2]["sequence"]);
  EXPECT_THAT(letter_ids(gateway.control("GET", "/v1/dead-letters")), IsEmpty());
  const Json again = gateway.control("POST", "/v1/dead-letters/redrive", {{"messageIds", {two}}});
  EXPECT_EQ(again["failed"][0]["code"], "not_found");

  deleted = gateway.control("DELETE", "/v1/pending/u?all=true");
  EXPECT_EQ(deleted["deleted"]["messages"], 3);
  const Json gone = gateway.control("POST", "/v1/dead-letters/delete", {{"reason", "deleted"}});
  EXPECT_THAT(gone["deleted"], SizeIs(3));
  EXPECT_EQ(gateway.pending("u"), 0U);
  for (const Json& bad : std::vector<Json>{Json::object(),
                                           {{"all", false}},
                                           {{"all", true}, {"userId", "u"}},
                                           {{"messageIds", Json::array()}},
                                           {{"messageIds", {"x"}}},
                                           {{"after", two}}}) {
    EXPECT_EQ(status_of(gateway, "POST", "/v1/dead-letters/delete", bad), 400) << bad;
  }
}

TEST(AdministrationOfMessagesTest, RefusesToRedriveADeadLetterThatIsDamaged) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  const std::string second = "the text of the second, which is spoilt";
  std::vector<std::string> ids;
  for (const std::string& text : {std::string("the first"), second, std::string("the third")}) {
    ids.push_back(gateway.publish(alice.id, text).message_id);
  }
  tell(gateway, "DELETE", "/v1/pending/" + alice.id + "?all=true");
  gateway.stop();
  const std::string path = gateway.data_dir() + "/holdfast.db";
  std::string bytes = read_file(path);
  ASSERT_TRUE(bytes.contains(second));
  for (auto at = bytes.find(second); at != std::string::npos; at = bytes.find(second)) {
    bytes[at + 20] ^= 1;
  }
  write_file(path, bytes);
  gateway.start();

  const Inbox inbox(gateway, alice);
  const Json redriven = gateway.control("POST", "/v1/dead-letters/redrive", {{"all", true}});
  EXPECT_THAT(redriven["redriven"], SizeIs(2));
  ASSERT_THAT(redriven["failed"], SizeIs(1));
  EXPECT_EQ(redriven["failed"][0]["messageId"], ids[1]);
  EXPECT_EQ(redriven["failed"][0]["code"], "io");
  EXPECT_EQ(redriven["failed"][0]["message"],
            "This dead letter is damaged: it is not what was sent");
  EXPECT_THAT(inbox.wait_for(2),
              testing::ElementsAre(payload_frame("the first"), payload_frame("the third")));
  EXPECT_EQ(letter_ids(gateway.control("GET", "/v1/dead-letters")), std::vector{ids[1]});
  const Json gone = gateway.control("POST", "/v1/dead-letters/delete", {{"messageIds", {ids[1]}}});
  EXPECT_EQ(gone["deleted"], Json::array({ids[1]}));
}

TEST(AdministrationOfMessagesTest, KeepsADeadLetterWhoseUserHasNoRoom) {
  TestGateway gateway({.settings = {"delivery.pending_messages=2"}});
  gateway.publish("u", "a");
  tell(gateway, "DELETE", "/v1/pending/u?all=true");
  gateway.publish("u", "b");
  gateway.publish("u", "c");
  const Json full = gateway.control("POST", "/v1/dead-letters/redrive", {{"all", true}});
  EXPECT_THAT(full["redriven"], IsEmpty());
  ASSERT_THAT(full["failed"], SizeIs(1));
  EXPECT_EQ(full["failed"][0]["code"], "limit_exceeded");
  EXPECT_THAT(gateway.control("GET", "/v1/dead-letters")["deadLetters"], SizeIs(1));
}

// A connected receiver, a producer and an operator who deletes and redrives: every message arrives,
// and each frame's sequence is above the one before.
TEST(AdministrationOfMessagesTest, LosesNothingAndKeepsTheOrderWhileAClientReceives) {
  TestGateway gateway;
  const TestUser alice = gateway.make_user();
  std::set<std::string> sent;
  for (int i = 0; i < 40; ++i) {
    sent.insert("old-" + std::to_string(i));
    gateway.publish(alice.id, "old-" + std::to_string(i));
  }
  tell(gateway, "DELETE", "/v1/pending/" + alice.id + "?all=true");
  for (int i = 0; i < 40; ++i) {
    sent.insert("held-" + std::to_string(i));
    gateway.publish(alice.id, "held-" + std::to_string(i));
  }
  const Inbox inbox(gateway, alice, "holdfast.v1");
  std::thread producer([&, client = gateway.client()] {
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(client->publish(outgoing(alice.id, "new-" + std::to_string(i))));
    }
  });
  for (int i = 0; i < 10; ++i) {
    tell(gateway, "DELETE", "/v1/pending/" + alice.id + "?all=true");
    tell(gateway, "POST", "/v1/dead-letters/redrive", {{"userId", alice.id}});
  }
  producer.join();
  for (int i = 0; i < 40; ++i) sent.insert("new-" + std::to_string(i));
  while (!gateway.control("GET", "/v1/dead-letters?userId=" + alice.id)["deadLetters"].empty()) {
    tell(gateway, "POST", "/v1/dead-letters/redrive", {{"userId", alice.id}});
  }
  std::set<std::string> received;
  Sequence last = 0;
  for (const std::string& frame : inbox.wait_for(sent.size())) {
    const Json message = parse_json(frame).value();
    EXPECT_GT(message["sequence"].get<Sequence>(), last);
    last = message["sequence"].get<Sequence>();
    received.insert(message["payload"].get<std::string>());
  }
  EXPECT_EQ(received, sent);
}

std::vector<std::string> everywhere(client::ControlClient& control) {
  std::vector<std::string> out;
  const auto pending = control.call("GET", "/v1/pending/u?limit=1000");
  for (const Json& message : pending.value()["messages"]) out.push_back(message["messageId"]);
  const auto letters = control.call("GET", "/v1/dead-letters?limit=1000");
  for (const Json& letter : letters.value()["deadLetters"]) out.push_back(letter["messageId"]);
  std::ranges::sort(out);
  return out;
}

TEST(AdministrationOfMessagesTest, LeavesEachMessageInOnePlaceWhenKilled) {
  const TempDir folder;
  std::vector<std::string> ids;
  for (unsigned seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    GatewayProcess gateway({.data_dir = folder.file("data")});
    const std::string socket = folder.file("data") + "/control.sock";
    const auto control = std::make_unique<client::ControlClient>(socket);
    if (ids.empty()) {
      for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(gateway.client()->publish(outgoing("u", std::to_string(i))));
      }
      ids = everywhere(*control);
      ASSERT_THAT(ids, SizeIs(100));
    }
    EXPECT_EQ(everywhere(*control), ids);
    std::thread operator_thread([&] {
      const auto own = std::make_unique<client::ControlClient>(socket);
      // Until the daemon is gone.
      while (own->call("DELETE", "/v1/pending/u?all=true") &&
             own->call("POST", "/v1/dead-letters/redrive", Json{{"all", true}})) {
      }
    });
    std::mt19937 random(seed);
    // The moment is what the test is about: nothing is waited for.
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 200));
    gateway.kill();
    operator_thread.join();
  }
  GatewayProcess gateway({.data_dir = folder.file("data")});
  const auto control =
      std::make_unique<client::ControlClient>(folder.file("data") + "/control.sock");
  EXPECT_EQ(everywhere(*control), ids);
}

}  // namespace
}  // namespace holdfast::test
