// Tests repeated signed requests.

#include "api/replays.hpp"

#include <thread>

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

using api::Replays;

const SenderQuotaPtr kAlice = std::make_shared<SenderQuota>("alice");
const SenderQuotaPtr kBob = std::make_shared<SenderQuota>("bob");
constexpr std::int64_t kNow = 1'769'076'000;

WallTime wall(std::int64_t second) { return wall_from_micros(second * 1'000'000); }

iam::Signature signature(std::uint32_t number, std::int64_t second = kNow) {
  const Digest digest = sha256(std::to_string(number));
  return {.bytes = digest, .date = wall(second)};
}

std::shared_ptr<Replays> memory(std::size_t capacity = 100'000,
                                std::shared_ptr<BoundRefusals> refusals = nullptr) {
  Replays::Options options;
  options.capacity = capacity;
  return std::make_shared<Replays>(options, std::move(refusals));
}

using Begun = std::variant<Replays::First, Replays::Refused>;
bool is_first(const Begun& begun) { return std::holds_alternative<Replays::First>(begun); }
Replays::Reason reason(const Begun& begun) { return std::get<Replays::Refused>(begun).reason; }

TEST(ReplayMemory, TellsARepetitionWhatCameOfTheFirst) {
  const auto replays = memory();
  delivery::Receipt receipt;
  receipt.sequence = 7;
  const auto body = std::make_shared<const std::string>("{}");
  const std::pair<std::uint32_t, Replays::Answer> rows[] = {
      {1, Replays::Done{204}}, {2, receipt}, {3, body}};
  for (const auto& [number, answer] : rows) {
    auto begun = replays->begin(signature(number), kAlice, wall(kNow));
    ASSERT_TRUE(is_first(begun));
    EXPECT_EQ(reason(replays->begin(signature(number), kAlice, wall(kNow))),
              Replays::Reason::in_flight);
    std::get<Replays::First>(begun).done(answer);
    const auto again = replays->begin(signature(number), kAlice, wall(kNow + 300));
    ASSERT_EQ(reason(again), Replays::Reason::answered);
    EXPECT_EQ(std::get<Replays::Refused>(again).answer.index(), answer.index());
  }
  EXPECT_EQ(replays->size(), 3U);
}

TEST(ReplayMemory, LetsWhatHasChangedNothingBeTriedAgain) {
  const auto replays = memory();
  for (int i = 0; i < 3; ++i) {
    auto begun = replays->begin(signature(1), kAlice, wall(kNow));
    ASSERT_TRUE(is_first(begun));
    std::get<Replays::First>(begun).undone();
    EXPECT_EQ(replays->size(), 0U);
  }
  // One that nobody answers for may have changed something.
  {
    const auto begun = replays->begin(signature(1), kAlice, wall(kNow));
  }
  EXPECT_EQ(reason(replays->begin(signature(1), kAlice, wall(kNow))), Replays::Reason::answered);
}

TEST(ReplayMemory, WakesThoseWhoWaitedForTheFirst) {
  const auto replays = memory();
  auto begun = replays->begin(signature(1), kAlice, wall(kNow));
  int woken = 0;
  for (int i = 0; i < 64; ++i) {
    EXPECT_TRUE(replays->wait(signature(1), kAlice, [&woken] { ++woken; }));
  }
  EXPECT_EQ(reason(replays->begin(signature(1), kAlice, wall(kNow))), Replays::Reason::full);
  EXPECT_EQ(woken, 0);
  std::get<Replays::First>(begun).done(Replays::Done{});
  EXPECT_EQ(woken, 64);
  EXPECT_FALSE(replays->wait(signature(1), kAlice, [] { FAIL(); }));
}

// Against a map that forgets nothing.
TEST(ReplayMemory, AgreesWithAPlainSet) {
  const auto replays = memory(4'000'000);
  std::map<std::uint32_t, bool> done;
  std::uint32_t random = 1;
  for (int step = 0; step < 100'000; ++step) {
    random = random * 1'664'525 + 1'013'904'223;
    const std::uint32_t number = (random >> 8) % 20'000;
    const std::int64_t date = kNow - 290 + number % 590;
    auto begun = replays->begin(signature(number, date), kAlice, wall(kNow));
    ASSERT_EQ(is_first(begun), !done[number]) << number;
    if (!is_first(begun)) continue;
    if (random % 3 == 0) {
      std::get<Replays::First>(begun).undone();
    } else {
      std::get<Replays::First>(begun).done(Replays::Done{});
      done[number] = true;
    }
  }
  EXPECT_EQ(replays->size(), static_cast<std::size_t>(std::ranges::count_if(
                                 done, &std::pair<const std::uint32_t, bool>::second)));
}

