// Tests the promises of every MessageStore.
#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/delivery/router.hpp>

#include "support/storage/message_calls.hpp"
#include "unit/storage/backends.hpp"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

template <class Backend>
class MessageStoreContractTest : public testing::Test {
 protected:
  MessageCalls calls() { return {messages(), backend_.executor()}; }
  delivery::MessageStore& messages() { return *backend_.handles().messages; }
  delivery::PageQuery query(const std::string& user, Sequence above, Sequence up_to) {
    delivery::PageQuery out;
    out.user = UserId(user);
    out.above = above;
    out.up_to = up_to;
    out.messages = 100;
    out.bytes = 1 << 20;
    out.now = kTestTime;
    return out;
  }
  static std::vector<Sequence> sequences(const delivery::Page& page) {
    std::vector<Sequence> out;
    for (const auto& message : page.messages) out.push_back(message->sequence);
    return out;
  }
  static delivery::DeduplicationRecord record(const std::string& key) {
    delivery::DeduplicationRecord out;
    out.caller = "AKIA";
    out.user = UserId("anna");
    out.key = key;
    out.payload_hash = sha256("text");
    out.receipt = {MessageId::generate(kTestTime), 7, delivery::DeliveryStatus::delivered};
    out.committed_at = kTestTime;
    return out;
  }
  /// A dead letter of this user, made by expiry.
  MessageId move_to_dead_letters(const std::string& user, Sequence sequence,
                                 std::string payload = "text") {
    const auto message = make_message(user, sequence, std::move(payload), Seconds(1));
    EXPECT_TRUE(calls().insert({message}));
    EXPECT_TRUE(calls().expire(user, 0, sequence, kTestTime + Seconds(2)));
    return message->id;
  }

  Backend backend_;
};

TYPED_TEST_SUITE(MessageStoreContractTest, Backends);

TYPED_TEST(MessageStoreContractTest, KeepsWhatWasInsertedAcrossARestart) {
  const auto message = make_message("anna", 5, std::string("a\0\xc3\xbc", 4));
  ASSERT_TRUE(this->calls().insert({message}));
  this->backend_.restart();

  const auto page = this->calls().read(this->query("anna", 0, 100));
  ASSERT_THAT(page->messages, SizeIs(1));
  const delivery::Message& kept = *page->messages.front();
  EXPECT_EQ(kept.user, message->user);
  EXPECT_EQ(kept.id, message->id);
  EXPECT_EQ(kept.sequence, 5);
  EXPECT_EQ(kept.accepted_at, message->accepted_at);
  EXPECT_EQ(kept.expires_at, message->expires_at);
  EXPECT_EQ(kept.payload, message->payload);
  ASSERT_THAT(this->backend_.start_state().pending, SizeIs(1));
  EXPECT_EQ(this->backend_.start_state().pending[0].second.bytes, 4);
}

TYPED_TEST(MessageStoreContractTest, ReadsAPageAboveItsLowerEndUpToItsUpperEnd) {
  ASSERT_TRUE(this->calls().insert(
      {make_message("anna", 1), make_message("anna", 2), make_message("anna", 3)}));
  ASSERT_TRUE(this->calls().insert({make_message("anna", 4)}));
  ASSERT_TRUE(this->calls().insert({make_message("bert", 2)}));
  const auto page = this->calls().read(this->query("anna", 1, 3));
  EXPECT_THAT(this->sequences(*page), ElementsAre(2, 3));
  EXPECT_TRUE(page->end);
}

TYPED_TEST(MessageStoreContractTest, EndsAPageAtItsBoundsButNotBeforeItsFirstRow) {
  ASSERT_TRUE(this->calls().insert({make_message("anna", 1, std::string(10, 'x')),
                                    make_message("anna", 2, std::string(10, 'x')),
                                    make_message("anna", 3, std::string(10, 'x'))}));
  auto query = this->query("anna", 0, 9);
  query.messages = 2;
  auto page = this->calls().read(query);
  EXPECT_THAT(this->sequences(*page), ElementsAre(1, 2));
  EXPECT_FALSE(page->end);

  query.messages = 100;
  query.bytes = 20;
  page = this->calls().read(query);
  EXPECT_THAT(this->sequences(*page), ElementsAre(1, 2));
  EXPECT_FALSE(page->end);

  query.bytes = 1;
  query.above = 2;
  page = this->calls().read(query);
  EXPECT_THAT(this->sequences(*page), ElementsAre(3));
  EXPECT_TRUE(page->end);
}

