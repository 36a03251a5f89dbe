#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <holdfast/identity/user_pool.hpp>

#include "support/identity/thread_executor.hpp"

namespace holdfast::identity {
namespace {

constexpr PasswordHasherOptions kCheap{.threads = 2, .queue = 64, .iterations = 1, .memory_kib = 8};

Result<std::string> hash(PasswordHasher& hasher, Executor& executor, const std::string& password) {
  std::promise<Result<std::string>> out;
  hasher.hash(password, executor, [&](auto result) { out.set_value(std::move(result)); });
  return out.get_future().get();
}
Result<bool> verify(PasswordHasher& hasher, Executor& executor, const std::string& password,
                    const std::string& encoded) {
  std::promise<Result<bool>> out;
  hasher.verify(password, encoded, executor,
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

TEST(PasswordHasher, SaysNoToAnEmptyHashInTheTimeOfARealOne) {
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
  const auto hasher = make_password_hasher({.threads = 1, .queue = 4, .iterations = 2});
  constexpr int kCalls = 50;
  std::atomic<int> refused{0};
  std::atomic<int> served{0};
  std::vector<std::promise<void>> done(kCalls);
  for (auto& promise : done) {
    hasher->verify("wrong", "", executor, [&](const Result<bool>& result) {
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

TEST(PasswordHasher, AnswersEveryCallWhenItEnds) {
  test::ThreadExecutor executor;
  auto hasher = make_password_hasher({.threads = 1, .queue = 64});
  std::atomic<int> answered{0};
  std::atomic<int> unavailable{0};
  for (int i = 0; i < 40; ++i) {
    hasher->hash("password", executor, [&](const Result<std::string>& result) {
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
