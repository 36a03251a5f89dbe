#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/executor.hpp>
#include <holdfast/iam/access_keys.hpp>

namespace holdfast::test {

/// Access keys in memory. Completions are posted to the executor of its handle, and the next
/// operation can be made to fail.
class FakeAccessKeyStore final : public iam::AccessKeyStore {
 public:
  explicit FakeAccessKeyStore(Executor& executor) : executor_(executor) {}

  std::vector<iam::AccessKeyRow> rows;

  void fail_next(Error error) { failure_ = std::move(error); }

  void load(Completion<Result<std::vector<iam::AccessKeyRow>>> done) override {
    if (failure_) return answer(std::move(done), Result<std::vector<iam::AccessKeyRow>>(take()));
    answer(std::move(done), Result<std::vector<iam::AccessKeyRow>>(rows));
  }
  void add(iam::AccessKeyRow row, Completion<Result<void>> done) override {
    if (failure_) return answer(std::move(done), Result<void>(take()));
    if (std::ranges::find(rows, row.id, &iam::AccessKeyRow::id) != rows.end()) {
      return answer(std::move(done), Result<void>(fail(Errc::already_exists, "the id is taken")));
    }
    rows.push_back(std::move(row));
    answer(std::move(done), Result<void>());
  }
  void change(const std::string& id, iam::AccessKeyChange change,
              Completion<Result<void>> done) override {
    if (failure_) return answer(std::move(done), Result<void>(take()));
    const auto found = std::ranges::find(rows, id, &iam::AccessKeyRow::id);
    if (found != rows.end()) {
      if (change.enabled) found->enabled = *change.enabled;
      if (change.policy) found->policy = *change.policy;
      if (change.rate) found->rate = *change.rate;
    }
    answer(std::move(done),
           found != rows.end() ? Result<void>() : fail(Errc::not_found, "no such key", id));
  }
  void remove(const std::string& id, Completion<Result<void>> done) override {
    if (failure_) return answer(std::move(done), Result<void>(take()));
    const bool found = std::erase_if(rows, [&](const auto& row) { return row.id == id; }) > 0;
    answer(std::move(done), found ? Result<void>() : fail(Errc::not_found, "no such key", id));
  }

 private:
  template <class T>
  void answer(Completion<T> done, T result) {
    executor_.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }
  std::unexpected<Error> take() { return std::unexpected(*std::exchange(failure_, std::nullopt)); }

  Executor& executor_;
  std::optional<Error> failure_;
};

}  // namespace holdfast::test