TYPED_TEST(MessageStoreContractTest, AnswersWhatAnEraseRemoved) {
  ASSERT_TRUE(this->calls().insert({make_message("anna", 1, "1"), make_message("anna", 2, "22"),
                                    make_message("anna", 3, "333")}));
  const auto removed = this->calls().erase("anna", 1, 3);
  EXPECT_EQ(removed->messages, 2);
  EXPECT_EQ(removed->bytes, 5);
  EXPECT_THAT(this->calls().sequences("anna"), ElementsAre(1));
  EXPECT_EQ(this->calls().erase("anna", 1, 3)->messages, 0);
  EXPECT_EQ(this->calls().erase("nobody", 0, 9)->messages, 0);
  EXPECT_EQ(this->calls().erase("anna", 3, 1)->messages, 0);
}

TYPED_TEST(MessageStoreContractTest, ListsTotalsThatFollowTheRows) {
  ASSERT_TRUE(this->calls().insert({make_message("anna", 1, "1"), make_message("anna", 2, "22")}));
  ASSERT_TRUE(this->calls().insert({make_message("bert", 3, "333")}));
  ASSERT_TRUE(this->calls().insert({make_message("carl", 4, "")}));
  using Totals = MessageCalls::UserTotals;
  EXPECT_THAT(this->calls().list_pending(),
              ElementsAre(Totals{"anna", 2, 3}, Totals{"bert", 1, 3}, Totals{"carl", 1, 0}));
  EXPECT_THAT(this->calls().list_pending("anna", 1), ElementsAre(Totals{"bert", 1, 3}));
  ASSERT_TRUE(this->calls().erase("anna", 0, 1));
  ASSERT_TRUE(this->calls().erase("bert", 0, 9));
  ASSERT_TRUE(this->calls().erase("carl", 0, 9));
  EXPECT_THAT(this->calls().list_pending(), ElementsAre(Totals{"anna", 1, 2}));
}

TYPED_TEST(MessageStoreContractTest, KeepsTotalsRightWhenRowsComeAndGoAtOnce) {
  auto& messages = this->messages();
  ASSERT_TRUE(this->calls().insert({make_message("anna", 1, "1")}));
  int completions = 0;
  const auto insert = [&](const std::string& user, Sequence sequence) {
    std::vector<delivery::Insert> inserts;
    inserts.push_back(this->calls().as_insert(make_message(user, sequence, "22")));
    messages.insert(std::move(inserts), [&](Result<void>) { ++completions; });
  };
  const auto erase = [&](const std::string& user, Sequence up_to) {
    messages.erase(UserId(user), 0, up_to, [&](Result<delivery::PendingTotals>) { ++completions; });
  };
  insert("anna", 2);
  erase("anna", 1);
  insert("bert", 3);
  erase("bert", 3);
  insert("carl", 4);
  erase("carl", 4);
  insert("carl", 5);
  this->backend_.executor().run_until([&] { return completions == 7; });
  using Totals = MessageCalls::UserTotals;
  EXPECT_THAT(this->calls().list_pending(),
              ElementsAre(Totals{"anna", 1, 2}, Totals{"carl", 1, 2}));
}

