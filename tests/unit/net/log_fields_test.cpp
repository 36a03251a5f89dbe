// The fields that a service adds to an access line.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/net/log_fields.hpp>

namespace holdfast::net {
namespace {

constexpr LogKey kFirst{"first", 0};
constexpr LogKey kSecond{"second", 1};
constexpr LogKey kThird{"third", 2};

using Lines = std::vector<std::string>;

Lines lines_of(const LogFields& fields) {
  Lines out;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    out.push_back(std::string(fields.name(i)) + "=" + std::string(fields.value(i)));
  }
  return out;
}

TEST(LogFieldsTest, OrdersFieldsByTheirPlaces) {
  LogFields fields;
  fields.set(kThird, "c");
  fields.set(kFirst, "a");
  fields.set(kSecond, "b");
  EXPECT_EQ(lines_of(fields), (Lines{"first=a", "second=b", "third=c"}));
  EXPECT_EQ(fields.get("second"), "b");
  EXPECT_EQ(fields.get("fourth"), "");
}

TEST(LogFieldsTest, TakesTheLastValueOfAKey) {
  LogFields fields;
  fields.set(kFirst, "one");
  fields.set(kSecond, "two");
  fields.set(kFirst, "longer than before");
  EXPECT_EQ(lines_of(fields), (Lines{"first=longer than before", "second=two"}));
  fields.set(kFirst, "");
  EXPECT_EQ(lines_of(fields), (Lines{"first=", "second=two"}));
  fields.set(kThird, "");
  EXPECT_EQ(fields.size(), 2U);
}

TEST(LogFieldsTest, KeepsLongValuesWhole) {
  LogFields fields;
  const std::string near(LogFields::kBytesInside, 'x');
  const std::string far(3 * LogFields::kBytesInside, 'y');
  fields.set(kSecond, near);
  EXPECT_EQ(lines_of(fields), (Lines{"second=" + near}));
  fields.set(kFirst, "1");
  EXPECT_EQ(lines_of(fields), (Lines{"first=1", "second=" + near}));
  fields.set(kThird, far);
  fields.set(kSecond, "2");
  const LogFields moved = std::move(fields);
  EXPECT_EQ(lines_of(moved), (Lines{"first=1", "second=2", "third=" + far}));
}

}  // namespace
}  // namespace holdfast::net
