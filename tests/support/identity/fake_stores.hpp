#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/identity/store_errors.hpp>
#include <holdfast/identity/stores.hpp>

#include "support/identity/fake_database.hpp"

namespace holdfast::test {

[[nodiscard]] inline Result<void> check_user(const FakeIdentityDatabase& database,
                                             const UserId& sub, std::int64_t expected_revision) {
  const auto found = database.users.find(sub.str());
  const bool is_there = found != database.users.end();
  return identity::check_revision(is_there ? std::optional(found->second.revision) : std::nullopt,
                                  expected_revision);
}

class FakeUserStore final : public identity::UserStore, public FakeHandle {
 public:
  using FakeHandle::FakeHandle;
  using User = identity::User;

  void create(User user, std::string folded, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      if (find(database, folded)) return identity::username_taken();
      database.users[user.sub.str()] = std::move(user);
      return {};
    });
  }
  void find_by_username(std::string folded, Completion<Result<std::optional<User>>> done) override {
    run<std::optional<User>>(std::move(done), [&](FakeIdentityDatabase& database) {
      return Result<std::optional<User>>(find(database, folded));
    });
  }
  void find_by_sub(const UserId& sub, Completion<Result<std::optional<User>>> done) override {
    run<std::optional<User>>(std::move(done), [&](FakeIdentityDatabase& database) {
      const auto found = database.users.find(sub.str());
      return Result<std::optional<User>>(
          found == database.users.end() ? std::nullopt : std::optional(found->second));
    });
  }
  void find_by_name_or_sub(std::string folded, UserId sub,
                           Completion<Result<std::optional<User>>> done) override {
    run<std::optional<User>>(std::move(done), [&](FakeIdentityDatabase& database) {
      std::optional<User> user = find(database, folded);
      const auto found = database.users.find(sub.str());
      if (!user && found != database.users.end()) user = found->second;
      return Result<std::optional<User>>(std::move(user));
    });
  }
  void find_with_login(const UserId& sub, std::string login,
                       Completion<Result<std::optional<UserAndLogin>>> done) override {
    run<std::optional<UserAndLogin>>(std::move(done), [&](FakeIdentityDatabase& database) {
      const auto found = database.users.find(sub.str());
      if (found == database.users.end()) return Result<std::optional<UserAndLogin>>(std::nullopt);
      const bool goes_on = std::ranges::any_of(database.refresh_tokens, [&](const auto& row) {
        return row.sub == sub && row.origin == login && !row.revoked;
      });
      return Result<std::optional<UserAndLogin>>(
          UserAndLogin{.user = found->second, .login_goes_on = goes_on});
    });
  }
  void update(User user, std::int64_t expected_revision, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      const auto found = database.users.find(user.sub.str());
      const Result<void> good = check_user(database, user.sub, expected_revision);
      if (!good) return good;
      user.revision = expected_revision + 1;
      found->second = std::move(user);
      return {};
    });
  }
  void update_and_end_logins(User user, std::int64_t expected_revision, std::string kept_login,
                             Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      const auto found = database.users.find(user.sub.str());
      const Result<void> good = check_user(database, user.sub, expected_revision);
      if (!good) return good;
      user.revision = expected_revision + 1;
      end_logins(database, user.sub, kept_login);
      found->second = std::move(user);
      return {};
    });
  }
  /// Called once between the reading of a change and its writing.
  std::function<void()> before_update_by_code;

  void update_by_code(User user, std::int64_t expected_revision, identity::CodeStore::Row code,
                      Completion<Result<void>> done) override {
    if (auto meanwhile = std::exchange(before_update_by_code, nullptr)) {
      meanwhile();
      expected_revision = -1;
    }
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      const bool is_current = std::ranges::any_of(database.codes, [&](const auto& row) {
        return row.sub == code.sub && row.purpose == code.purpose && row.sealed == code.sealed;
      });
      if (!is_current) return identity::code_spent();
      const auto found = database.users.find(user.sub.str());
      const Result<void> good = check_user(database, user.sub, expected_revision);
      if (!good) return good;
      user.revision = expected_revision + 1;
      using Purpose = identity::CodeStore::Purpose;
      const bool alone =
          code.purpose == Purpose::verify_email || code.purpose == Purpose::verify_phone_number;
      std::erase_if(database.codes, [&](const auto& row) {
        return row.sub == user.sub && (!alone || row.purpose == code.purpose);
      });
      if (code.purpose == identity::CodeStore::Purpose::forgot_password) {
        end_logins(database, user.sub, "");
      }
      found->second = std::move(user);
      return {};
    });
  }
  void remove(const UserId& sub, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      const auto is_theirs = [&](const auto& row) { return row.sub == sub; };
      database.users.erase(sub.str());
      std::erase_if(database.tokens, is_theirs);
      std::erase_if(database.refresh_tokens, is_theirs);
      std::erase_if(database.codes, is_theirs);
      std::erase_if(database.known_addresses,
                    [&](const auto& entry) { return entry.first.first == sub.str(); });
      return {};
    });
  }
  void sweep_unconfirmed(WallTime before, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      std::erase_if(database.users, [&](const auto& entry) {
        const User& user = entry.second;
        if (user.status != identity::UserStatus::unconfirmed || user.created_at >= before) {
          return false;
        }
        std::erase_if(database.codes, [&](const auto& row) { return row.sub == user.sub; });
        return true;
      });
      return {};
    });
  }
  void list(std::string after, std::size_t limit,
            Completion<Result<std::vector<User>>> done) override {
    run<std::vector<User>>(std::move(done), [&](FakeIdentityDatabase& database) {
      std::map<std::string, User> by_name;
      for (const auto& [sub, user] : database.users) {
        by_name.emplace(identity::fold_username(user.username), user);
      }
      std::vector<User> out;
      for (auto it = by_name.upper_bound(after); it != by_name.end() && out.size() < limit; ++it) {
        out.push_back(it->second);
      }
      return Result<std::vector<User>>(std::move(out));
    });
  }

 private:
  static void end_logins(FakeIdentityDatabase& database, const UserId& sub,
                         std::string_view kept_login) {
    std::erase_if(database.tokens, [&](const auto& row) {
      return row.sub == sub && (kept_login.empty() || row.login != kept_login);
    });
    std::erase_if(database.codes, [&](const auto& row) { return row.sub == sub; });
    for (auto& row : database.refresh_tokens) {
      if (row.sub == sub && row.origin != kept_login) row.revoked = true;
    }
  }
  static std::optional<User> find(const FakeIdentityDatabase& database, std::string_view folded) {
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
        return identity::too_many_tokens();
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

class FakeRefreshTokenStore final : public identity::RefreshTokenStore, public FakeHandle {
 public:
  using FakeHandle::FakeHandle;

  void add(Row row, std::int64_t expected_revision, std::size_t max_per_user,
           Completion<Result<std::vector<std::string>>> done) override {
    using Ended = Result<std::vector<std::string>>;
    run<std::vector<std::string>>(std::move(done), [&](FakeIdentityDatabase& database) -> Ended {
      const Result<void> good = check_user(database, row.sub, expected_revision);
      if (!good) return std::unexpected(good.error());
      auto& rows = database.refresh_tokens;
      const auto is_theirs = [&](const Row& other) { return other.sub == row.sub; };
      std::vector<std::string> ended;
      while (static_cast<std::size_t>(std::ranges::count_if(rows, is_theirs)) >= max_per_user) {
        auto gone = std::ranges::find_if(
            rows, [&](const Row& other) { return is_theirs(other) && other.revoked; });
        if (gone == rows.end()) gone = std::ranges::find_if(rows, is_theirs);
        if (!gone->revoked) ended.push_back(gone->origin);
        drop_tokens(database, gone->sub, gone->origin);
        rows.erase(gone);
      }
      rows.push_back(std::move(row));
      return ended;
    });
  }
  void find_with_user(const TokenHashes& hashes,
                      Completion<Result<std::optional<RowAndUser>>> done) override {
    run<std::optional<RowAndUser>>(std::move(done), [&](FakeIdentityDatabase& database) {
      const auto found = find(database, hashes);
      if (found == database.refresh_tokens.end()) {
        return Result<std::optional<RowAndUser>>(std::nullopt);
      }
      const auto user = database.users.find(found->sub.str());
      if (user == database.users.end()) return Result<std::optional<RowAndUser>>(std::nullopt);
      return Result<std::optional<RowAndUser>>(RowAndUser{.row = *found, .user = user->second});
    });
  }
  void rotate(Rotation rotation, Completion<Result<bool>> done) override {
    run<bool>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<bool> {
      for (Row& row : database.refresh_tokens) {
        if (row.sub != rotation.sub || row.origin != rotation.origin || row.revoked ||
            row.token_hash != rotation.from) {
          continue;
        }
        row.previous_hash = rotation.from;
        row.token_hash = rotation.to.token;
        row.rotated_at = rotation.at;
        row.sealed_token = rotation.sealed_token;
        database.families[row.origin] = rotation.to.family;
        return true;
      }
      return false;
    });
  }
  void end_login(const UserId& sub, std::string origin, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      for (Row& row : database.refresh_tokens) {
        if (row.sub == sub && row.origin == origin) row.revoked = true;
      }
      drop_tokens(database, sub, origin);
      return {};
    });
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      std::erase_if(database.refresh_tokens,
                    [&](const Row& row) { return row.expires_at < before; });
      return {};
    });
  }

 private:
  static std::vector<Row>::iterator find(FakeIdentityDatabase& database,
                                         const TokenHashes& hashes) {
    auto& rows = database.refresh_tokens;
    const auto found = std::ranges::find(rows, hashes.token, &Row::token_hash);
    if (found != rows.end()) return found;
    return std::ranges::find_if(rows, [&](const Row& row) {
      const auto family = database.families.find(row.origin);
      return family != database.families.end() && family->second == hashes.family;
    });
  }
  static void drop_tokens(FakeIdentityDatabase& database, const UserId& sub,
                          const std::string& login) {
    std::erase_if(database.tokens,
                  [&](const auto& row) { return row.sub == sub && row.login == login; });
  }
};