TYPED_TEST(MessageStoreContractTest, MovesExpiredRowsToTheDeadLettersInAPageRead) {
  const auto old = make_message("anna", 2, "22", Seconds(1));
  ASSERT_TRUE(this->calls().insert({make_message("anna", 1, "1", Seconds(1)), old,
                                    make_message("anna", 3, "333", Seconds(100))}));
  auto query = this->query("anna", 0, 9);
  query.now = kTestTime + Seconds(1);
  auto page = this->calls().read(query);
  EXPECT_THAT(this->sequences(*page), ElementsAre(1, 2, 3)) << "without expire_above all stay";

  query.expire_above = 1;
  page = this->calls().read(query);
  EXPECT_THAT(this->sequences(*page), ElementsAre(1, 3));
  EXPECT_EQ(page->expired.messages, 1);
  EXPECT_EQ(page->expired.bytes, 2);
  ASSERT_THAT(page->expired.each, SizeIs(1));
  EXPECT_EQ(page->expired.each[0].id, old->id);
  EXPECT_EQ(page->expired.each[0].sequence, 2);
  const auto letters = this->calls().list_dead_letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].message->id, old->id);
  EXPECT_EQ(letters[0].message->payload, "22");
  EXPECT_EQ(letters[0].message->user, UserId("anna"));
  EXPECT_EQ(letters[0].message->sequence, 2);
  EXPECT_EQ(letters[0].message->expires_at, old->expires_at);
  EXPECT_EQ(letters[0].reason, "expired");
  EXPECT_EQ(letters[0].died_at, query.now);
  EXPECT_THAT(this->calls().list_pending(), ElementsAre(MessageCalls::UserTotals{"anna", 2, 4}));
}

TYPED_TEST(MessageStoreContractTest, ExpiresARangeAndNothingElse) {
  ASSERT_TRUE(this->calls().insert(
      {make_message("anna", 1, "1", Seconds(1)), make_message("anna", 2, "22", Seconds(1)),
       make_message("anna", 3, "333", Seconds(1)), make_message("anna", 4, "4444")}));
  const auto moved = this->calls().expire("anna", 1, 4, kTestTime + Seconds(1));
  EXPECT_EQ(moved->messages, 2);
  EXPECT_EQ(moved->bytes, 5);
  EXPECT_THAT(this->calls().sequences("anna"), ElementsAre(1, 4));
  EXPECT_THAT(this->calls().list_dead_letters("anna"), SizeIs(2));
  ASSERT_THAT(moved->each, SizeIs(2));
  for (const delivery::MovedMessage& message : moved->each) {
    const auto letter = this->calls().find_dead_letter(message.id);
    ASSERT_TRUE(letter);
    EXPECT_EQ(letter->message->sequence, message.sequence);
    EXPECT_FALSE(message.is_damaged);
  }
  EXPECT_THAT(this->calls().list_dead_letters("bert"), IsEmpty());
}

TYPED_TEST(MessageStoreContractTest, MovesARangeWhateverItsLifetime) {
  ASSERT_TRUE(this->calls().insert({make_message("anna", 1, "1"), make_message("anna", 2, "22"),
                                    make_message("anna", 3, "333"), make_message("anna", 4, "4")}));
  ASSERT_TRUE(this->calls().insert({make_message("bert", 2, "x")}));
  delivery::Moved moved;
  while (true) {
    const auto some = this->calls().move_to_dead_letters("anna", 1, 3, "user_deleted");
    ASSERT_TRUE(some);
    if (some->messages == 0) break;
    moved += *some;
  }
  EXPECT_EQ(moved.messages, 2);
  ASSERT_THAT(moved.each, SizeIs(2));
  EXPECT_EQ(moved.each[0].sequence, 2);
  EXPECT_EQ(moved.each[1].sequence, 3);
  EXPECT_EQ(moved.bytes, 5);
  EXPECT_THAT(this->calls().sequences("anna"), ElementsAre(1, 4));
  EXPECT_THAT(this->calls().sequences("bert"), ElementsAre(2));
  const auto letters = this->calls().list_dead_letters("anna");
  ASSERT_THAT(letters, SizeIs(2));
  for (const auto& letter : letters) EXPECT_EQ(letter.reason, "user_deleted");
}

