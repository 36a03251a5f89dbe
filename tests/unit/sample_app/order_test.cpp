// Tests parsing the sample application's requests.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_app/service.hpp"

namespace holdfast::sample_app {
namespace {

struct Row {
  const char* body;
  Errc code;
  const char* where;
};

TEST(Order, TakesAWaitFromZeroToNineHundredSecondsAndTenWhenThereIsNone) {
  const auto wait = [](const std::string& member) {
    const auto order = parse_order("{" + member + R"("userId":"u","message":"m"})");
    return order ? order->wait.count() : -1;
  };
  EXPECT_EQ(wait(R"("wait":0,)"), 0);
  EXPECT_EQ(wait(R"("wait":900,)"), 900);
  EXPECT_EQ(wait(R"("wait":null,)"), 10);
  EXPECT_EQ(wait(""), 10);
}

TEST(Order, IgnoresMembersThatItDoesNotKnow) {
  const auto order = parse_order(R"({"extra":{"a":[1]},"userId":"u","message":"Grüße"})");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->user_id, "u");
  EXPECT_EQ(order->text, "Grüße");
}

TEST(Order, RefusesABadBodyAndNamesTheMember) {
  const Row rows[] = {
      {"", Errc::invalid_argument, ""},
      {"not json", Errc::invalid_argument, ""},
      {"[]", Errc::invalid_argument, ""},
      {"\"text\"", Errc::invalid_argument, ""},
      {R"({"wait":1,"message":"m"})", Errc::invalid_argument, "userId"},
      {R"({"wait":1,"userId":7,"message":"m"})", Errc::invalid_argument, "userId"},
      {R"({"wait":1,"userId":"","message":"m"})", Errc::invalid_argument, "userId"},
      {R"({"wait":1,"userId":"u"})", Errc::invalid_argument, "message"},
      {R"({"wait":1,"userId":"u","message":""})", Errc::invalid_argument, "message"},
      {R"({"wait":1,"userId":"u","message":null})", Errc::invalid_argument, "message"},
      {R"({"wait":-1,"userId":"u","message":"m"})", Errc::invalid_argument, "wait"},
      {R"({"wait":901,"userId":"u","message":"m"})", Errc::invalid_argument, "wait"},
      {R"({"wait":18446744073709551615,"userId":"u","message":"m"})", Errc::invalid_argument,
       "wait"},
      {R"({"wait":1.5,"userId":"u","message":"m"})", Errc::invalid_argument, "wait"},
      {R"({"wait":"5","userId":"u","message":"m"})", Errc::invalid_argument, "wait"},
      {R"({"userId":"u","userId":"v","message":"m"})", Errc::invalid_argument, "userId"},
      {R"({"userId":"u","message":"m"} trailing)", Errc::invalid_argument, ""},
  };
  for (const Row& row : rows) {
    const auto order = parse_order(row.body);
    ASSERT_FALSE(order) << row.body;
    EXPECT_EQ(order.error().code, row.code) << row.body;
    EXPECT_EQ(order.error().where, row.where) << row.body;
  }
}

TEST(Order, BoundsTheUserIdAndTheMessage) {
  const auto with = [](std::size_t user, std::size_t message) {
    return parse_order(R"({"userId":")" + std::string(user, 'u') + R"(","message":")" +
                       std::string(message, 'm') + R"("})");
  };
  EXPECT_TRUE(with(128, 131'072));
  ASSERT_FALSE(with(129, 1));
  EXPECT_EQ(with(129, 1).error().where, "userId");
  ASSERT_FALSE(with(1, 131'073));
  EXPECT_EQ(with(1, 131'073).error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace holdfast::sample_app
