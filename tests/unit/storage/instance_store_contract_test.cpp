// Tests the promises of every InstanceStore.
#include <string>

#include <gtest/gtest.h>

#include "unit/storage/backends.hpp"

namespace holdfast::test {
namespace {

template <class Backend>
class InstanceStoreContractTest : public testing::Test {
 protected:
  std::string set(const std::string& value) {
    return backend_.executor()
        .template await<Result<std::string>>([&](auto done) {
          backend_.handles().instance->get_or_set("user_pool_id", value, std::move(done));
        })
        .value();
  }
  std::optional<std::string> find(const std::string& name) {
    return backend_.executor()
        .template await<Result<std::optional<std::string>>>(
            [&](auto done) { backend_.handles().instance->find(name, std::move(done)); })
        .value();
  }

  Backend backend_;
};
TYPED_TEST_SUITE(InstanceStoreContractTest, Engines);

TYPED_TEST(InstanceStoreContractTest, KeepsTheFirstValueOfAFact) {
  EXPECT_EQ(this->set("first"), "first");
  EXPECT_EQ(this->set("second"), "first");
  this->backend_.restart();
  EXPECT_EQ(this->set("third"), "first");
  EXPECT_EQ(this->find("user_pool_id"), "first");
  EXPECT_EQ(this->find("client_id"), std::nullopt);
}

}  // namespace
}  // namespace holdfast::test