TYPED_TEST(MessageStoreContractTest, FindsUsersWithExpiredRowsByTheEarliestEnd) {
  ASSERT_TRUE(this->calls().insert({make_message("dora", 1, "x", Seconds(1))}));
  ASSERT_TRUE(this->calls().insert({make_message("bert", 2, "x", Seconds(1))}));
  // The earliest end counts, in whatever order a transaction brings them.
  ASSERT_TRUE(this->calls().insert(
      {make_message("anna", 3, "x", Seconds(900)), make_message("anna", 4, "x", Seconds(1))}));
  ASSERT_TRUE(this->calls().insert({make_message("emil", 6, "x", Milliseconds(500)),
                                    make_message("emil", 7, "x", Seconds(900))}));
  ASSERT_TRUE(this->calls().insert({make_message("carl", 5, "x", Seconds(900))}));
  const WallTime now = kTestTime + Seconds(1);
  EXPECT_THAT(this->calls().find_expired(kTestTime), IsEmpty());
  EXPECT_THAT(this->calls().find_expired(now), ElementsAre("emil", "anna", "bert", "dora"));
  for (const std::size_t limit : {1, 2, 3, 4}) {
    EXPECT_THAT(this->calls().find_expired(now, limit),
                ElementsAre("emil", "anna", "bert", "dora"));
  }
  delivery::ExpiryQuery query{.now = now, .after = {}, .shard = 0, .shards = 3, .limit = 9};
  std::set<std::string> found;
  for (; query.shard < query.shards; ++query.shard) {
    for (const UserId& user : this->calls().find_expired(query).users) {
      EXPECT_EQ(delivery::home_shard(user, query.shards), query.shard);
      EXPECT_TRUE(found.insert(user.str()).second);
    }
  }
  EXPECT_THAT(found, ElementsAre("anna", "bert", "dora", "emil"));
  // The expired row was delivered and erased. From the next sweep on, the later row alone does not
  // bring its user up.
  ASSERT_TRUE(this->calls().erase("anna", 3, 4));
  EXPECT_EQ(this->calls().expire("anna", 0, 9, now)->messages, 0);
  EXPECT_EQ(this->calls().expire("emil", 0, 9, now)->messages, 1);
  EXPECT_THAT(this->calls().find_expired(now), ElementsAre("bert", "dora"));
  EXPECT_THAT(this->calls().find_expired(kTestTime + Seconds(900)),
              ElementsAre("bert", "dora", "anna", "carl", "emil"));
}

TYPED_TEST(MessageStoreContractTest, StartsCountersAboveEveryCeiling) {
  const Sequence first = this->backend_.start_state().counter_start;
  EXPECT_EQ(first, unix_micros(kTestTime));
  EXPECT_EQ(this->backend_.start_state().ceiling, first + 60'000'000);
  ASSERT_TRUE(this->calls().extend_ceiling(first + 100'000'000));
  ASSERT_TRUE(this->calls().extend_ceiling(first + 90'000'000));
  this->backend_.restart();
  EXPECT_EQ(this->backend_.start_state().counter_start, first + 100'000'000);
  EXPECT_EQ(this->backend_.start_state().ceiling, first + 160'000'000);
}

TYPED_TEST(MessageStoreContractTest, RemembersTheTimeThatWasToldLast) {
  EXPECT_EQ(this->backend_.start_state().known_time, std::nullopt);
  ASSERT_TRUE(this->calls().remember_time(kTestTime + Seconds(9)));
  ASSERT_TRUE(this->calls().remember_time(kTestTime));
  this->backend_.restart();
  EXPECT_EQ(this->backend_.start_state().known_time, kTestTime);
}

