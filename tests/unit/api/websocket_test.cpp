// Tests the WebSocket handshake: origin, subprotocol and token.

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

class WebSocketHandshake : public GatewayFixture {
 protected:
  void SetUp() override { user_ = add_user("alice"); }

  net::Response refused(std::string target,
                        std::vector<std::pair<std::string, std::string>> headers = {}) {
    auto result = upgrade(std::move(target), std::move(headers));
    EXPECT_TRUE(std::holds_alternative<net::Response>(result)) << "accepted";
    return std::get<net::Response>(std::move(result));
  }
  net::LiveAccepted accepted(const std::string& token,
                             std::vector<std::pair<std::string, std::string>> headers = {}) {
    auto result = upgrade("/ws?token=" + token, std::move(headers));
    EXPECT_TRUE(std::holds_alternative<net::LiveAccepted>(result));
    return std::get<net::LiveAccepted>(std::move(result));
  }
  void expect_unauthorized(const net::Response& response) {
    expect_error(response, 401, "UnauthorizedException", "Unauthorized");
    EXPECT_EQ(response.body, R"({"message":"Unauthorized"})");
  }
  /// Returns whether a client with these headers passes the origin check. Its token is invalid.
  bool lets_in(const std::string& origin, const std::string& host) {
    net::RequestHead head = make_request("GET", "/ws?token=x").head;
    head.headers = {{"Host", host}, {"Origin", origin}};
    int status = 0;
    service_->live()->open(std::move(head), [&](const UpgradeResult& result) {
      status = std::get<net::Response>(result).status;
    });
    run();
    EXPECT_TRUE(status == 401 || status == 403) << status;
    return status == 401;
  }
  void start_allowing(std::vector<std::string> origins) {
    api::GatewayOptions options;
    options.websocket.allowed_origins = std::move(origins);
    start(options);
  }
  FakeMailboxes& home() { return mailboxes_[router_.home(user_.sub)]; }

  identity::User user_;
};