class FakeCodeStore final : public identity::CodeStore, public FakeHandle {
 public:
  using FakeHandle::FakeHandle;

  void put(Row row, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      erase(database, row.sub, row.purpose);
      database.codes.push_back(std::move(row));
      return {};
    });
  }
  void attempt(const UserId& sub, Purpose purpose,
               Completion<Result<std::optional<Row>>> done) override {
    run<std::optional<Row>>(std::move(done), [&](FakeIdentityDatabase& database) {
      for (Row& row : database.codes) {
        if (row.sub != sub || row.purpose != purpose) continue;
        ++row.attempts;
        return Result<std::optional<Row>>(row);
      }
      for (Row& row : database.codes) {
        if (!row.sub.empty() || row.purpose != purpose) continue;
        ++row.attempts;
        return Result<std::optional<Row>>(std::nullopt);
      }
      database.codes.push_back(
          {.sub = UserId(), .purpose = purpose, .sealed = {}, .expires_at = {}, .attempts = 1});
      return Result<std::optional<Row>>(std::nullopt);
    });
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      std::erase_if(database.codes, [&](const Row& row) { return row.expires_at < before; });
      return {};
    });
  }

 private:
  static void erase(FakeIdentityDatabase& database, const UserId& sub, Purpose purpose) {
    std::erase_if(database.codes,
                  [&](const Row& row) { return row.sub == sub && row.purpose == purpose; });
  }
};