TYPED_TEST(MessageStoreContractTest, MovesTheTimesOfMessagesInARangeOfOneHome) {
  std::set<std::string> moved;
  for (int i = 0; i < 600; ++i) {
    const std::string user = "u" + std::to_string(i);
    if (delivery::home_shard(UserId(user), 2) == 1) moved.insert(user);
    ASSERT_TRUE(this->calls().insert({make_message(user, 1, "a", Seconds(3'600)),
                                      make_message(user, 2, "b", Seconds(100)),
                                      make_message(user, 3, "c", Seconds(3'600))}));
  }
  for (const Seconds by : {Seconds(1'000), Seconds(-1'050)}) {
    ASSERT_TRUE(
        this->calls().move_lifetimes({.shard = 1, .shards = 2, .above = 1, .up_to = 2, .by = by}));
  }
  for (const std::string user : {"u1", "u2", "u300", "u599"}) {
    const bool is_moved = moved.contains(user);
    const auto page = this->calls().read(this->query(user, 0, 9));
    ASSERT_THAT(page->messages, SizeIs(3));
    for (const auto& message : page->messages) {
      const Seconds by(is_moved && message->sequence == 2 ? -50 : 0);
      EXPECT_EQ(message->accepted_at, kTestTime + by);
      EXPECT_EQ(message->expires_at,
                kTestTime + by + Seconds(message->sequence == 2 ? 100 : 3'600));
    }
  }
  // The order of due users follows.
  const auto due = this->calls().find_expired(kTestTime + Seconds(50));
  EXPECT_EQ(std::set<std::string>(due.begin(), due.end()), moved);
}

TYPED_TEST(MessageStoreContractTest, MovesTheTimesOfWhatWasCalledBefore) {
  auto& messages = this->messages();
  int open = 2;
  std::vector<delivery::Insert> inserts;
  inserts.push_back(this->calls().as_insert(make_message("anna", 1)));
  messages.insert(std::move(inserts), [&](Result<void>) { --open; });
  messages.move_lifetimes({.shard = 0, .shards = 1, .above = 0, .up_to = 9, .by = Seconds(7)},
                          [&](Result<void>) { --open; });
  this->backend_.executor().run_until([&] { return open == 0; });
  EXPECT_EQ(this->calls().read(this->query("anna", 0, 9))->messages.at(0)->accepted_at,
            kTestTime + Seconds(7));
}

TYPED_TEST(MessageStoreContractTest, CommitsADeduplicationRecordWithItsMessage) {
  std::vector<delivery::Insert> inserts;
  inserts.push_back(this->calls().as_insert(make_message("anna", 7)));
  inserts.back().record = this->record("k1");
  ASSERT_TRUE(this->calls().insert(std::move(inserts)));
  ASSERT_TRUE(this->calls().record(this->record("k2")));
  this->backend_.restart();

  const auto kept = this->backend_.start_state().deduplication;
  ASSERT_THAT(kept, SizeIs(2));
  EXPECT_EQ(kept[0].key, "k1");
  EXPECT_EQ(kept[0].caller, "AKIA");
  EXPECT_EQ(kept[0].user, UserId("anna"));
  EXPECT_EQ(kept[0].payload_hash, sha256("text"));
  EXPECT_EQ(kept[0].receipt.sequence, 7);
  EXPECT_EQ(kept[0].receipt.status, delivery::DeliveryStatus::delivered);
  EXPECT_EQ(kept[0].committed_at, kTestTime);
  EXPECT_EQ(kept[1].key, "k2");
}

TYPED_TEST(MessageStoreContractTest, ReplacesTheRecordOfAKeyThatIsUsedAnew) {
  ASSERT_TRUE(this->calls().record(this->record("k")));
  auto later = this->record("k");
  later.receipt.sequence = 99;
  ASSERT_TRUE(this->calls().record(later));
  this->backend_.restart();
  ASSERT_THAT(this->backend_.start_state().deduplication, SizeIs(1));
  EXPECT_EQ(this->backend_.start_state().deduplication[0].receipt.sequence, 99);
}

TYPED_TEST(MessageStoreContractTest, ForgetsRecordsFromBeforeAMoment) {
  for (int i = 0; i < 10; ++i) {
    auto record = this->record("k" + std::to_string(i));
    record.committed_at = kTestTime + Seconds(i);
    ASSERT_TRUE(this->calls().record(record));
  }
  ASSERT_TRUE(this->calls().forget_deduplication(kTestTime + Seconds(8)));
  this->backend_.restart();
  const auto kept = this->backend_.start_state().deduplication;
  ASSERT_THAT(kept, SizeIs(2));
  EXPECT_EQ(kept[0].key, "k8");
}

TYPED_TEST(MessageStoreContractTest, RemovesTheDeadLetterOfARedrivenMessage) {
  const MessageId id = this->move_to_dead_letters("anna", 1);
  const auto letter = this->calls().find_dead_letter(id);
  ASSERT_TRUE(letter);
  delivery::Message anew = *letter->message;
  anew.sequence = 50;
  std::vector<delivery::Insert> inserts;
  inserts.push_back(
      this->calls().as_insert(std::make_shared<const delivery::Message>(std::move(anew))));
  inserts.back().redrive = true;
  ASSERT_TRUE(this->calls().insert(std::move(inserts)));
  EXPECT_FALSE(this->calls().find_dead_letter(id));
  EXPECT_THAT(this->calls().sequences("anna"), ElementsAre(50));
}

TYPED_TEST(MessageStoreContractTest, RemovesTheDeadLetterOfARecordedMessage) {
  const MessageId id = this->move_to_dead_letters("anna", 1);
  ASSERT_TRUE(this->calls().record({}, id));
  EXPECT_FALSE(this->calls().find_dead_letter(id));
}

TYPED_TEST(MessageStoreContractTest, ListsDeadLettersByIdInPages) {
  std::vector<MessageId> ids;
  for (Sequence i = 1; i <= 5; ++i)
    ids.push_back(this->move_to_dead_letters(i % 2 ? "anna" : "bert", i));
  std::ranges::sort(ids);
  const auto first = this->calls().list_dead_letters({}, {}, 2);
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_EQ(first[0].message->id, ids[0]);
  EXPECT_EQ(first[1].message->id, ids[1]);
  const auto rest = this->calls().list_dead_letters({}, ids[1], 100);
  ASSERT_THAT(rest, SizeIs(3));
  EXPECT_EQ(rest[0].message->id, ids[2]);
  EXPECT_THAT(this->calls().list_dead_letters("anna"), SizeIs(3));
  EXPECT_THAT(this->calls().list_dead_letters("bert"), SizeIs(2));
}

TYPED_TEST(MessageStoreContractTest, TellsWhatADeadLetterIsWithoutItsText) {
  const auto message = make_message("anna", 1, "12345", Seconds(1));
  ASSERT_TRUE(this->calls().insert({message}));
  ASSERT_TRUE(this->calls().move_to_dead_letters("anna", 0, 1, {"deleted", "by hand"}));
  delivery::DeadLetterQuery query;
  query.limit = 9;
  const auto page = this->calls().list_dead_letters(query);
  ASSERT_THAT(page.letters, SizeIs(1));
  EXPECT_EQ(page.letters[0].id, message->id);
  EXPECT_EQ(page.letters[0].user, UserId("anna"));
  EXPECT_EQ(page.letters[0].sequence, 1);
  EXPECT_EQ(page.letters[0].bytes, 5);
  EXPECT_EQ(page.letters[0].accepted_at, message->accepted_at);
  EXPECT_EQ(page.letters[0].expires_at, message->expires_at);
  EXPECT_EQ(page.letters[0].reason, "deleted");
  EXPECT_EQ(page.letters[0].detail, "by hand");
  EXPECT_EQ(page.letters[0].died_at, kTestTime);
  EXPECT_FALSE(page.next);
}

TYPED_TEST(MessageStoreContractTest, ListsDeadLettersOfAReasonAndTellsWhereToGoOn) {
  std::vector<MessageId> wanted;
  for (Sequence i = 1; i <= 6; ++i) {
    const auto message = make_message(i <= 4 ? "anna" : "bert", i);
    ASSERT_TRUE(this->calls().insert({message}));
    const bool deleted = i % 2 == 0;
    ASSERT_TRUE(this->calls().move_to_dead_letters(message->user.str(), i - 1, i,
                                                   deleted ? "deleted" : "other"));
    if (deleted && i <= 4) wanted.push_back(message->id);
  }
  std::ranges::sort(wanted);
  delivery::DeadLetterQuery query{
      .user = UserId("anna"), .reason = "deleted", .after = {}, .limit = 1};
  std::vector<MessageId> found;
  for (int pages = 0; pages < 9; ++pages) {
    const auto page = this->calls().list_dead_letters(query);
    for (const auto& letter : page.letters) found.push_back(letter.id);
    if (!page.next) break;
    query.after = page.next;
  }
  EXPECT_EQ(found, wanted);
}

TYPED_TEST(MessageStoreContractTest, FindsAUsersPendingMessageByItsId) {
  const auto message = make_message("anna", 2);
  ASSERT_TRUE(this->calls().insert({make_message("anna", 1), message}));
  EXPECT_EQ(this->calls().find_pending("anna", message->id), 2);
  EXPECT_FALSE(this->calls().find_pending("bert", message->id));
  ASSERT_TRUE(this->calls().move_to_dead_letters("anna", 1, 2, "deleted"));
  EXPECT_FALSE(this->calls().find_pending("anna", message->id));
}

TYPED_TEST(MessageStoreContractTest, DeletesDeadLettersOnceAndTellsWhich) {
  const MessageId first = this->move_to_dead_letters("anna", 1);
  const MessageId second = this->move_to_dead_letters("anna", 2);
  const MessageId third = this->move_to_dead_letters("bert", 3);
  EXPECT_THAT(this->calls().delete_dead_letters({second}), ElementsAre(second));
  EXPECT_THAT(this->calls().delete_dead_letters({first, second}), ElementsAre(first));
  EXPECT_FALSE(this->calls().find_dead_letter(first));
  EXPECT_TRUE(this->calls().find_dead_letter(third));
}

TYPED_TEST(MessageStoreContractTest, RefusesReservationsBeyondItsSlotsAndTakesThemBack) {
  auto& messages = this->messages();
  std::vector<delivery::Reservation> held;
  for (std::size_t i = 0; i < messages.capacity(); ++i) {
    auto reservation = messages.reserve(1);
    ASSERT_TRUE(reservation);
    held.push_back(std::move(*reservation));
  }
  EXPECT_FALSE(messages.reserve(1));
  held.pop_back();
  EXPECT_TRUE(messages.reserve(1));
}

TYPED_TEST(MessageStoreContractTest, GivesTheSlotBackBeforeTheCompletionRuns) {
  auto& messages = this->messages();
  std::vector<delivery::Reservation> held;
  std::vector<delivery::Insert> inserts;
  inserts.push_back(this->calls().as_insert(make_message("anna", 1)));
  while (auto reservation = messages.reserve(1)) held.push_back(std::move(*reservation));
  bool is_free = false;
  bool is_done = false;
  messages.insert(std::move(inserts), [&](Result<void>) {
    is_free = messages.reserve(1).has_value();
    is_done = true;
  });
  EXPECT_FALSE(is_done) << "a completion never runs inside the call";
  this->backend_.executor().run_until([&] { return is_done; });
  EXPECT_TRUE(is_free);
}

TYPED_TEST(MessageStoreContractTest, CompletesInsertsRecordsAndCeilingsInOrder) {
  auto& messages = this->messages();
  std::vector<int> order;
  for (int i = 0; i < 300; i += 3) {
    std::vector<delivery::Insert> inserts;
    inserts.push_back(this->calls().as_insert(make_message("anna", i + 1)));
    messages.insert(std::move(inserts), [&, i](Result<void>) { order.push_back(i); });
    messages.record(this->record(std::to_string(i)), {}, {},
                    [&, i](Result<void>) { order.push_back(i + 1); });
    messages.extend_ceiling(i, [&, i](Result<void>) { order.push_back(i + 2); });
  }
  this->backend_.executor().run_until([&] { return order.size() == 300; });
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

}  // namespace
}  // namespace holdfast::test