TEST(ReplayMemory, ForgetsWhatIsNoLongerGood) {
  const auto replays = memory();
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    (void)replays->begin(signature(i, kNow + i % 300), kAlice, wall(kNow));
  }
  EXPECT_EQ(replays->size(), 1'000U);
  // It is looked for seldom, and in each part when something is signed.
  for (std::uint32_t i = 0; i < 200; ++i) {
    (void)replays->begin(signature(5'000 + i, kNow + 650), kBob, wall(kNow + 650));
  }
  EXPECT_EQ(replays->size(), 200U);
}

// Whatever crowds it: a signature never goes on twice.
TEST(ReplayMemory, NeverLetsASignatureThroughTwiceWhenItIsFull) {
  const auto refusals = std::make_shared<BoundRefusals>();
  const auto replays = memory(16 * 8 * 20, refusals);
  std::uint32_t number = 0;
  std::map<std::uint32_t, std::int64_t> gone_through;
  for (std::int64_t second = kNow; second < kNow + 60; ++second) {
    for (int i = 0; i < 100; ++i) {
      const auto begun = replays->begin(signature(++number, second), kAlice, wall(second));
      if (is_first(begun)) gone_through[number] = second;
    }
    for (const auto& [old, date] : gone_through) {
      ASSERT_FALSE(is_first(replays->begin(signature(old, date), kAlice, wall(second)))) << old;
    }
  }
  // The share holds a few seconds of it, and what is signed now goes through.
  EXPECT_GT(gone_through.size(), 5'500U);
  EXPECT_LE(replays->size(), 16U * 20);
  EXPECT_GT(refusals->read(Bound::replays, BoundScope::share), 0U);
  // Another key does not feel it, even with dates that are no longer taken of the first.
  EXPECT_TRUE(is_first(replays->begin(signature(++number, kNow), kBob, wall(kNow + 60))));
  EXPECT_EQ(reason(replays->begin(signature(++number, kNow), kAlice, wall(kNow + 60))),
            Replays::Reason::too_old);
}

TEST(ReplayMemory, RefusesMoreThanItHoldsOfOneSecond) {
  const auto replays = memory(16 * 8);
  int first = 0;
  int full = 0;
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    const auto begun = replays->begin(signature(i), kAlice, wall(kNow));
    is_first(begun) ? ++first : ++full;
    if (!is_first(begun)) {
      EXPECT_EQ(reason(begun), Replays::Reason::full);
    }
  }
  EXPECT_EQ(first, 16);
  EXPECT_EQ(full, 984);
}

TEST(ReplayMemory, GoesOnWhenTheClockIsSetBack) {
  const auto replays = memory(16 * 8);
  const std::int64_t ahead = kNow + 86'400;
  for (std::uint32_t i = 0; i < 200; ++i) {
    (void)replays->begin(signature(i, ahead + i / 50), kAlice, wall(ahead));
  }
  EXPECT_TRUE(is_first(replays->begin(signature(9'000), kAlice, wall(kNow))));
}

TEST(ReplayMemory, LetsOneOfManyThreadsGoOn) {
  const auto replays = memory();
  std::atomic<int> firsts = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::uint32_t number = 0; number < 5'000; ++number) {
        if (is_first(replays->begin(signature(number), kAlice, wall(kNow)))) ++firsts;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(firsts, 5'000);
}

/// Sends identical bytes to the gateway again.
class Repetitions : public GatewayFixture {
 protected:
  std::size_t sent() const { return mailboxes_[0].sent.size() + mailboxes_[1].sent.size(); }
  net::Request with_shard(net::Request request, std::size_t shard) {
    request.head.shard = shard;
    return request;
  }
};

TEST_F(Repetitions, GetTheReceiptOfTheFirstMessage) {
  for (const Seconds ahead :
       {Seconds(-299), Seconds(-120), Seconds(0), Seconds(120), Seconds(299)}) {
    for (const char* body : {R"({"userId":"u1","message":"hello"})",
                             R"({"userId":"u1","message":"hello","deduplicationId":"d"})"}) {
      const std::size_t before = sent();
      clock_.advance(ahead);
      const net::Request request = signed_message(body);
      clock_.advance(-ahead);
      const net::Response first = call(request);
      ASSERT_EQ(first.status, 200) << first.body;
      // Until it is good no more.
      const std::int64_t good = 300 + ahead.count();
      for (std::int64_t second = 0; second <= good; second += 7) {
        const net::Response again = call(with_shard(request, second % 2));
        EXPECT_EQ(again.status, 200) << second;
        EXPECT_EQ(again.body, first.body) << second;
        clock_.advance(Seconds(7));
      }
      clock_.advance(Seconds(10));
      EXPECT_EQ(call(request).status, 403);
      EXPECT_EQ(sent(), before + 1) << ahead.count() << " " << body;
    }
  }
}

TEST_F(Repetitions, GetTheAnswerOfTheFirstBatch) {
  for (FakeMailboxes& mailboxes : mailboxes_) {
    mailboxes.decide = [](const delivery::SendRequest& request) -> delivery::SendOutcome {
      if (request.payload == "no") return fail(Errc::unavailable, "busy");
      return delivery::Receipt{};
    };
  }
  const net::Request mixed = signed_message(
      R"({"messages":[{"userId":"u","message":"yes"},{"userId":"v","message":"no"}]})",
      "/messages");
  const net::Response first = call(mixed);
  ASSERT_EQ(first.status, 200);
  const std::size_t before = sent();
  EXPECT_EQ(call(mixed).body, first.body);
  EXPECT_EQ(sent(), before);
  // Nothing of it was sent: it may be tried again.
  const net::Request none =
      signed_message(R"({"messages":[{"userId":"v","message":"no"}]})", "/messages");
  (void)call(none);
  (void)call(none);
  EXPECT_EQ(sent(), before + 2);
}

TEST_F(Repetitions, RunAgainAfterARefusal) {
  std::optional<Error> error = Error(Errc::unavailable, "busy");
  for (FakeMailboxes& mailboxes : mailboxes_) {
    mailboxes.decide = [&error](const delivery::SendRequest&) -> delivery::SendOutcome {
      if (error) return std::unexpected(*error);
      return delivery::Receipt{};
    };
  }
  const net::Request request = signed_message();
  EXPECT_EQ(call(request).status, 503);
  EXPECT_EQ(call(request).status, 503);
  error.reset();
  EXPECT_EQ(call(request).status, 200);
  EXPECT_EQ(call(request).status, 200);
  EXPECT_EQ(sent(), 3U);
}

TEST_F(Repetitions, SendAPresignedMessageOnce) {
  net::Request request = message_request();
  const std::string date = format_iso8601_basic(clock_.wall_now());
  const std::string day = date.substr(0, 8);
  const std::string scope = day + "/us-east-1/execute-api/aws4_request";
  request.head.target += "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" +
                         percent_encode(std::string(kRootKey) + "/" + scope) +
                         "&X-Amz-Date=" + date + "&X-Amz-Expires=300&X-Amz-SignedHeaders=host";
  const std::vector<iam::Header> headers{{"Host", "127.0.0.1:8080"}};
  const std::string canonical =
      iam::canonical_request({"POST", request.head.target, headers, request.body}, {"host"},
                             hex_encode(view(sha256(request.body))));
  Digest key = hmac_sha256("AWS4" + StaticAccessKeys::secret_of(std::string(kRootKey)), day);
  for (const char* part : {"us-east-1", "execute-api", "aws4_request"}) {
    key = hmac_sha256(view(key), part);
  }
  request.head.target +=
      "&X-Amz-Signature=" +
      hex_encode(view(hmac_sha256(view(key), "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" +
                                                 hex_encode(view(sha256(canonical))))));
  const net::Response first = call(request);
  ASSERT_EQ(first.status, 200) << first.body;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(call(request).body, first.body);
    clock_.advance(Seconds(75));
  }
  EXPECT_EQ(sent(), 1U);
}

TEST_F(Repetitions, GetTheFirstAnswerOfAConnectionCall) {
  delivery::ConnectionInfo open;
  open.id = router_.make_connection_id(1);
  mailboxes_[1].told_connections.push_back(open);
  net::Request post = make_request("POST", "/@connections/" + open.id.str(), "hello");
  sign(post);
  net::Request get = make_request("GET", "/@connections/" + open.id.str());
  sign(get);
  net::Request close = make_request("DELETE", "/@connections/" + open.id.str());
  sign(close);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(call(post).status, 200);
    EXPECT_EQ(call(get).status, 200);
  }
  EXPECT_EQ(mailboxes_[1].posted.size(), 1U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call(close).status, 204);
  EXPECT_EQ(mailboxes_[1].closed.size(), 1U);
  // One that is not there may be there later.
  net::Request missing = make_request("POST", "/@connections/nobody", "hello");
  sign(missing);
  EXPECT_EQ(call(missing).status, 410);
  EXPECT_EQ(call(missing).status, 410);
}

TEST_F(Repetitions, AreDetectedByTheSignature) {
  EXPECT_EQ(call(signed_message()).status, 200);
  EXPECT_EQ(call(signed_message()).status, 200);
  EXPECT_EQ(sent(), 2U);
}

}  // namespace
}  // namespace holdfast::test
