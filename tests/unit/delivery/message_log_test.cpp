// The watermarks of a user's log.

#include "delivery/message_log.hpp"

#include <csignal>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include <holdfast/base/log.hpp>

namespace holdfast::delivery {
namespace {

constexpr Sequence kEverything = std::numeric_limits<Sequence>::max();
constexpr TailLimits kAmple{.messages = 100, .bytes = 1'000};

class MessageLogTest : public testing::Test {
 protected:
  void append(Sequence sequence, std::string payload = "12345") {
    auto message = std::make_shared<Message>();
    message->sequence = sequence;
    message->payload = std::move(payload);
    log_.append(std::move(message));
  }
  void append_to_30() {
    for (const Sequence sequence : {10, 20, 30}) append(sequence);
  }
  Sequence next_after(Sequence position) const {
    const Message* const next = log_.next_after(position);
    return next == nullptr ? 0 : next->sequence;
  }
  void erase() {
    const auto range = log_.to_erase();
    ASSERT_TRUE(range);
    log_.begin_erase(*range);
  }

  MessageLog log_{5};
};

TEST_F(MessageLogTest, FindsWhatComesBehindAPosition) {
  append_to_30();
  EXPECT_EQ(next_after(0), 10);
  EXPECT_EQ(next_after(10), 20);
  EXPECT_EQ(next_after(25), 30);
  EXPECT_EQ(next_after(30), 0);
  EXPECT_EQ(log_.newest(), 30);
  EXPECT_EQ(log_.floor(), 5);
}

TEST_F(MessageLogTest, KeepsWhatIsNowhereElse) {
  append_to_30();
  EXPECT_FALSE(log_.may_drop());
  log_.trim(kEverything, {.messages = 0, .bytes = 0});
  log_.drop_up_to(kEverything);
  EXPECT_EQ(log_.tail_size(), 3U);
}

TEST_F(MessageLogTest, DropsCommittedMessagesThatNobodyNeeds) {
  append_to_30();
  EXPECT_EQ(log_.hand_over(20), (SequenceRange{.above = 5, .up_to = 20}));
  log_.committed(20);
  log_.trim(10, kAmple);
  EXPECT_EQ(log_.floor(), 10);
  log_.trim(kEverything, kAmple);
  EXPECT_EQ(log_.floor(), 20) << "the third is not committed";
  EXPECT_EQ(log_.tail_size(), 1U);
  EXPECT_EQ(log_.tail_bytes(), 5U);
}

TEST_F(MessageLogTest, DropsMessagesThatSomebodyNeedsBeyondItsLimits) {
  append_to_30();
  log_.hand_over(30);
  log_.committed(30);
  log_.trim(5, {.messages = 2, .bytes = 1'000});
  EXPECT_EQ(log_.tail_size(), 2U);
  log_.trim(5, {.messages = 2, .bytes = 9});
  EXPECT_EQ(log_.tail_size(), 1U);
  EXPECT_EQ(log_.floor(), 20);
}

TEST_F(MessageLogTest, DropsSettledMessagesThatWereNeverStored) {
  append_to_30();
  log_.settle(20);
  EXPECT_TRUE(log_.may_drop());
  log_.trim(kEverything, kAmple);
  EXPECT_EQ(log_.floor(), 20);
  log_.skip_erase();
  append(40);
  log_.settle(40);
  EXPECT_FALSE(log_.to_erase()) << "the store has none of them";
}

TEST_F(MessageLogTest, DropsForADeletionOnlyWhatIsAskedFor) {
  append_to_30();
  log_.hand_over(30);
  log_.committed(30);
  log_.drop_up_to(25);
  EXPECT_EQ(log_.floor(), 20);
  EXPECT_EQ(next_after(0), 30);
}

TEST_F(MessageLogTest, ForgetsAMessageWhoseCommitFailed) {
  append_to_30();
  log_.hand_over(20);
  log_.remove(20);
  log_.remove(20);
  EXPECT_EQ(next_after(10), 30);
  EXPECT_EQ(log_.tail_bytes(), 10U);
  EXPECT_EQ(log_.newest(), 30);
}

TEST_F(MessageLogTest, HandsOverEachMessageOnce) {
  append_to_30();
  EXPECT_EQ(log_.hand_over(10), (SequenceRange{.above = 5, .up_to = 10}));
  EXPECT_EQ(log_.hand_over(30), (SequenceRange{.above = 10, .up_to = 30}));
  EXPECT_EQ(log_.handed(), 30);
  log_.committed(10);
  EXPECT_TRUE(log_.is_safe(10));
  EXPECT_FALSE(log_.is_safe(20));
}

TEST_F(MessageLogTest, DeletesWhatIsSettledAndNoMoreThanOnce) {
  append_to_30();
  log_.hand_over(30);
  log_.settle(20);
  EXPECT_EQ(log_.to_erase(), (SequenceRange{.above = 0, .up_to = 20}));
  erase();
  EXPECT_TRUE(log_.is_erasing());
  EXPECT_FALSE(log_.to_erase());
  log_.settle(30);
  EXPECT_EQ(log_.to_erase(), (SequenceRange{.above = 0, .up_to = 30}))
      << "it is not known yet what the first delete did";
  log_.erased(20);
  EXPECT_EQ(log_.to_erase(), (SequenceRange{.above = 20, .up_to = 30}));
  erase();
  log_.erased(30);
  EXPECT_FALSE(log_.to_erase());
}

TEST_F(MessageLogTest, DeletesAgainWhatADeleteDidNotDo) {
  append_to_30();
  log_.hand_over(30);
  log_.settle(30);
  erase();
  log_.erase_failed(30);
  EXPECT_FALSE(log_.is_erasing());
  EXPECT_TRUE(log_.erase_waits());
  log_.retry_erase();
  EXPECT_FALSE(log_.erase_waits());
  EXPECT_EQ(log_.to_erase(), (SequenceRange{.above = 0, .up_to = 30}));
}

TEST_F(MessageLogTest, DeletesRowsOfAFormerProcessWithTheFirstThatIsSettled) {
  log_.settle(3);  // below where this log begins
  EXPECT_EQ(log_.to_erase(), (SequenceRange{.above = 0, .up_to = 3}));
  log_.skip_erase();
  EXPECT_FALSE(log_.to_erase());
}

class MessageLogDeathTest : public MessageLogTest {
 protected:
  MessageLogDeathTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
  template <class Act>
  static void with_log(const Act& act) {
    log::Options options;
    options.file_descriptor = STDERR_FILENO;
    log::start(options);
    act();
  }
};

TEST_F(MessageLogDeathTest, EndsTheProcessWhenItsOrderIsBroken) {
  const auto ended = testing::KilledBySignal(SIGABRT);
  append_to_30();
  EXPECT_EXIT(with_log([&] { append(30); }), ended, "log.rises");
  EXPECT_EXIT(with_log([&] { log_.committed(10); }), ended, "log.stored_within_handed");
  EXPECT_EXIT(with_log([&] { log_.erased(10); }), ended, "log.erase_is_answered_once");
  log_.settle(20);
  EXPECT_EXIT(with_log([&] { log_.settle(20); }), ended, "log.settled_rises");
  log_.hand_over(20);
  EXPECT_EXIT(with_log([&] { log_.hand_over(20); }), ended, "log.hands_over_in_order");
}

}  // namespace
}  // namespace holdfast::delivery
