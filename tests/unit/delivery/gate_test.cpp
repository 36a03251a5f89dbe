// Passes of operations that are under way.

#include "delivery/gate.hpp"

#include <functional>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

namespace holdfast::delivery {
namespace {

/// An object that calls come back to.
class Owner {
 public:
  [[nodiscard]] Gate& gate() noexcept { return gate_; }
  int answered = 0;

 private:
  Gate gate_;
};

TEST(GateTest, IsEmptyOnceEveryCompletionHasCome) {
  Owner owner;
  EXPECT_TRUE(owner.gate().is_empty());
  const auto call = [&] {
    return std::move_only_function<void()>(
        [pass = Pass<Owner>(owner)]() mutable { ++pass.leave().answered; });
  };
  auto first = call();
  auto second = call();
  first();
  EXPECT_FALSE(owner.gate().is_empty());
  second();
  EXPECT_TRUE(owner.gate().is_empty());
  EXPECT_EQ(owner.answered, 2);
}

TEST(GateTest, IsEmptyWithinTheLastCompletion) {
  Owner owner;
  bool was_empty = false;
  std::move_only_function<void()> completion = [&, pass = Pass<Owner>(owner)]() mutable {
    was_empty = pass.leave().gate().is_empty();
  };
  completion();
  EXPECT_TRUE(was_empty) << "the end of its turn looks whether the object may go";
}

TEST(GateTest, StaysClosedForACompletionThatNobodyRuns) {
  Owner owner;
  {
    const Pass<Owner> pass(owner);
  }
  EXPECT_FALSE(owner.gate().is_empty());
}

TEST(GateTest, IsLeftOnceByAPassThatMoves) {
  Owner owner;
  Pass<Owner> pass(owner);
  Pass<Owner> moved(std::move(pass));
  EXPECT_EQ(&moved.leave(), &owner);
  EXPECT_TRUE(owner.gate().is_empty());
}

// A completion with a pass and a number needs no memory of its own.
static_assert(sizeof(Pass<Owner>) == sizeof(void*));
static_assert(std::is_nothrow_move_constructible_v<Pass<Owner>>);

}  // namespace
}  // namespace holdfast::delivery
