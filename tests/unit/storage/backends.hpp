#pragma once

#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include <holdfast/storage/store.hpp>

#include "support/base/temp_dir.hpp"
#include "support/delivery/fake_database.hpp"
#include "support/delivery/fake_message_store.hpp"
#include "support/iam/fake_access_key_store.hpp"
#include "support/identity/fake_database.hpp"
#include "support/identity/fake_stores.hpp"
#include "support/sqlite/opened_store.hpp"

namespace holdfast::test {

// A store for the contract tests: its handles, whose completions `executor` runs, and a restart,
// after which it has what was committed.

class SqliteBackend {
 public:
  SqliteBackend() { restart(); }
  void restart() {
    store_.reset();
    store_ = std::make_unique<OpenedStore>(folder_.file("holdfast.db"));
    start_state_ = store_->store().take_start_state();
  }
  storage::StoreHandles& handles() { return store_->handles(); }
  PumpExecutor& executor() { return store_->executor(); }
  const delivery::StartState& start_state() { return start_state_; }

 private:
  TempDir folder_;
  std::unique_ptr<OpenedStore> store_;
  delivery::StartState start_state_;
};

/// The fakes that delivery, identity and iam are tested with.
class FakeBackend {
 public:
  FakeBackend() {
    handles_.users = std::make_unique<FakeUserStore>(identity_, executor_);
    handles_.tokens = std::make_unique<FakeTokenStore>(identity_, executor_);
    handles_.refresh_tokens = std::make_unique<FakeRefreshTokenStore>(identity_, executor_);
    handles_.codes = std::make_unique<FakeCodeStore>(identity_, executor_);
    handles_.attempts = std::make_unique<FakeAttemptStore>(identity_, executor_);
    handles_.known_addresses = std::make_unique<FakeKnownAddressStore>(identity_, executor_);
    handles_.keys = std::make_unique<FakeKeyStore>(identity_, executor_);
    handles_.access_keys = std::make_unique<FakeAccessKeyStore>(executor_);
    restart();
  }
  void restart() {
    start_state_ = messages_->start(kTestTime);
    handles_.messages = std::make_unique<FakeMessageStore>(messages_, executor_);
  }
  storage::StoreHandles& handles() { return handles_; }
  PumpExecutor& executor() { return executor_; }
  const delivery::StartState& start_state() { return start_state_; }

 private:
  std::shared_ptr<FakeDatabase> messages_ = std::make_shared<FakeDatabase>();
  FakeIdentityDatabase identity_;
  PumpExecutor executor_;
  storage::StoreHandles handles_;
  delivery::StartState start_state_;
};

/// The engines; a new one is a row.
using Engines = testing::Types<SqliteBackend>;

template <class List, class More>
struct WithBackend;
template <class... Each, class More>
struct WithBackend<testing::Types<Each...>, More> {
  using type = testing::Types<Each..., More>;
};
/// The engines and the fakes, for the ports that have one.
using Backends = WithBackend<Engines, FakeBackend>::type;

}  // namespace holdfast::test
