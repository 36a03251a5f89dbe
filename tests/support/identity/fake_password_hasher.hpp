#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/identity/password_hasher.hpp>

namespace holdfast::test {

/// A hasher without a cost and without threads: for tests of what stands around it. Its completions
/// are posted by the calling thread.
class FakePasswordHasher final : public identity::PasswordHasher {
 public:
  void hash(std::string password, identity::WorkOwner owner, Executor& executor,
            Completion<Result<std::string>> done) override {
    owners.push_back(std::move(owner));
    if (during_work) during_work();
    Result<std::string> result = encoded(password);
    if (full) result = fail(Errc::too_many_requests, "told to be full");
    executor.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }
  void verify(std::string password, std::string hash, identity::WorkOwner owner, Executor& executor,
              Completion<Result<bool>> done) override {
    owners.push_back(std::move(owner));
    ++verified;
    if (during_work) during_work();
    Result<bool> result = encoded(password) == hash;
    if (full) result = fail(Errc::too_many_requests, "told to be full");
    executor.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

  void compute(std::move_only_function<std::string()> work, identity::WorkOwner owner,
               Executor& executor, Completion<Result<std::string>> done) override {
    owners.push_back(std::move(owner));
    if (during_work) during_work();
    Result<std::string> result = full ? std::string() : work();
    if (full) result = fail(Errc::too_many_requests, "told to be full");
    executor.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

  void sign(std::move_only_function<std::string()> work, identity::Source source,
            Executor& executor, Completion<Result<std::string>> done) override {
    signers.push_back(std::move(source));
    Result<std::string> result = signing_full ? std::string() : work();
    if (signing_full) result = fail(Errc::too_many_requests, "told to be full");
    executor.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

  void stop() override { full = true; }

  static std::string encoded(const std::string& password) { return "$fake$" + password; }

  bool full = false;
  bool signing_full = false;
  std::size_t verified = 0;
  std::vector<identity::WorkOwner> owners;  ///< whose work it was
  std::vector<identity::Source> signers;    ///< for whom tokens were signed
  std::function<void()> during_work;        ///< called while a password is hashed
};

}  // namespace holdfast::test
