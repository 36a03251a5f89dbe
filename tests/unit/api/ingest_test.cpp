// Tests POST /message and POST /messages.

#include <random>

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

class Ingest : public GatewayFixture {
 protected:
  std::size_t sent() const { return mailboxes_[0].sent.size() + mailboxes_[1].sent.size(); }
  net::Response send(const std::string& body) { return call(signed_message(body)); }
  net::Response send_batch(const std::string& body) {
    return call(signed_message(body, "/messages"));
  }
  void answer_all(const delivery::SendOutcome& outcome) {
    for (FakeMailboxes& mailboxes : mailboxes_) {
      mailboxes.decide = [outcome](const delivery::SendRequest&) { return outcome; };
    }
  }
};

TEST_F(Ingest, TakesEverySpellingOfAnInteger) {
  const auto ttl_of = [this](const std::string& spelled) -> std::optional<Seconds> {
    const std::string entry = R"({"userId":"u","message":"m","ttlSeconds":)" + spelled + "}";
    FakeMailboxes& home = mailboxes_[router_.home(UserId("u"))];
    home.sent.clear();
    if (send(entry).status != 200) return std::nullopt;
    const auto ttl = home.sent.at(0).ttl;
    EXPECT_EQ(send_batch(R"({"messages":[)" + entry + "]}").status, 200) << spelled;
    EXPECT_EQ(home.sent.at(1).ttl, ttl) << spelled;
    return ttl;
  };
  for (const char* sixty : {"60", "60.0", "60.000", "6e1", "6E+1", "600e-1", "0.6e2"}) {
    EXPECT_EQ(ttl_of(sixty), Seconds(60)) << sixty;
  }
  for (const char* other : {"60.5", "6e-1", "0.0", "\"60\"", "1e300", "9007199254740993.0",
                            "1209601.0", "[60]", "true"}) {
    EXPECT_EQ(ttl_of(other), std::nullopt) << other;
  }
}

TEST_F(Ingest, TakesNullForAnAbsentOptionalMemberAndNeverForARequiredOne) {
  for (const char* nulls : {R"(,"ttlSeconds":null)", R"(,"deduplicationId":null)",
                            R"(,"ttlSeconds":null,"deduplicationId":null,"x":null)"}) {
    const std::string entry = std::string(R"({"userId":"u","message":"m")") + nulls + "}";
    FakeMailboxes& home = mailboxes_[router_.home(UserId("u"))];
    home.sent.clear();
    EXPECT_EQ(send(entry).status, 200) << entry;
    EXPECT_EQ(send_batch(R"({"messages":[)" + entry + "]}").status, 200) << entry;
    ASSERT_EQ(home.sent.size(), 2U);
    for (const delivery::SendRequest& sent : home.sent) {
      EXPECT_EQ(sent.ttl, std::nullopt);
      EXPECT_EQ(sent.deduplication_id, std::nullopt);
    }
  }
  for (const char* body :
       {R"({"userId":null,"message":"m"})", R"({"userId":"u","message":null})"}) {
    EXPECT_EQ(send(body).status, 400) << body;
    EXPECT_EQ(send_batch(std::string(R"({"messages":[)") + body + "]}").status, 400) << body;
  }
  EXPECT_EQ(send_batch(R"({"messages":null})").status, 400);
  EXPECT_EQ(send_batch(R"({"messages":[null]})").status, 400);
}

struct BadBody {
  std::string body;
  std::string words;
};