TEST_F(WebSocketHandshake, AdmitsATokenOnceAndAttachesOnTheHomeShard) {
  auto upgraded = accepted(temporary_token("alice"), {{"User-Agent", "test/1\xff"}});
  EXPECT_EQ(upgraded.shard, router_.home(user_.sub));
  EXPECT_EQ(upgraded.subprotocol, "");
  EXPECT_EQ(upgraded.message_bytes_max, 131'072U);
  const auto connection = std::make_shared<FakeConnection>();
  upgraded.on_open(connection);
  ASSERT_EQ(home().attached.size(), 1U);
  EXPECT_TRUE(home().admitted.empty()) << "before the user was looked up";
  run();
  const auto& attached = home().attached[0];
  EXPECT_EQ(attached.info.user, user_.sub);
  EXPECT_EQ(attached.info.username, "alice");
  EXPECT_EQ(attached.info.remote_address, "127.0.0.1");
  EXPECT_EQ(attached.info.user_agent, "test/1?");
  EXPECT_EQ(attached.info.shard, router_.home(user_.sub));
  EXPECT_EQ(attached.info.connected_at, clock_.wall_now());
  EXPECT_EQ(attached.protocol->name(), "payload");
  EXPECT_EQ(attached.connection, connection);
  EXPECT_EQ(home().admitted, std::vector{attached.info.id});
  EXPECT_TRUE(home().closed.empty());
}

TEST_F(WebSocketHandshake, BoundsWhatClientsSendHoweverShortMessagesAreToBe) {
  api::GatewayOptions options;
  options.limits.message.message_bytes = 10;
  start(options);
  EXPECT_EQ(accepted(temporary_token("alice")).message_bytes_max, 131'072U);
}

TEST_F(WebSocketHandshake, TellsTheLogAloneWhyATokenIsRefused) {
  const std::string token = temporary_token("alice");
  (void)accepted(token);
  EXPECT_EQ(refused("/ws").refused, "token: missing");
  EXPECT_EQ(refused("/ws?token=x").refused, "token: format");
  const net::Response used = refused("/ws?token=" + token);
  EXPECT_EQ(used.refused, "token: used");
  expect_unauthorized(used);
  const std::string late = temporary_token("alice");
  clock_.advance(Seconds(36));
  EXPECT_EQ(refused("/ws?token=" + late).refused, "token: exp");
}

TEST_F(WebSocketHandshake, RefusesEveryBadTokenAlike) {
  const std::string token = temporary_token("alice");
  std::string flipped = token;
  flipped[flipped.size() / 2] = flipped[flipped.size() / 2] == 'A' ? 'B' : 'A';
  for (const std::string& query :
       {std::string(), std::string("?"), std::string("?token"), std::string("?token="),
        std::string("?token=garbage"), std::string("?token=%zz"), std::string("?Token=") + token,
        "?token=" + flipped, "?token=" + token + "=", "?token=" + token + "A",
        "?token=" + token + "&token=" + token, std::string("?token=") + std::string(4096, 'A'),
        std::string("?token=%00")}) {
    SCOPED_TRACE(query.substr(0, 60));
    expect_unauthorized(refused("/ws" + query));
    expect_unauthorized(refused("/" + query));
  }
  accepted(token);  // none of them has used it up
  expect_unauthorized(refused("/ws?token=" + token));
}

TEST_F(WebSocketHandshake, ReadsATokenThatIsPercentEncodedOrNotTheFirstParameter) {
  std::string encoded;
  for (const char c : temporary_token("alice")) {
    encoded += "%" + hex_encode(std::string_view(&c, 1));
  }
  EXPECT_TRUE(
      std::holds_alternative<net::LiveAccepted>(upgrade("/prod?a=b&&token=" + encoded + "&c")));
}

TEST_F(WebSocketHandshake, AdmitsATokenUntilItsExpiryAndTheDrift) {
  const std::string in_time = temporary_token("alice");
  clock_.advance(Seconds(34));
  accepted(in_time);
  const std::string late = temporary_token("alice");
  clock_.advance(Seconds(36));
  expect_unauthorized(refused("/ws?token=" + late));
}

TEST_F(WebSocketHandshake, AdmitsOneOfManyWithTheSameToken) {
  const std::string token = temporary_token("alice");
  int admitted = 0;
  int refused = 0;
  for (int i = 0; i < 64; ++i) {
    net::RequestHead head = make_request("GET", "/ws?token=" + token).head;
    head.shard = static_cast<std::size_t>(i % 2);
    service_->live()->open(std::move(head), [&](UpgradeResult result) {
      std::holds_alternative<net::LiveAccepted>(result) ? ++admitted : ++refused;
    });
  }
  run();
  EXPECT_EQ(admitted, 1);
  EXPECT_EQ(refused, 63);
}

TEST_F(WebSocketHandshake, ClosesAUserWhoWasDisabledMeanwhile) {
  auto upgraded = accepted(temporary_token("alice"));
  database_.users[user_.sub.str()].enabled = false;
  upgraded.on_open(std::make_shared<FakeConnection>());
  run();
  ASSERT_EQ(home().closed.size(), 1U);
  EXPECT_EQ(home().closed[0].reason, delivery::CloseReason::access_ended);
  EXPECT_TRUE(home().admitted.empty());
}

TEST_F(WebSocketHandshake, ClosesALoginThatEndedMeanwhileAndNoOther) {
  auto ended = accepted(temporary_token("alice"));
  auto other = accepted(temporary_token("alice"));
  ASSERT_EQ(database_.refresh_tokens.size(), 2U);
  database_.refresh_tokens[0].revoked = true;
  ended.on_open(std::make_shared<FakeConnection>());
  other.on_open(std::make_shared<FakeConnection>());
  run();
  ASSERT_EQ(home().attached.size(), 2U);
  EXPECT_EQ(home().attached[0].info.login, database_.refresh_tokens[0].origin);
  ASSERT_EQ(home().closed.size(), 1U);
  EXPECT_EQ(home().closed[0].id, home().attached[0].info.id);
  EXPECT_EQ(home().closed[0].reason, delivery::CloseReason::access_ended);
  ASSERT_EQ(home().admitted.size(), 1U);
  EXPECT_EQ(home().admitted[0], home().attached[1].info.id);
}

TEST_F(WebSocketHandshake, RefusesEveryTokenWhenTheStoreFails) {
  auto upgraded = accepted(temporary_token("alice"));
  users_[upgraded.shard].fail_next();
  upgraded.on_open(std::make_shared<FakeConnection>());
  run();
  ASSERT_EQ(home().closed.size(), 1U);
  EXPECT_EQ(home().closed[0].reason, delivery::CloseReason::try_again);
  EXPECT_TRUE(home().admitted.empty());
}

TEST_F(WebSocketHandshake, SaysThatTheStoreCannotTell) {
  const std::string token = temporary_token("alice");
  tokens_[0].fail_next();
  const net::Response response = refused("/ws?token=" + token);
  expect_error(response, 503, "ServiceUnavailableException", "Service Unavailable");
  EXPECT_EQ(header(response, "Retry-After"), "1");
}

TEST_F(WebSocketHandshake, LetsItsOwnAndTheListedOriginsIn) {
  start_allowing({"https://chat.example.com", "http://localhost:3000"});
  for (const char* origin :
       {"http://127.0.0.1:8080", "https://127.0.0.1:8080", "https://chat.example.com",
        "HTTPS://Chat.Example.com", "https://chat.example.com:443", "http://localhost:3000"}) {
    SCOPED_TRACE(origin);
    accepted(temporary_token("alice"), {{"Origin", origin}});
  }
}

TEST_F(WebSocketHandshake, LetsProgramsInThatNameItsHostInTheirOwnForm) {
  // Each form, with `{}` for the host and its port or without it. No browser sends most of them.
  for (const std::string form :
       {"wss://{}", "ws://{}", "WSS://{}", "wss://{}/", "ws://{}/ws", "http://{}/ws?token=x",
        "https://{}/ws", "{}", "//{}", "{}/ws", "http://{}"}) {
    for (const auto& [own, other] :
         {std::pair("127.0.0.1:8080", "evil.example:8080"), std::pair("127.0.0.1", "127.0.0.2"),
          std::pair("127.0.0.1:8080", "127.0.0.1:8081"), std::pair("127.0.0.1", "127.0.0.1.evil"),
          std::pair("127.0.0.1:8080", "evil@127.0.0.1:8080")}) {
      const auto with = [&form](const std::string& host) {
        std::string out = form;
        return out.replace(out.find("{}"), 2, host);
      };
      SCOPED_TRACE(with(own) + " and " + with(other));
      accepted(temporary_token("alice"), {{"Origin", with(own)}});
      expect_error(refused("/ws?token=x", {{"Origin", with(other)}}), 403, "ForbiddenException",
                   "Forbidden");
    }
  }
  for (const auto& [origin, host] : {std::pair("wss://127.0.0.1.", "127.0.0.1:8080"),
                                     std::pair("wss://push.example.com", "push.example.com."),
                                     std::pair("wss://push.example.com.", "push.example.com:443"),
                                     std::pair("push.example.com.:8080", "push.example.com.:8080"),
                                     std::pair("http://push.example.com", "push.example.com.")}) {
    SCOPED_TRACE(origin);
    const bool address = std::string_view(host).starts_with("127");
    EXPECT_EQ(lets_in(origin, host), !address);
  }
  for (const char* no_host : {"", " ", "ws://", "http://", "//"}) {
    SCOPED_TRACE(no_host);
    accepted(temporary_token("alice"), {{"Origin", no_host}});
  }
}

TEST_F(WebSocketHandshake, LetsProgramsInThatNameItsPublicHostWhateverAProxyAsksFor) {
  api::GatewayOptions options;
  options.instance.origin = "https://push.example.com";
  start(options);
  for (const char* const origin :
       {"https://push.example.com", "wss://push.example.com", "wss://push.example.com:443",
        "push.example.com", "http://push.example.com", "wss://push.example.com./ws",
        "wss://backend:8080", "http://backend:8080"}) {
    EXPECT_TRUE(lets_in(origin, "backend:8080")) << origin;
  }
  for (const char* const origin :
       {"wss://push.example.com:8443", "wss://push.example.com.evil", "wss://evil.push.example.com",
        "wss://a@push.example.com", "capacitor://push.example.com", "null", "wss://push.example"}) {
    EXPECT_FALSE(lets_in(origin, "backend:8080")) << origin;
  }
  options.instance.origin = "https://push.example.com:8443";
  start(options);
  EXPECT_TRUE(lets_in("wss://push.example.com:8443", "backend:8080"));
  EXPECT_TRUE(lets_in("push.example.com", "backend:8080"));
  EXPECT_FALSE(lets_in("wss://push.example.com:443", "backend:8080"));
  options.instance.origin.clear();
  start(options);
  EXPECT_FALSE(lets_in("wss://push.example.com", "backend:8080"));
}

TEST_F(WebSocketHandshake, MatchesListedOriginsOfEverySchemeExactly) {
  start_allowing(
      {"capacitor://localhost", "chrome-extension://abcdefghij", "app://host:81", "file://"});
  for (const char* origin :
       {"capacitor://localhost", "chrome-extension://abcdefghij", "app://host:81", "file://"}) {
    SCOPED_TRACE(origin);
    accepted(temporary_token("alice"), {{"Origin", origin}});
  }
  for (const char* origin :
       {"ionic://localhost", "http://localhost", "capacitor://localhost:80",
        "capacitor://localhost.evil", "chrome-extension://abcdefghi", "app://host", "app://host:82",
        "capacitor:localhost", "null", "file:///", "file://host", "file:"}) {
    SCOPED_TRACE(origin);
    expect_error(refused("/ws?token=x", {{"Origin", origin}}), 403, "ForbiddenException", "");
  }
}

TEST_F(WebSocketHandshake, TellsTheLogWhichOriginWasRefused) {
  const net::Response response =
      refused("/ws?token=x", {{"Origin", "http://localhost:3000\x01\xc3\xa9"}});
  EXPECT_EQ(response.refused,
            "origin http://localhost:3000??? is not in websocket.allowed_origins");
  EXPECT_LT(refused("/ws", {{"Origin", "http://" + std::string(5'000, 'x')}}).refused.size(), 400U);
}

TEST_F(WebSocketHandshake, KeepsOtherOriginsOutAndTheirTokensUnburnt) {
  start_allowing({"https://chat.example.com"});
  const std::string token = temporary_token("alice");
  for (const char* origin :
       {"null", "http://evil.example", "http://chat.example.com", "https://chat.example.com.evil",
        "https://chat.example.com:8443", "http://127.0.0.1:80801", "http://127.0.0.1:3000",
        "file://", "http://user@127.0.0.1:8080", "capacitor://127.0.0.1:8080", "*"}) {
    SCOPED_TRACE(origin);
    expect_error(refused("/ws?token=" + token, {{"Origin", origin}}), 403, "ForbiddenException",
                 "Forbidden");
  }
  expect_error(refused("/ws?token=" + token,
                       {{"Origin", "http://127.0.0.1:8080"}, {"Origin", "http://evil.example"}}),
               403, "ForbiddenException", "Forbidden");
  accepted(token);
}

TEST_F(WebSocketHandshake, LetsEveryOriginInWhenToldSo) {
  start_allowing({"*"});
  accepted(temporary_token("alice"), {{"Origin", "http://anywhere.example"}});
}

TEST_F(WebSocketHandshake, ChoosesItsSubprotocolFromWhatIsOffered) {
  const std::vector<std::vector<std::pair<std::string, std::string>>> rows = {
      {{"Sec-WebSocket-Protocol", "holdfast.v1"}},
      {{"Sec-WebSocket-Protocol", "other, holdfast.v1 ,x"}},
      {{"Sec-WebSocket-Protocol", "other"}, {"sec-websocket-protocol", "holdfast.v1"}}};
  for (const auto& headers : rows) {
    auto upgraded = accepted(temporary_token("alice"), headers);
    EXPECT_EQ(upgraded.subprotocol, "holdfast.v1");
    upgraded.on_open(std::make_shared<FakeConnection>());
    EXPECT_EQ(home().attached.back().protocol->name(), "holdfast.v1");
    run();
  }
}

TEST_F(WebSocketHandshake, RefusesAnUnknownSubprotocolAndBurnsNoToken) {
  const std::string token = temporary_token("alice");
  for (const char* offered : {"other", "Holdfast.v1", "holdfast.v2, other", "", "holdfast.v1, a b",
                              "holdfast.v1, \"x\""}) {
    SCOPED_TRACE(offered);
    expect_error(refused("/ws?token=" + token, {{"Sec-WebSocket-Protocol", offered}}), 400,
                 "BadRequestException", "subprotocol");
  }
  accepted(token);
}

TEST_F(WebSocketHandshake, AsksForAcknowledgementsWhereTheyAreConfigured) {
  api::GatewayOptions options;
  options.acknowledge = delivery::Acknowledge::client;
  start(options);
  const std::string token = temporary_token("alice");
  expect_error(refused("/ws?token=" + token), 400, "BadRequestException", "subprotocol");
  accepted(token, {{"Sec-WebSocket-Protocol", "holdfast.v1"}});
}

TEST_F(WebSocketHandshake, SendsBareTextWhereThatIsConfigured) {
  api::GatewayOptions options;
  options.websocket.frame = delivery::FrameFormat::raw;
  start(options);
  accepted(temporary_token("alice")).on_open(std::make_shared<FakeConnection>());
  EXPECT_EQ(home().attached.back().protocol->name(), "raw");
  run();
}

TEST_F(WebSocketHandshake, ChecksTheOriginBeforeTheSubprotocolBeforeTheToken) {
  EXPECT_EQ(
      refused("/ws", {{"Origin", "http://evil.example"}, {"Sec-WebSocket-Protocol", "x"}}).status,
      403);
  EXPECT_EQ(refused("/ws", {{"Sec-WebSocket-Protocol", "x"}}).status, 400);
  EXPECT_EQ(refused("/ws").status, 401);
}

}  // namespace
}  // namespace holdfast::test
