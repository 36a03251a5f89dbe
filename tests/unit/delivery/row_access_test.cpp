// Page reads and purges that exclude each other.

#include "delivery/row_access.hpp"

#include <gtest/gtest.h>

namespace holdfast::delivery {
namespace {

TEST(RowAccessTest, LetsOnePageReadOrOnePurgeIn) {
  RowAccess rows;
  EXPECT_TRUE(rows.can_read());
  EXPECT_TRUE(rows.can_purge());
  rows.begin_read(0);
  EXPECT_FALSE(rows.can_read());
  EXPECT_FALSE(rows.can_purge());
  rows.end_read();
  rows.begin_purge();
  EXPECT_FALSE(rows.can_read());
  EXPECT_FALSE(rows.can_purge());
  rows.end_purge();
  EXPECT_TRUE(rows.can_read());
}

TEST(RowAccessTest, WaitsWithPageReadsAfterOneThatFailed) {
  RowAccess rows;
  rows.begin_read(0);
  rows.end_read();
  rows.wait_to_read();
  EXPECT_FALSE(rows.can_read());
  EXPECT_TRUE(rows.can_purge()) << "a purge waits for no page";
  rows.retry();
  EXPECT_TRUE(rows.can_read());
}

TEST(RowAccessTest, LetsTheNextConnectionReadFirst) {
  RowAccess rows;
  EXPECT_EQ(rows.first_of(3), 0U);
  rows.begin_read(1);
  rows.end_read();
  EXPECT_EQ(rows.first_of(3), 2U);
  EXPECT_EQ(rows.first_of(2), 0U);
  EXPECT_EQ(rows.first_of(0), 0U);
}

}  // namespace
}  // namespace holdfast::delivery
