// Tests hashes, random bytes and wiping.

#include <algorithm>
#include <array>
#include <csignal>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

namespace holdfast {
namespace {

std::string hex(const Digest& digest) { return hex_encode(view(digest)); }

TEST(Crypto, HashesTheVectorsOfFips180) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Crypto, AuthenticatesTheVectorsOfRfc4231) {
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\xaa'), std::string(50, '\xdd'))),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'),
                            "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(hmac_sha256("", "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Crypto, HashesOnManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int n = 0; n < 500; ++n) {
        EXPECT_EQ(hex(sha256("abc")),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Crypto, ComparesByContentAndLength) {
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_TRUE(constant_time_equal("secret", "secret"));
  EXPECT_FALSE(constant_time_equal("secret", "secreT"));
  EXPECT_FALSE(constant_time_equal("secret", "secret "));
  EXPECT_FALSE(constant_time_equal("", "x"));
}

TEST(Crypto, WipesTheBytesOfASecret) {
  std::string secret = "a secret long enough to live on the heap, not in the object";
  const std::size_t length = secret.size();
  wipe(secret);
  EXPECT_TRUE(secret.empty());
  secret.resize(length, 'x');
  EXPECT_EQ(secret, std::string(length, 'x'));
}

TEST(Crypto, RandomBytesDoNotRepeat) {
  std::set<std::string> strings;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) {
    strings.insert(random_string(16));
    numbers.insert(random_u64());
  }
  EXPECT_EQ(strings.size(), 1000U);
  EXPECT_EQ(numbers.size(), 1000U);
  EXPECT_TRUE(random_string(0).empty());
}

// A copy of a virtual machine is a copy of its processes with all their memory, and with the same
// process ids. New namespaces give children one id: each is the first process of its own.
namespace {

pid_t clone_here(unsigned long flags) {
  // Not fork(): that tells whoever wants to know that this is a child.
  return static_cast<pid_t>(::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0UL));
}
void write_drawn(int to) {
  std::array<std::uint8_t, 12> drawn{};
  random_bytes(drawn);
  if (::write(to, drawn.data(), drawn.size()) < 0) ::_exit(1);
}
[[noreturn]] void draw_in_two_copies(int to) {
  (void)random_u64();
  for (int copy = 0; copy < 2; ++copy) {
    const pid_t child = clone_here(CLONE_NEWPID);
    if (child < 0) ::_exit(1);
    if (child == 0) {
      write_drawn(to);
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  }
  ::_exit(0);
}

}  // namespace

TEST(Crypto, CopiesOfAProcessDoNotDrawTheSame) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  pid_t first = clone_here(CLONE_NEWPID | CLONE_NEWUSER);
  if (first == 0) draw_in_two_copies(ends[1]);
  ::close(ends[1]);
  if (first < 0) {
    ::close(ends[0]);
    GTEST_SKIP() << "this machine gives no process another namespace";
  }
  std::array<char, 25> drawn{};
  ssize_t got = 0;
  for (ssize_t more = 1; more > 0; got += std::max<ssize_t>(more, 0)) {
    more = ::read(ends[0], drawn.data() + got, drawn.size() - static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(first, &status, 0);
  if (status != 0) GTEST_SKIP() << "this machine gives no process another namespace";
  ASSERT_EQ(got, 24);
  const std::string_view both(drawn.data(), 24);
  EXPECT_NE(both.substr(0, 12), both.substr(12));
}

TEST(Crypto, IdentifierBytesDoNotRepeatWithinAndAcrossThreads) {
  constexpr std::size_t kThreads = 4;
  std::vector<std::vector<std::string>> drawn(kThreads);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : drawn) {
      threads.emplace_back([&mine] {
        // Sizes that do and do not divide the block, and one that is larger.
        for (std::size_t i = 0; i < 1000; ++i) {
          std::string bytes(i % 100 == 0 ? 5000 : 9 + i % 8, '\0');
          identifier_bytes({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
          mine.push_back(bytes.substr(0, 9));
        }
      });
    }
  }
  std::set<std::string> all;
  for (const auto& mine : drawn) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), kThreads * 1000);
}

}  // namespace
}  // namespace holdfast
