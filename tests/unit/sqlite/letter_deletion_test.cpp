// Dead letters that an operator deletes, many at a time, beside what others commit.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sqlite/work_budget.hpp"
#include "support/base/temp_dir.hpp"
#include "support/storage/message_calls.hpp"
#include "unit/sqlite/turned_store.hpp"

namespace holdfast::test {
namespace {

constexpr std::size_t kLetters = 600;
constexpr std::size_t kLetterBytes = 20'000;

TEST(LetterDeletionTest, TakesBoundedTransactionsAndTellsWhatIsGone) {
  const TempDir folder;
  TurnedStore store(folder.file("holdfast.db"), {.messages = 10'000, .bytes = 1 << 30});
  std::vector<MessageId> ids;
  for (std::size_t i = 1; i <= kLetters; ++i) {
    const auto message =
        make_message("anna", static_cast<Sequence>(i), std::string(kLetterBytes, 'x'), Seconds(1));
    ids.push_back(message->id);
    ASSERT_TRUE(store.insert(message));
  }
  ASSERT_TRUE(store.expire("anna", kTestTime + Seconds(60)));
  ASSERT_EQ(store.letters("expired"), kLetters);

  std::size_t gone = 0;
  bool answered = false;
  store.messages().delete_dead_letters(ids, [&](Result<std::vector<MessageId>> deleted) {
    answered = true;
    ASSERT_TRUE(deleted);
    gone = deleted->size();
  });
  int inserted = 0;
  for (Sequence next = 1; !answered; ++next) {
    ASSERT_LT(next, 100);
    ASSERT_TRUE(store.insert(make_message("ben", next))) << "its commit waits for one step";
    inserted += answered ? 0 : 1;
  }
  EXPECT_EQ(gone, kLetters);
  EXPECT_EQ(store.letters("expired"), 0U);
  const std::int64_t each = sqlite::WorkBudget::of_eviction(kLetterBytes);
  EXPECT_GE(inserted, kLetters * each / sqlite::WorkBudget::kPerTransaction - 1);
}

}  // namespace
}  // namespace holdfast::test
