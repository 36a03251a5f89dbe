#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/identity/stores.hpp>

#include "support/identity/fake_database.hpp"

namespace holdfast::test {

class FakeUserStore final : public identity::UserStore, public FakeHandle {
 public:
  using FakeHandle::FakeHandle;
  using User = identity::User;

  void create(User user, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      if (find(database, user.username)) return fail(Errc::already_exists, "username is taken");
      database.users[user.sub.str()] = std::move(user);
      return {};
    });
  }
  void find_by_username(std::string_view username,
                        Completion<Result<std::optional<User>>> done) override {
    run<std::optional<User>>(std::move(done), [&](FakeIdentityDatabase& database) {
      return Result<std::optional<User>>(find(database, username));
    });
  }
  void find_by_sub(const UserId& sub, Completion<Result<std::optional<User>>> done) override {
    run<std::optional<User>>(std::move(done), [&](FakeIdentityDatabase& database) {
      const auto found = database.users.find(sub.str());
      return Result<std::optional<User>>(
          found == database.users.end() ? std::nullopt : std::optional(found->second));
    });
  }
  void update(User user, std::int64_t expected_revision, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      const auto found = database.users.find(user.sub.str());
      if (found == database.users.end()) return fail(Errc::not_found, "no such user");
      if (found->second.revision != expected_revision) return fail(Errc::conflict, "revision");
      user.revision = expected_revision + 1;
      found->second = std::move(user);
      return {};
    });
  }
  void remove(const UserId& sub, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      database.users.erase(sub.str());
      return {};
    });
  }

 private:
  static std::optional<User> find(const FakeIdentityDatabase& database, std::string_view username) {
    const std::string folded = identity::fold_username(username);
    for (const auto& [sub, user] : database.users) {
      if (identity::fold_username(user.username) == folded) return user;
    }
    return std::nullopt;
  }
};

class FakeTokenStore final : public identity::TokenStore, public FakeHandle {
 public:
  using FakeHandle::FakeHandle;

  void put(Row row, std::size_t max_outstanding, WallTime now,
           Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      const auto outstanding = std::ranges::count_if(database.tokens, [&](const Row& other) {
        return other.sub == row.sub && other.expires_at > now;
      });
      if (static_cast<std::size_t>(outstanding) >= max_outstanding) {
        return fail(Errc::too_many_requests, "too many outstanding tokens");
      }
      database.tokens.push_back(std::move(row));
      return {};
    });
  }
  void consume(const Digest& token_hash, WallTime now, Seconds drift,
               Completion<Result<bool>> done) override {
    run<bool>(std::move(done), [&](FakeIdentityDatabase& database) {
      return Result<bool>(std::erase_if(database.tokens, [&](const Row& row) {
                            return row.token_hash == token_hash && now <= row.expires_at + drift;
                          }) == 1);
    });
  }
  void drop(const UserId& sub, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      std::erase_if(database.tokens, [&](const Row& row) { return row.sub == sub; });
      return {};
    });
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      std::erase_if(database.tokens, [&](const Row& row) { return row.expires_at < before; });
      return {};
    });
  }
};

class FakeKeyStore final : public identity::KeyStore, public FakeHandle {
 public:
  using FakeHandle::FakeHandle;

  void load(Completion<Result<std::vector<Row>>> done) override {
    run<std::vector<Row>>(std::move(done), [](FakeIdentityDatabase& database) {
      return Result<std::vector<Row>>(database.keys);
    });
  }
  void add(Row row, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      const bool taken = std::ranges::any_of(database.keys, [&](const Row& other) {
        return other.kind == row.kind && other.id == row.id;
      });
      if (taken) return fail(Errc::already_exists, "key id is taken");
      database.keys.push_back(std::move(row));
      return {};
    });
  }
  void set_uses(std::uint32_t id, std::int64_t uses, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      for (Row& row : database.keys) {
        if (row.kind != Row::Kind::data || row.id != id) continue;
        row.uses = std::max(row.uses, uses);
        return {};
      }
      return fail(Errc::not_found, "no such key");
    });
  }
};

}  // namespace holdfast::test