TEST_F(Ingest, NamesTheFieldOfEveryBadBody) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const std::vector<BadBody> rows = {
      {"", "not JSON"},
      {"hello", "not JSON"},
      {"[]", "must be an object"},
      {"[{\"userId\":\"u\",\"message\":\"m\"}]", "must be an object"},
      {"\"text\"", "must be an object"},
      {"null", "must be an object"},
      {"{}", "userId: is required"},
      {R"({"message":"m"})", "userId: is required"},
      {R"({"userId":"u"})", "message: is required"},
      {R"({"userId":"","message":"m"})", "userId: must have 1 to 128 bytes"},
      {R"({"userId":")" + std::string(129, 'u') + R"(","message":"m"})", "userId: "},
      {R"({"userId":"u","message":""})", "message: must not be empty"},
      {R"({"userId":1,"message":"m"})", "userId: must be a string"},
      {R"({"userId":null,"message":"m"})", "userId: must be a string"},
      {R"({"userId":["u"],"message":"m"})", "userId: must be a string"},
      {R"({"userId":{"userId":"u"},"message":"m"})", "userId: must be a string"},
      {R"({"userId":"u","message":true})", "message: must be a string"},
      {R"({"userId":"u","message":{"message":"m"}})", "message: must be a string"},
      {R"({"userId":"u","message":"m","deduplicationId":5})", "deduplicationId: must be a string"},
      {R"({"userId":"u","message":"m","deduplicationId":""})", "deduplicationId: "},
      {R"({"userId":"u","message":"m","deduplicationId":"é"})", "deduplicationId: "},
      {R"({"userId":"u","message":"m","deduplicationId":"a\u007f"})", "deduplicationId: "},
      {R"({"userId":"u","message":"m","ttlSeconds":"5"})", "ttlSeconds: must be an integer"},
      {R"({"userId":"u","message":"m","ttlSeconds":5.5})", "ttlSeconds: must be an integer"},
      {R"({"userId":"u","message":"m","ttlSeconds":0})", "ttlSeconds: must be 1 to 1209600"},
      {R"({"userId":"u","message":"m","ttlSeconds":-1})", "ttlSeconds: must be 1 to"},
      {R"({"userId":"u","message":"m","ttlSeconds":1209601})", "ttlSeconds: must be 1 to"},
      {R"({"userId":"u","message":"m","ttlSeconds":18446744073709551615})", "ttlSeconds: must be"},
      {R"({"userId":"u","message":"m","userId":"v"})", "userId: duplicate name"},
      {R"({"userId":"u","message":"m","x":{"a":1,"a":2}})", "x.a: duplicate name"},
      {R"({"userId":"u","message":"m"} x)", "not JSON"},
      {R"({"userId":"u","message":"m"}{})", "not JSON"},
      {R"({"userId":"u","message":"a\u0000b"})", "message: NUL"},
      {R"({"userId":"u","message":"\ud800"})", "message: not JSON"},
      {R"({"userId":"u","message":"\udc00\ud800"})", "message: not JSON"},
      {"{\"userId\":\"u\",\"message\":\"\xff\"}", "message: not JSON"},
      {"{\"userId\":\"u\",\"message\":\"\xc0\xaf\"}", "message: not JSON"},
      {"\xef\xbb\xbf{\"userId\":\"u\",\"message\":\"m\"}", "not JSON"},
      {std::string("\xff\xfe{\0", 4), "not JSON"},
      {R"({"userId":"u","message":"m","x":)" + deep + "}", "nested too deeply"},
      {deep, "nested too deeply"},
      {R"({"userId":"u","message":"m","x":1e999})", "not JSON"},
      {R"({"userId":"u","message":"m","x":NaN})", "not JSON"},
      {R"({"userId":"u","message":"m",})", "not JSON"},
      {"{'userId':'u','message':'m'}", "not JSON"},
      {std::string("{\"userId\":\"u\",\"message\":\"m\"}\0", 29), "not JSON"},
  };
  for (const BadBody& row : rows) {
    SCOPED_TRACE(row.body.substr(0, 80));
    const net::Response response = send(row.body);
    expect_error(response, 400, "BadRequestException", row.words);
    EXPECT_TRUE(message_of(response).starts_with("Invalid request body: ")) << response.body;
  }
  EXPECT_EQ(sent(), 0U);
}

