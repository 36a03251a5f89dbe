// Tests Argon2id hashes, and the lanes and shares of the hashing threads.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/identity/password_hasher.hpp>

#include "support/identity/thread_executor.hpp"

namespace holdfast::identity {
namespace {

const WorkOwner kSomebody{.source = Source::of_client("192.0.2.1")};

constexpr PasswordHasherOptions kCheap{.threads = 2, .queue = 64, .iterations = 1, .memory_kib = 8};

Result<std::string> hash(PasswordHasher& hasher, Executor& executor, const std::string& password) {
  std::promise<Result<std::string>> out;
  hasher.hash(password, kSomebody, executor,
              [&](auto result) { out.set_value(std::move(result)); });
  return out.get_future().get();
}
Result<bool> verify(PasswordHasher& hasher, Executor& executor, const std::string& password,
                    const std::string& encoded) {
  std::promise<Result<bool>> out;
  hasher.verify(password, encoded, kSomebody, executor,
                [&](auto result) { out.set_value(std::move(result)); });
  return out.get_future().get();
}

TEST(PasswordHasher, VerifiesWhatItHashed) {
  test::ThreadExecutor executor;
  const auto hasher = make_password_hasher(kCheap);
  for (const std::string& password :
       {std::string("correct horse"), std::string(), std::string(256, 'x'),
        std::string("пароль-🔑-密码"), std::string("with\0NUL", 8)}) {
    const std::string encoded = hash(*hasher, executor, password).value();
    EXPECT_TRUE(verify(*hasher, executor, password, encoded).value());
    EXPECT_FALSE(verify(*hasher, executor, password + "x", encoded).value());
    EXPECT_EQ(encoded.find(password.empty() ? "\n" : password), std::string::npos);
  }
}

TEST(PasswordHasher, TellsLongPasswordsApartByTheirLastCharacter) {
  test::ThreadExecutor executor;
  const auto hasher = make_password_hasher(kCheap);
  const std::string encoded = hash(*hasher, executor, std::string(100, 'x') + "a").value();
  EXPECT_FALSE(verify(*hasher, executor, std::string(100, 'x') + "b", encoded).value());
}

TEST(PasswordHasher, UsesArgon2idWithTheParametersOfTheContract) {
  test::ThreadExecutor executor;
  const auto hasher = make_password_hasher({});
  const std::string encoded = hash(*hasher, executor, "password").value();
  EXPECT_TRUE(encoded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << encoded;
  EXPECT_NE(hash(*hasher, executor, "password").value(), encoded);
}

// A vector of the reference implementation (P-H-C/phc-winner-argon2, src/test.c).
TEST(PasswordHasher, VerifiesAHashThatAnotherProgramMade) {
  test::ThreadExecutor executor;
  const auto hasher = make_password_hasher(kCheap);
  const std::string encoded =
      "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  EXPECT_TRUE(verify(*hasher, executor, "password", encoded).value());
  EXPECT_FALSE(verify(*hasher, executor, "passwore", encoded).value());
}

TEST(PasswordHasher, RefusesAnEmptyHashInTheTimeOfARealOne) {
  test::ThreadExecutor executor;
  const auto hasher = make_password_hasher({});
  const std::string encoded = hash(*hasher, executor, "password").value();
  const auto fastest = [&](const std::string& against) {
    auto best = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 5; ++i) {
      const auto start = std::chrono::steady_clock::now();
      EXPECT_FALSE(verify(*hasher, executor, "wrong", against).value());
      best = std::min(best, std::chrono::steady_clock::now() - start);
    }
    return best;
  };
  // Without the work it would be a thousandth; the factor leaves room for a busy machine.
  EXPECT_GT(fastest("") * 4, fastest(encoded));
  EXPECT_LT(fastest(""), fastest(encoded) * 4);
}

TEST(PasswordHasher, ReportsADamagedHash) {
  test::ThreadExecutor executor;
  const auto hasher = make_password_hasher(kCheap);
  for (const char* encoded : {"garbage", "$argon2id$v=19$m=8,t=1,p=1$x", "$2b$10$abc"}) {
    EXPECT_EQ(verify(*hasher, executor, "password", encoded).error().code, Errc::internal);
  }
}

TEST(PasswordHasher, RefusesAFloodAndServesAfterIt) {
  test::ThreadExecutor executor;
  const auto hasher = make_password_hasher({.threads = 1, .queue = 32, .iterations = 2});
  constexpr int kCalls = 50;
  std::atomic<int> refused{0};
  std::atomic<int> served{0};
  std::vector<std::promise<void>> done(kCalls);
  for (auto& promise : done) {
    hasher->verify("wrong", "", kSomebody, executor, [&](const Result<bool>& result) {
      if (result) {
        ++served;
      } else if (result.error().code == Errc::too_many_requests) {
        ++refused;
      }
      promise.set_value();
    });
  }
  for (auto& promise : done) promise.get_future().wait();
  EXPECT_EQ(served + refused, kCalls);
  EXPECT_GE(served, 4);
  EXPECT_GE(refused, kCalls - 20);
  EXPECT_FALSE(verify(*hasher, executor, "wrong", "").value());
}

/// A hasher whose one thread is held, so that what waits can be looked at.
class PasswordLanes : public testing::Test {
 protected:
  PasswordLanes() {
    hasher_->compute(
        [this] {
          held_.set_value();
          release_.get_future().wait();
          return std::string();
        },
        {.source = Source::of_operator()}, executor_, [](const auto&) {});
    held_.get_future().wait();
  }
  /// Queues work that records `word` when it runs. Returns whether there was room.
  bool enqueue(const WorkOwner& owner, const std::string& word) {
    const auto refused = std::make_shared<bool>(false);
    ++asked_;
    hasher_->compute(
        [this, word] {
          ran_.push_back(word);
          return std::string();
        },
        owner, executor_,
        [refused, this](const Result<std::string>& done) {
          if (!done) {
            EXPECT_EQ(done.error().code, Errc::too_many_requests);
          }
          *refused = !done;
          ++answered_;
        });
    // A refusal has been posted before this task.
    std::promise<void> looked;
    executor_.post([&] { looked.set_value(); });
    looked.get_future().wait();
    return !*refused;
  }
  bool enqueue(const std::string& address, const std::string& word, const std::string& name = {}) {
    return enqueue({.source = Source::of_client(address), .name = name}, word);
  }
  /// Returns the words of the work that ran, in order.
  std::vector<std::string> run() {
    release_.set_value();
    while (answered_ < asked_) std::this_thread::yield();
    hasher_->stop();
    return ran_;
  }

