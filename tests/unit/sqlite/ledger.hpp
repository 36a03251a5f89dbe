#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "support/sqlite/opened_store.hpp"

namespace holdfast::test {

/// Records the rows that a store must have.
struct Ledger {
  std::map<std::string, std::set<Sequence>> acknowledged;
  /// A user's rows up to here may be gone, because an erase was called.
  std::map<std::string, Sequence> erase_called;
  /// A user's rows up to here must be gone, because the erase was confirmed.
  std::map<std::string, Sequence> erase_confirmed;

  /// Returns how many acknowledged rows are missing without an erase.
  [[nodiscard]] std::size_t missing(OpenedStore& opened) const {
    std::size_t out = 0;
    for (const auto& [user, rows] : acknowledged) {
      const auto kept = opened.calls().sequences(user);
      const auto called = erase_called.find(user);
      for (const Sequence sequence : rows) {
        if (called != erase_called.end() && sequence <= called->second) continue;
        if (!std::ranges::binary_search(kept, sequence)) ++out;
      }
    }
    return out;
  }
  /// Returns how many rows are there although their erase was confirmed.
  [[nodiscard]] std::size_t risen(OpenedStore& opened) const {
    std::size_t out = 0;
    for (const auto& [user, up_to] : erase_confirmed) {
      for (const Sequence sequence : opened.calls().sequences(user)) {
        if (sequence <= up_to) ++out;
      }
    }
    return out;
  }
};

/// Expects the totals of every user to equal the rows.
inline void expect_totals_equal_rows(OpenedStore& opened) {
  for (const auto& totals : opened.calls().list_pending()) {
    delivery::PageQuery query;
    query.user = UserId(totals.user);
    query.up_to = INT64_MAX;
    query.messages = SIZE_MAX;
    query.bytes = SIZE_MAX;
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
    for (bool end = false; !end;) {
      const auto page = opened.calls().read(query);
      ASSERT_TRUE(page);
      end = page->end;
      for (const auto& message : page->messages) {
        ++messages;
        bytes += static_cast<std::int64_t>(message->payload.size());
        query.above = message->sequence;
      }
    }
    EXPECT_EQ(messages, totals.messages) << totals.user;
    EXPECT_EQ(bytes, totals.bytes) << totals.user;
    EXPECT_GT(totals.messages, 0) << totals.user;
  }
}

}  // namespace holdfast::test