class FakeAttemptStore final : public identity::AttemptStore, public FakeHandle {
 public:
  using FakeHandle::FakeHandle;

  void load(WallTime now, Completion<Result<std::vector<Row>>> done) override {
    run<std::vector<Row>>(std::move(done), [&](FakeIdentityDatabase& database) {
      std::vector<Row> out;
      for (const auto& [key, row] : database.attempts) {
        if (row.forgotten_at > now) out.push_back(row);
      }
      return Result<std::vector<Row>>(std::move(out));
    });
  }
  void write(std::vector<Row> rows, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      for (Row& row : rows) {
        const std::pair key(row.list, row.name);
        if (row.state.empty()) {
          database.attempts.erase(key);
        } else {
          database.attempts[key] = std::move(row);
        }
      }
      return {};
    });
  }
};

class FakeKnownAddressStore final : public identity::KnownAddressStore, public FakeHandle {
 public:
  using FakeHandle::FakeHandle;

  void find(const UserId& sub, const Digest& address,
            Completion<Result<std::optional<WallTime>>> done) override {
    run<std::optional<WallTime>>(std::move(done), [&](FakeIdentityDatabase& database) {
      const auto found = database.known_addresses.find({sub.str(), address});
      return Result<std::optional<WallTime>>(
          found == database.known_addresses.end() ? std::nullopt : std::optional(found->second));
    });
  }
  void add(const UserId& sub, const Digest& address, WallTime seen_at, std::size_t max_per_user,
           Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      auto& known = database.known_addresses;
      known[{sub.str(), address}] = seen_at;
      const auto is_theirs = [&](const auto& entry) { return entry.first.first == sub.str(); };
      while (static_cast<std::size_t>(std::ranges::count_if(known, is_theirs)) > max_per_user) {
        auto oldest = std::ranges::find_if(known, is_theirs);
        for (auto entry = known.begin(); entry != known.end(); ++entry) {
          if (is_theirs(*entry) && entry->second < oldest->second) oldest = entry;
        }
        known.erase(oldest);
      }
      return {};
    });
  }
  void sweep(WallTime before, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      std::erase_if(database.known_addresses,
                    [&](const auto& entry) { return entry.second < before; });
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
  void epoch(Completion<Result<std::int64_t>> done) override {
    run<std::int64_t>(std::move(done), [](FakeIdentityDatabase& database) {
      return Result<std::int64_t>(database.epoch);
    });
  }
  void retire_signing(std::uint32_t id, Completion<Result<void>> done) override {
    run<void>(std::move(done), [&](FakeIdentityDatabase& database) -> Result<void> {
      for (Row& row : database.keys) {
        if (row.kind != Row::Kind::signing || row.id != id) continue;
        row.retired = true;
        row.wrapped.clear();
        return {};
      }
      return fail(Errc::not_found, "no such key");
    });
  }
};

}  // namespace holdfast::test
