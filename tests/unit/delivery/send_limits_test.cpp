// Tests the rules for one message.

#include <string>

#include <gtest/gtest.h>

#include <holdfast/delivery/send_limits.hpp>

namespace holdfast::delivery {
namespace {

SendRequest good_request() {
  SendRequest request;
  request.user = UserId("ann");
  request.payload = "hello";
  return request;
}

// `field: rule`, or nothing.
std::string fault_of(const SendRequest& request, const SendLimits& limits = {}) {
  const auto fault = check(request, limits);
  return fault ? std::string(name_of(fault->field)) + ": " + fault->rule : std::string();
}

TEST(SendLimitsTest, AllowWhatIsAtEachLimit) {
  SendRequest request = good_request();
  EXPECT_EQ(fault_of(request), "");
  request.user = UserId(std::string(128, 'u'));
  request.deduplication_id = std::string(127, ' ') + "~";
  request.payload = std::string(std::size_t{128} << 10, 'm');
  for (const Seconds ttl : {Seconds(1), kTtlMax}) {
    request.ttl = ttl;
    EXPECT_EQ(fault_of(request), "");
  }
  EXPECT_EQ(kTtlMax, Seconds(1'209'600));
}

TEST(SendLimitsTest, NameTheFieldAndTheRule) {
  SendRequest request = good_request();
  request.user = UserId("");
  EXPECT_EQ(fault_of(request), "userId: must have 1 to 128 bytes");
  request.user = UserId(std::string(129, 'u'));
  EXPECT_EQ(fault_of(request), "userId: must have 1 to 128 bytes");

  request = good_request();
  for (const std::string& key :
       {std::string(), std::string(129, 'k'), std::string("\x1f"), std::string("\x7f"),
        std::string("\xc3\xa9"), std::string(1, '\0')}) {
    request.deduplication_id = key;
    EXPECT_EQ(fault_of(request), "deduplicationId: must have 1 to 128 printable ASCII characters");
  }

  request = good_request();
  request.payload.clear();
  EXPECT_EQ(fault_of(request), "message: must not be empty");

  request = good_request();
  for (const Seconds ttl : {Seconds(0), Seconds(-1), kTtlMax + Seconds(1), Seconds::max()}) {
    request.ttl = ttl;
    EXPECT_EQ(fault_of(request), "ttlSeconds: must be 1 to 1209600");
  }
}

TEST(SendLimitsTest, MarkAMessageThatIsTooLongIfAllElseIsWell) {
  SendRequest request = good_request();
  const SendLimits limits{.message_bytes = 4, .ttl = Seconds(10)};
  EXPECT_EQ(fault_of(request, limits), "message: is too long");
  EXPECT_TRUE(check(request, limits)->too_long);
  request.ttl = Seconds(11);
  EXPECT_EQ(fault_of(request, limits), "ttlSeconds: must be 1 to 10");
  EXPECT_FALSE(check(request, limits)->too_long);
}

}  // namespace
}  // namespace holdfast::delivery
