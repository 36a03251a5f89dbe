#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <holdfast/sqlite/store.hpp>

#include "support/base/manual_clock.hpp"
#include "support/storage/message_calls.hpp"
#include "support/storage/pump_executor.hpp"

namespace holdfast::test {

/// A store on a folder, with handles whose completions the test's thread runs.
class OpenedStore {
 public:
  explicit OpenedStore(sqlite::Options options, const Clock& clock = fixed_clock())
      : store_(open(std::move(options), clock)), handles_(store_->handles(executor_)) {}
  explicit OpenedStore(const std::string& path) : OpenedStore(options_for(path)) {}

  [[nodiscard]] static sqlite::Options options_for(const std::string& path) {
    sqlite::Options options;
    options.path = path;
    return options;
  }

  [[nodiscard]] storage::FileStore& store() { return *store_; }
  [[nodiscard]] storage::StoreHandles& handles() { return handles_; }
  [[nodiscard]] delivery::MessageStore& messages() { return *handles_.messages; }
  [[nodiscard]] PumpExecutor& executor() { return executor_; }
  [[nodiscard]] MessageCalls calls() { return {messages(), executor_}; }

 private:
  static const Clock& fixed_clock() {
    static const ManualClock clock(unix_micros(kTestTime));
    return clock;
  }
  static std::unique_ptr<storage::FileStore> open(sqlite::Options options, const Clock& clock) {
    auto store = sqlite::open_store(std::move(options), clock);
    if (!store) throw std::runtime_error(store.error().message + ": " + store.error().where);
    return std::move(*store);
  }

  PumpExecutor executor_;
  std::unique_ptr<storage::FileStore> store_;
  storage::StoreHandles& handles_;
};

}  // namespace holdfast::test
