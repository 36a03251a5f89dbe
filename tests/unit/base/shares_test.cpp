// Tests limits with a share for each client.

#include <gtest/gtest.h>

#include <holdfast/base/shares.hpp>

namespace holdfast::test {
namespace {

Shares make_shares(std::size_t capacity, std::size_t share,
                   std::shared_ptr<BoundRefusals> refusals = nullptr) {
  return Shares({.bound = Bound::connections, .capacity = capacity, .share = share},
                std::move(refusals));
}

TEST(Shares, OneHolderCannotTakeWhatOthersNeed) {
  const auto refusals = std::make_shared<BoundRefusals>();
  Shares shares = make_shares(8, 2, refusals);
  const auto first = shares.take("a");
  const auto second = shares.take("a");
  ASSERT_TRUE(first && second);
  const auto third = shares.take("a");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error(), BoundScope::share);
  EXPECT_TRUE(shares.take("b"));
  EXPECT_EQ(refusals->read(Bound::connections, BoundScope::share), 1U);
  EXPECT_EQ(refusals->read(Bound::connections, BoundScope::all), 0U);
}

TEST(Shares, AllTogetherAreBounded) {
  const auto refusals = std::make_shared<BoundRefusals>();
  Shares shares = make_shares(3, 2, refusals);
  const auto a = shares.take("a", 2);
  const auto b = shares.take("b");
  ASSERT_TRUE(a && b);
  const auto c = shares.take("c");
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error(), BoundScope::all);
  EXPECT_EQ(refusals->read(Bound::connections, BoundScope::all), 1U);
}

TEST(Shares, TakeAgainWhatWasGivenBack) {
  Shares shares = make_shares(2, 2);
  {
    auto hold = shares.take("a");
    ASSERT_TRUE(hold);
    ASSERT_TRUE(hold->add(1));
    EXPECT_FALSE(hold->add(1));
    EXPECT_EQ(shares.taken_by("a"), 2U);
    Shares::Hold moved = std::move(*hold);
    EXPECT_EQ(moved.amount(), 2U);
    EXPECT_EQ(shares.taken(), 2U);
  }
  EXPECT_EQ(shares.taken(), 0U);
  EXPECT_EQ(shares.taken_by("a"), 0U);
  EXPECT_TRUE(shares.take("a", 2));
}

TEST(Shares, KeepsWhatIsThereAlreadyBeyondEveryBound) {
  Shares shares = make_shares(4, 2);
  Shares::Hold hold = shares.keep("a", 5);
  EXPECT_EQ(shares.taken_by("a"), 5U);
  EXPECT_EQ(shares.take("a").error(), BoundScope::share);
  EXPECT_EQ(shares.take("b").error(), BoundScope::all);
  hold.remove(4);
  EXPECT_EQ(hold.amount(), 1U);
  EXPECT_TRUE(shares.take("a"));
  EXPECT_TRUE(shares.take("b", 2));
}

TEST(Shares, HoldsOfOneHolderCanBeOne) {
  Shares shares = make_shares(4, 4);
  Shares::Hold all;
  all.merge(std::move(shares.take("a").value()));
  all.merge(std::move(shares.take("a", 2).value()));
  EXPECT_EQ(all.amount(), 3U);
  EXPECT_EQ(shares.taken_by("a"), 3U);
  all.remove(3);
  EXPECT_EQ(shares.taken(), 0U);
  all.merge(std::move(shares.take("a", 4).value()));
  all.reset();
  EXPECT_EQ(shares.taken(), 0U);
}

TEST(Shares, LetAHoldOutliveThem) {
  Shares::Hold hold;
  {
    Shares shares = make_shares(1, 1);
    hold = std::move(shares.take("a").value());
  }
  hold.reset();
  EXPECT_EQ(hold.amount(), 0U);
}

TEST(Shares, RefuseAfterALowerLimitUntilEnoughIsGivenBack) {
  Shares shares = make_shares(4, 4);
  auto first = shares.take("a", 3);
  ASSERT_TRUE(first);
  shares.change(4, 2);
  EXPECT_FALSE(shares.take("a"));
  first->reset();
  EXPECT_TRUE(shares.take("a", 2));
}

TEST(Shares, RefuseAnAmountThatOverflows) {
  Shares shares = make_shares(10, 0);
  const auto one = shares.take("a");
  ASSERT_TRUE(one);
  EXPECT_FALSE(shares.take("b", static_cast<std::size_t>(-1)));
}

TEST(ClientShareKey, IsTheIpv4AddressOrTheIpv6Network) {
  EXPECT_EQ(client_share_key("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(client_share_key("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(client_share_key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(client_share_key("2001:db8:1:2:ffff::"), client_share_key("2001:db8:1:2::1"));
  EXPECT_NE(client_share_key("2001:db8:1:3::1"), client_share_key("2001:db8:1:2::1"));
  EXPECT_EQ(client_share_key("fe80::1%eth0"), client_share_key("fe80::2"));
  EXPECT_EQ(client_share_key("unix"), "unix");
  EXPECT_EQ(client_share_key(""), "");
}

constexpr std::int64_t kMinute = 60'000'000;

TEST(RateShares, OneClientCannotUseUpTheRate) {
  RateShares rates({.capacity = 8, .share = 2});
  EXPECT_TRUE(rates.take("a", kMinute));
  EXPECT_TRUE(rates.take("a", kMinute));
  EXPECT_EQ(rates.take("a", kMinute).error(), BoundScope::share);
  EXPECT_TRUE(rates.take("b", kMinute));
  EXPECT_TRUE(rates.take("a", kMinute + kMinute / 2));
  EXPECT_FALSE(rates.take("a", kMinute + kMinute / 2));
}

TEST(RateShares, AllTogetherKeepToTheCapacity) {
  const auto refusals = std::make_shared<BoundRefusals>();
  RateShares rates({.bound = Bound::sign_ups, .capacity = 3, .share = 1}, refusals);
  EXPECT_TRUE(rates.take("a", kMinute));
  EXPECT_TRUE(rates.take("b", kMinute));
  EXPECT_TRUE(rates.take("c", kMinute));
  EXPECT_EQ(rates.take("d", kMinute).error(), BoundScope::all);
  EXPECT_EQ(refusals->read(Bound::sign_ups, BoundScope::all), 1U);
  EXPECT_TRUE(rates.take("d", 2 * kMinute));
}

TEST(RateShares, ForgetsWhoHasBeenQuietLongestFirst) {
  RateShares rates({.share = 1, .clients_max = 2});
  EXPECT_TRUE(rates.take("a", kMinute));
  EXPECT_TRUE(rates.take("b", kMinute + 1));
  EXPECT_TRUE(rates.take("c", kMinute + 2));
  EXPECT_FALSE(rates.take("b", kMinute + 3));
  EXPECT_FALSE(rates.take("c", kMinute + 3));
}

}  // namespace
}  // namespace holdfast::test
