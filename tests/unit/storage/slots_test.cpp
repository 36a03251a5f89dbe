// Tests the limits of a store's queue.

#include <memory>

#include <gtest/gtest.h>

#include <holdfast/storage/slots.hpp>

namespace holdfast::test {
namespace {

using storage::SlotLimits;
using storage::Slots;

TEST(SlotsTest, CountsReservationsAndTheirBytes) {
  const auto slots = std::make_shared<Slots>(SlotLimits{.slots = 2, .payload_bytes = 100});
  auto first = Slots::reserve(slots, 60);
  ASSERT_TRUE(first);
  EXPECT_FALSE(Slots::reserve(slots, 60)) << "bytes";
  auto second = Slots::reserve(slots, 40);
  ASSERT_TRUE(second);
  EXPECT_FALSE(Slots::reserve(slots, 0)) << "slots";
  second->reset();
  EXPECT_EQ(slots->taken(), 1U);
  EXPECT_TRUE(Slots::reserve(slots, 40));
}

TEST(SlotsTest, KeepsTheDatabaseWithinItsLimit) {
  const auto slots = std::make_shared<Slots>(
      SlotLimits{.slots = 9, .payload_bytes = 1'000, .database_bytes = 500});
  slots->set_database_bytes(450);
  EXPECT_TRUE(Slots::reserve(slots, 50));
  EXPECT_FALSE(Slots::reserve(slots, 51));
}

TEST(SlotsTest, TakesNoMoreThanThereIsRoomFor) {
  const auto slots = std::make_shared<Slots>(
      SlotLimits{.slots = 9, .payload_bytes = 1'000, .copies = 2, .row_bytes = 10});
  slots->set_room(210);
  EXPECT_FALSE(Slots::reserve(slots, 101));
  const auto first = Slots::reserve(slots, 60);
  ASSERT_TRUE(first);
  EXPECT_FALSE(Slots::reserve(slots, 36)) << "with the row of the first";
  EXPECT_TRUE(Slots::reserve(slots, 35));
}

TEST(SlotsTest, RefusesReservationsOnceClosed) {
  const auto slots = std::make_shared<Slots>(SlotLimits{.slots = 2, .payload_bytes = 100});
  auto before = Slots::reserve(slots, 1);
  slots->close();
  EXPECT_FALSE(Slots::reserve(slots, 1));
  before.reset();
  EXPECT_EQ(slots->taken(), 0U);
}

}  // namespace
}  // namespace holdfast::test