  std::promise<void> held_;
  std::promise<void> release_;
  std::vector<std::string> ran_;
  int asked_ = 0;
  std::atomic<int> answered_{0};
  std::shared_ptr<BoundRefusals> refusals_ = std::make_shared<BoundRefusals>();
  test::ThreadExecutor executor_;
  std::shared_ptr<PasswordHasher> hasher_ = make_password_hasher(
      {.threads = 1, .queue = 16, .iterations = 1, .memory_kib = 8}, refusals_);
};

TEST_F(PasswordLanes, GiveOneAddressAnEighthAndServeAddressesInTurn) {
  EXPECT_TRUE(enqueue("192.0.2.1", "a1"));
  EXPECT_TRUE(enqueue("192.0.2.1", "a2"));
  EXPECT_FALSE(enqueue("192.0.2.1", "a3"));
  EXPECT_FALSE(enqueue("::ffff:192.0.2.1", "a3"));
  EXPECT_TRUE(enqueue("2001:db8::1", "b1"));
  EXPECT_TRUE(enqueue("2001:db8::2", "b2"));
  EXPECT_FALSE(enqueue("2001:db8::3", "b3")) << "a /64 is one client";
  EXPECT_EQ(refusals_->read(Bound::password_work, BoundScope::share), 3U);
  EXPECT_EQ(run(), (std::vector<std::string>{"a1", "b1", "a2", "b2"}));
}

TEST_F(PasswordLanes, ServeTheOperatorFirstHoweverFullThePublicLaneIs) {
  for (int i = 0; i < 16; ++i) {
    EXPECT_TRUE(enqueue("192.0.2." + std::to_string(i), "public"));
  }
  EXPECT_FALSE(enqueue("192.0.2.99", "public"));
  EXPECT_EQ(refusals_->read(Bound::password_work, BoundScope::all), 1U);
  EXPECT_TRUE(enqueue({.source = Source::of_operator()}, "operator"));
  const auto ran = run();
  ASSERT_EQ(ran.size(), 17U);
  EXPECT_EQ(ran.front(), "operator");
}

TEST_F(PasswordLanes, TakeOneAttemptOfANameAtATimeAndLetFewWaitBehindIt) {
  EXPECT_TRUE(enqueue("192.0.2.1", "a1", "alice"));
  for (int i = 2; i <= 5; ++i) {
    EXPECT_TRUE(enqueue("192.0.2." + std::to_string(i), "a" + std::to_string(i), "alice"));
  }
  EXPECT_FALSE(enqueue("192.0.2.6", "a6", "alice"));
  EXPECT_EQ(refusals_->read(Bound::password_work, BoundScope::share), 1U);
  EXPECT_TRUE(enqueue("192.0.2.6", "b", "bob"));
  // One of alice's is in the line at a time, however early the others came.
  EXPECT_EQ(run().at(1), "b");
}

TEST_F(PasswordLanes, LetOneAccessKeyUseHalf) {
  const WorkOwner key{.source = Source::of_access_key("AKIA1")};
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(enqueue(key, "key"));
  EXPECT_FALSE(enqueue(key, "key"));
  EXPECT_TRUE(enqueue("192.0.2.1", "client"));
  (void)run();
}

TEST_F(PasswordLanes, TakeTurnsWithSignaturesWhichHaveALaneOfTheirOwn) {
  std::atomic<int> refused{0};
  const auto sign = [&](const std::string& address) {
    ++asked_;
    hasher_->sign(
        [this] {
          ran_.push_back("signature");
          return std::string();
        },
        Source::of_client(address), executor_,
        [&](const Result<std::string>& done) {
          refused += done ? 0 : 1;
          ++answered_;
        });
  };
  // An eighth of four times the room.
  for (int i = 0; i < 9; ++i) sign("192.0.2.1");
  // A client's signatures take nothing of the room for passwords.
  EXPECT_TRUE(enqueue("192.0.2.1", "password"));
  EXPECT_TRUE(enqueue("192.0.2.2", "password"));
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(refusals_->read(Bound::signatures, BoundScope::share), 1U);
  EXPECT_EQ(refusals_->read(Bound::password_work, BoundScope::share), 0U);
  const auto ran = run();
  ASSERT_GE(ran.size(), 4U);
  EXPECT_EQ(std::vector<std::string>(ran.begin(), ran.begin() + 4),
            (std::vector<std::string>{"signature", "password", "signature", "password"}));
}

TEST(PasswordHasher, IsDoneWithANameBeforeItAnswers) {
  test::ThreadExecutor executor;
  const auto hasher = make_password_hasher(kCheap);
  const WorkOwner owner{.source = Source::of_client("192.0.2.1"), .name = "alice"};
  for (int i = 0; i < 200; ++i) {
    std::promise<bool> out;
    hasher->compute([] { return std::string(); }, owner, executor,
                    [&](const auto&) {
                      hasher->compute([] { return std::string(); }, owner, executor,
                                      [&](const Result<std::string>& again) {
                                        out.set_value(again.has_value());
                                      });
                    });
    ASSERT_TRUE(out.get_future().get()) << i;
  }
}

TEST(PasswordHasher, AnswersEveryCallWhenItEnds) {
  test::ThreadExecutor executor;
  auto hasher = make_password_hasher({.threads = 1, .queue = 64});
  std::atomic<int> answered{0};
  std::atomic<int> unavailable{0};
  for (int i = 0; i < 40; ++i) {
    hasher->hash("password", {.source = Source::of_operator()}, executor,
                 [&](const Result<std::string>& result) {
                   ++answered;
                   if (!result && result.error().code == Errc::unavailable) ++unavailable;
                 });
  }
  hasher->stop();
  EXPECT_EQ(verify(*hasher, executor, "password", "").error().code, Errc::unavailable);
  hasher->stop();
  executor.stop();
  EXPECT_EQ(answered, 40);
  EXPECT_GT(unavailable, 30);
}

}  // namespace
}  // namespace holdfast::identity