TEST_F(Ingest, TakesTheLargestMessageAndRefusesOneByteMore) {
  const auto body = [](std::size_t bytes) {
    return R"({"userId":"u","message":")" + std::string(bytes, 'm') + R"("})";
  };
  EXPECT_EQ(send(body(131'072)).status, 200);
  expect_error(send(body(131'073)), 413, "RequestTooLargeException", "Request Too Long");
  EXPECT_EQ(sent(), 1U);
}

TEST_F(Ingest, CountsTheMessageAfterUnescaping) {
  std::string escaped;
  for (int i = 0; i < 131'072; ++i) escaped += "\\u0001";
  EXPECT_EQ(send(R"({"userId":"u","message":")" + escaped + R"("})").status, 200);
  const auto& sent_to = mailboxes_[router_.home(UserId("u"))].sent;
  ASSERT_EQ(sent_to.size(), 1U);
  EXPECT_EQ(sent_to[0].payload.size(), 131'072U);
}

TEST_F(Ingest, RefusesALongBodyBeforeTheSignatureIsLookedAt) {
  net::Request request = message_request(std::string((1 << 20) + 1, ' '));
  expect_error(call(std::move(request)), 413, "RequestTooLargeException", "Request Too Long");
}

TEST_F(Ingest, TakesJsonAloneWhateverItsParameters) {
  const auto with_type = [&](const std::string& type) {
    net::Request request = make_request("POST", "/message", std::string(kJsonMessage));
    if (!type.empty()) request.head.headers.emplace_back("Content-Type", type);
    sign(request);
    return call(std::move(request));
  };
  for (const char* good : {"application/json", "Application/JSON; charset=utf-8",
                           "application/json;v=1", "application/json ;a=b", ""}) {
    EXPECT_EQ(with_type(good).status, 200) << good;
  }
  for (const char* bad : {"text/plain", "application/x-www-form-urlencoded", "application/jsonp",
                          "application/json, text/plain", "json", ";"}) {
    SCOPED_TRACE(bad);
    expect_error(with_type(bad), 415, "BadRequestException", "Unsupported Media Type");
  }
}

TEST_F(Ingest, TellsDeliveryFromStorage) {
  answer_all(delivery::Receipt{MessageId(), 7, delivery::DeliveryStatus::delivered});
  EXPECT_EQ(send(std::string(kJsonMessage)).body,
            R"({"messageId":"00000000-0000-0000-0000-000000000000","sequence":7,)"
            R"("status":"DELIVERED"})");
}

struct Refusal {
  Errc code;
  int status;
  std::string type;
  bool retry;
};

TEST_F(Ingest, GivesEveryRefusalOfDeliveryItsStatus) {
  const std::vector<Refusal> rows = {
      {Errc::limit_exceeded, 429, "LimitExceededException", true},
      {Errc::too_many_requests, 429, "TooManyRequestsException", true},
      {Errc::unavailable, 503, "ServiceUnavailableException", true},
      {Errc::io, 503, "ServiceUnavailableException", true},
      {Errc::internal, 503, "ServiceUnavailableException", true},
      {Errc::conflict, 409, "ConflictException", false},
  };
  for (const Refusal& row : rows) {
    answer_all(fail(row.code, "because"));
    const net::Response response = send(std::string(kJsonMessage));
    expect_error(response, row.status, row.type, "");
    EXPECT_EQ(header(response, "Retry-After"), row.retry ? "1" : "");
  }
}

TEST_F(Ingest, AnswersABatchByIndex) {
  for (FakeMailboxes& mailboxes : mailboxes_) {
    mailboxes.decide = [](const delivery::SendRequest& request) -> delivery::SendOutcome {
      if (request.payload == "bad") return fail(Errc::limit_exceeded, "too many pending");
      if (request.payload == "late") return fail(Errc::unavailable, "the queue is full");
      return delivery::Receipt{MessageId(), 9, delivery::DeliveryStatus::stored};
    };
  }
  const net::Response response =
      send_batch(R"({"messages":[{"userId":"a","message":"1"},{"userId":"b","message":"bad"},)"
                 R"({"userId":"c","message":"3"},{"userId":"d","message":"late"}]})");
  ASSERT_EQ(response.status, 200) << response.body;
  const Json body = parse_json(response.body).value();
  ASSERT_EQ(body["Successful"].size(), 2U);
  EXPECT_EQ(body["Successful"][0]["index"], 0);
  EXPECT_EQ(body["Successful"][1]["index"], 2);
  EXPECT_EQ(body["Successful"][1]["status"], "STORED");
  EXPECT_EQ(body["Successful"][1]["sequence"], 9);
  ASSERT_EQ(body["Failed"].size(), 2U);
  EXPECT_EQ(body["Failed"][0]["index"], 1);
  EXPECT_EQ(body["Failed"][0]["code"], "LimitExceededException");
  EXPECT_EQ(body["Failed"][0]["message"], "Limit Exceeded: too many pending");
  EXPECT_EQ(body["Failed"][1], (Json{{"index", 3},
                                     {"code", "ServiceUnavailableException"},
                                     {"message", "Service Unavailable"}}));
}

TEST_F(Ingest, SendsNothingOfABatchWithABadEntry) {
  const std::string good = R"({"userId":"u","message":"m"})";
  const std::string many = [&] {
    std::string out = good;
    for (int i = 0; i < 500; ++i) out += "," + good;
    return out;
  }();
  const std::vector<BadBody> rows = {
      {"{}", "messages: is required"},
      {good, "messages: is required"},
      {R"({"messages":null})", "messages: must be an array"},
      {R"({"messages":{"0":)" + good + "}}", "messages: must be an array"},
      {R"({"messages":[]})", "messages: must have 1 to 500 entries"},
      {R"({"messages":[)" + many + "]}", "messages: must have 1 to 500 entries"},
      {R"({"other":[)" + good + R"(],"messages":[]})", "messages: must have 1 to 500 entries"},
      {R"({"messages":[)" + good + ",5]}", "messages[1]: must be an object"},
      {R"({"messages":[)" + good + ",[" + good + "]]}", "messages[1]: must be an object"},
      {R"({"messages":[)" + good + R"(,{"userId":"u"}]})", "messages[1].message: is required"},
      {R"({"messages":[{"userId":"u","message":"m","ttlSeconds":"1"}]})",
       "messages[0].ttlSeconds: must be an integer"},
      {R"({"messages":[)" + good + R"(,{"userId":"u","userId":"v","message":"m"}]})",
       "messages[1].userId: duplicate name"},
      {R"({"messages":[)" + good + R"(],"messages":[]})", "messages: duplicate name"},
      {"[" + good + "]", "must be an object"},
  };
  for (const BadBody& row : rows) {
    SCOPED_TRACE(row.body.substr(0, 80));
    expect_error(send_batch(row.body), 400, "BadRequestException", row.words);
  }
  EXPECT_EQ(sent(), 0U);
}

TEST_F(Ingest, TakesABatchOfFiveHundred) {
  std::string body = R"({"messages":[)";
  for (int i = 0; i < 500; ++i) {
    if (i > 0) body += ',';
    body += R"({"userId":"user)" + std::to_string(i % 7) + R"(","message":"m)" + std::to_string(i) +
            R"("})";
  }
  const net::Response response = send_batch(body + "]}");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(parse_json(response.body).value()["Successful"].size(), 500U);
  EXPECT_EQ(sent(), 500U);
}

TEST_F(Ingest, RefusesABatchWithOneMessageTooLong) {
  const std::string body =
      R"({"messages":[{"userId":"u","message":"m"},{"userId":"u","message":")" +
      std::string(131'073, 'm') + R"("}]})";
  expect_error(send_batch(body), 413, "RequestTooLargeException", "Request Too Long");
  EXPECT_EQ(sent(), 0U);
}

// Bodies that nobody thought of: mutations of good ones, and noise.
TEST_F(Ingest, AnswersRandomBodiesWithA4xxOrTheTruth) {
  const std::vector<std::string> seeds = {
      std::string(kJsonMessage),
      R"({"userId":"u","message":"m\u00e9","deduplicationId":"d","ttlSeconds":5,"x":[{"y":1.5}]})",
      R"({"messages":[{"userId":"u","message":"m"},{"userId":"v","message":"n"}]})"};
  std::mt19937 random(20260122);
  for (int round = 0; round < 3000; ++round) {
    std::string body = seeds[random() % seeds.size()];
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < edits && !body.empty(); ++i) {
      const std::size_t at = random() % body.size();
      switch (random() % 4) {
        case 0:
          body[at] = static_cast<char>(random());
          break;
        case 1:
          body.erase(at, 1 + random() % 4);
          break;
        case 2:
          body.insert(at, 1, "{}[]\",:\\0e-"[random() % 11]);
          break;
        default:
          body.insert(at, body.substr(random() % body.size(), random() % 12));
      }
    }
    const std::size_t before = sent();
    const net::Response response =
        call(signed_message(body, round % 2 == 0 ? "/message" : "/messages"));
    if (response.status == 200) {
      EXPECT_TRUE(parse_json(response.body).has_value()) << response.body;
    } else {
      EXPECT_TRUE(response.status == 400 || response.status == 413) << response.status << body;
      EXPECT_EQ(sent(), before) << body;
    }
  }
}

}  // namespace
}  // namespace holdfast::test
