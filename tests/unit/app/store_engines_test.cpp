// Tests the choice of a store's engine by its URL.

#include "app/store_engines.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/base/temp_dir.hpp"

namespace holdfast::app {
namespace {

using test::TempDir;
using ::testing::HasSubstr;

TEST(StoreEnginesTest, OpensTheEngineOfTheUrl) {
  const TempDir folder;
  Config::Storage config;
  config.store.queue_slots = 77;
  config.sqlite.database_bytes_max = 1 << 30;
  auto opened = open_store("sqlite:" + folder.file("holdfast.db"), config, {}, system_clock());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->store->stats().slots, 77U);
  ASSERT_EQ(opened->files, opened->store.get()) << "its database is a file";
  MetricCollector metrics;
  opened->store->collect(metrics);
  EXPECT_EQ(metrics.sum("holdfast_store_limit_bytes"), 1 << 30);
  EXPECT_TRUE(std::filesystem::exists(folder.file("holdfast.db")));
}

TEST(StoreEnginesTest, RefusesAnUnknownEngine) {
  for (const char* url : {"postgres://db/holdfast", "sqlite", "", ":x"}) {
    const auto opened = open_store(url, {}, {}, system_clock());
    ASSERT_FALSE(opened) << url;
    EXPECT_EQ(opened.error().code, Errc::invalid_argument);
    EXPECT_THAT(opened.error().message, HasSubstr(url));
  }
}

}  // namespace
}  // namespace holdfast::app
