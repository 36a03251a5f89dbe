// Tests the promises of the ports of identity.
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/storage/backends.hpp"

namespace holdfast::test {
namespace {

using identity::CodeStore;
using identity::KeyStore;
using identity::RefreshTokenStore;
using identity::TokenStore;
using identity::User;
using identity::UserStatus;
using testing::IsEmpty;
using testing::SizeIs;

User make_user(const std::string& sub, const std::string& username) {
  User user;
  user.sub = UserId(sub);
  user.username = username;
  user.status = UserStatus::force_change_password;
  user.enabled = false;
  user.password_hash = "$argon2id$...";
  user.revision = 1;
  user.attributes = {{"email", "a@example.org"}, {"custom:\"odd\"", "\xc3\xbc\n"}};
  user.created_at = kTestTime;
  user.modified_at = kTestTime + Seconds(1);
  user.password_set_at = kTestTime + Seconds(2);
  user.signed_out_at = kTestTime + Seconds(3);
  user.srp_verifier = std::string("\0sealed", 7);
  return user;
}

template <class Backend>
class IdentityStoreContractTest : public testing::Test {
 protected:
  using FoundUser = Result<std::optional<User>>;

  Result<void> create(const User& user) {
    return await<void>([&](auto done) {
      backend_.handles().users->create(user, identity::fold_username(user.username),
                                       std::move(done));
    });
  }
  Result<void> update(const User& user, std::int64_t revision) {
    return await<void>(
        [&](auto done) { backend_.handles().users->update(user, revision, std::move(done)); });
  }
  std::optional<User> find(const std::string& username) {
    return await<std::optional<User>>([&](auto done) {
             backend_.handles().users->find_by_username(identity::fold_username(username),
                                                        std::move(done));
           })
        .value();
  }
  std::optional<User> find_sub(const std::string& sub) {
    return await<std::optional<User>>([&](auto done) {
             backend_.handles().users->find_by_sub(UserId(sub), std::move(done));
           })
        .value();
  }
  Result<void> put(const std::string& token, const std::string& sub, WallTime expires_at,
                   std::size_t max_outstanding = 8, WallTime now = kTestTime,
                   const std::string& login = {}) {
    const TokenStore::Row row{sha256(token), UserId(sub), expires_at, login};
    return await<void>([&](auto done) {
      backend_.handles().tokens->put(row, max_outstanding, now, std::move(done));
    });
  }
  /// One of the login that `refresh(origin)` began.
  Result<void> put_of(const std::string& login, const std::string& token, const std::string& sub) {
    return put(token, sub, kTestTime + Seconds(30), 8, kTestTime, "origin-" + login);
  }
  bool consume(const std::string& token, WallTime now) {
    return await<bool>([&](auto done) {
             backend_.handles().tokens->consume(sha256(token), now, Seconds(5), std::move(done));
           })
        .value();
  }
  static RefreshTokenStore::Row refresh(const std::string& token, const std::string& sub,
                                        WallTime issued_at = kTestTime) {
    return {.sub = UserId(sub),
            .origin = "origin-" + token,
            .token_hash = sha256(token),
            .issued_at = issued_at,
            .expires_at = issued_at + Seconds(100)};
  }
  Result<std::vector<std::string>> add_refresh(const RefreshTokenStore::Row& row,
                                               std::int64_t revision = 1,
                                               std::size_t max_per_user = 8) {
    return await<std::vector<std::string>>([&](auto done) {
      backend_.handles().refresh_tokens->add(row, revision, max_per_user, std::move(done));
    });
  }
  std::optional<RefreshTokenStore::Row> find_refresh(const std::string& token,
                                                     const std::string& family = "of nobody") {
    const auto found = await<std::optional<RefreshTokenStore::RowAndUser>>([&](auto done) {
      backend_.handles().refresh_tokens->find_with_user(
          {.token = sha256(token), .family = sha256(family)}, std::move(done));
    });
    return found.value() ? std::optional((*found)->row) : std::nullopt;
  }
  Result<void> end_login(const std::string& sub, const std::string& origin) {
    return await<void>([&](auto done) {
      backend_.handles().refresh_tokens->end_login(UserId(sub), origin, std::move(done));
    });
  }
  /// nullopt when there is no such user.
  std::optional<bool> goes_on(const std::string& sub, const std::string& login) {
    const auto found = await<std::optional<identity::UserStore::UserAndLogin>>([&](auto done) {
      backend_.handles().users->find_with_login(UserId(sub), login, std::move(done));
    });
    return found.value() ? std::optional((*found)->login_goes_on) : std::nullopt;
  }
  std::vector<std::string> list(const std::string& after, std::size_t limit) {
    std::vector<std::string> names;
    const auto users = await<std::vector<User>>(
        [&](auto done) { backend_.handles().users->list(after, limit, std::move(done)); });
    for (const User& user : users.value()) names.push_back(user.username);
    return names;
  }
  Result<void> put_code(const std::string& sub, CodeStore::Purpose purpose,
                        WallTime expires_at = kTestTime) {
    const CodeStore::Row row{.sub = UserId(sub),
                             .purpose = purpose,
                             .sealed = std::string("\0code", 5),
                             .expires_at = expires_at};
    return await<void>([&](auto done) { backend_.handles().codes->put(row, std::move(done)); });
  }
  std::optional<CodeStore::Row> attempt(const std::string& sub, CodeStore::Purpose purpose) {
    return await<std::optional<CodeStore::Row>>([&](auto done) {
             backend_.handles().codes->attempt(UserId(sub), purpose, std::move(done));
           })
        .value();
  }
  Result<void> add(const KeyStore::Row& row) {
    return await<void>([&](auto done) { backend_.handles().keys->add(row, std::move(done)); });
  }
  std::vector<KeyStore::Row> load() {
    return await<std::vector<KeyStore::Row>>(
               [&](auto done) { backend_.handles().keys->load(std::move(done)); })
        .value();
  }
  static KeyStore::Row key(KeyStore::Row::Kind kind, std::uint32_t id) {
    KeyStore::Row row;
    row.kind = kind;
    row.id = id;
    row.wrapped = std::string("\0wrapped", 8);
    row.created_at = kTestTime;
    return row;
  }
  template <class T, class Start>
  Result<T> await(Start start) {
    return backend_.executor().template await<Result<T>>(start);
  }

  Backend backend_;
};

TYPED_TEST_SUITE(IdentityStoreContractTest, Backends);

TYPED_TEST(IdentityStoreContractTest, KeepsAUserWhole) {
  const User user = make_user("sub-1", "Anna");
  ASSERT_TRUE(this->create(user));
  this->backend_.restart();
  const auto found = this->find_sub("sub-1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->username, "Anna");
  EXPECT_EQ(found->status, UserStatus::force_change_password);
  EXPECT_FALSE(found->enabled);
  EXPECT_EQ(found->password_hash, user.password_hash);
  EXPECT_EQ(found->revision, 1);
  EXPECT_EQ(found->attributes, user.attributes);
  EXPECT_EQ(found->created_at, user.created_at);
  EXPECT_EQ(found->modified_at, user.modified_at);
  EXPECT_EQ(found->password_set_at, user.password_set_at);
  EXPECT_EQ(found->signed_out_at, user.signed_out_at);
  EXPECT_EQ(found->srp_verifier, user.srp_verifier);
}

TYPED_TEST(IdentityStoreContractTest, KeepsAUserWithoutAVerifier) {
  User user = make_user("sub-1", "Anna");
  user.srp_verifier.clear();
  user.password_hash.clear();
  ASSERT_TRUE(this->create(user));
  EXPECT_EQ(this->find_sub("sub-1")->srp_verifier, "");
}

TYPED_TEST(IdentityStoreContractTest, FindsAUserWithoutRegardToCase) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  EXPECT_TRUE(this->find("aNNA"));
  EXPECT_FALSE(this->find("bert"));
  EXPECT_FALSE(this->find_sub("sub-2"));
}

TYPED_TEST(IdentityStoreContractTest, RefusesAUsernameThatIsTaken) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  const auto again = this->create(make_user("sub-2", "ANNA"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::already_exists);
  EXPECT_FALSE(this->find_sub("sub-2"));
}

TYPED_TEST(IdentityStoreContractTest, UpdatesOnlyTheRevisionThatItsCallerSaw) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  User changed = *this->find("anna");
  changed.enabled = true;
  ASSERT_TRUE(this->update(changed, 1));
  EXPECT_TRUE(this->find("anna")->enabled);
  EXPECT_EQ(this->find("anna")->revision, 2);

  changed.enabled = false;
  const auto stale = this->update(changed, 1);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Errc::conflict);
  EXPECT_TRUE(this->find("anna")->enabled);

  const auto gone = this->update(make_user("sub-9", "Zoe"), 1);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::not_found);
}

TYPED_TEST(IdentityStoreContractTest, RemovesAUser) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->template await<void>([&](auto done) {
    this->backend_.handles().users->remove(UserId("sub-1"), std::move(done));
  }));
  EXPECT_FALSE(this->find("anna"));
  EXPECT_TRUE(this->create(make_user("sub-2", "anna")));
}

TYPED_TEST(IdentityStoreContractTest, SweepsWhoNeverConfirmedTheirSignUp) {
  for (const char* name : {"old", "new", "confirmed"}) {
    User user = make_user(std::string("sub-") + name, name);
    if (std::string(name) != "confirmed") user.status = UserStatus::unconfirmed;
    if (std::string(name) != "new") user.created_at = kTestTime - Seconds(1);
    ASSERT_TRUE(this->create(user));
    ASSERT_TRUE(this->put_code(user.sub.str(), CodeStore::Purpose::sign_up));
  }
  ASSERT_TRUE(this->template await<void>([&](auto done) {
    this->backend_.handles().users->sweep_unconfirmed(kTestTime, std::move(done));
  }));
  EXPECT_THAT(this->list("", 60), testing::ElementsAre("confirmed", "new"));
  EXPECT_FALSE(this->attempt("sub-old", CodeStore::Purpose::sign_up));
  EXPECT_TRUE(this->attempt("sub-new", CodeStore::Purpose::sign_up));
}

TYPED_TEST(IdentityStoreContractTest, ConsumesATokenOnce) {
  ASSERT_TRUE(this->put("t", "anna", kTestTime + Seconds(30)));
  this->backend_.restart();
  EXPECT_FALSE(this->consume("other", kTestTime));
  EXPECT_TRUE(this->consume("t", kTestTime));
  EXPECT_FALSE(this->consume("t", kTestTime));
}

TYPED_TEST(IdentityStoreContractTest, GivesATokenToExactlyOneOfMany) {
  ASSERT_TRUE(this->put("t", "anna", kTestTime + Seconds(30)));
  int admitted = 0;
  int answers = 0;
  for (int i = 0; i < 64; ++i) {
    this->backend_.handles().tokens->consume(sha256("t"), kTestTime, Seconds(5),
                                             [&](Result<bool> done) {
                                               ++answers;
                                               if (*done) ++admitted;
                                             });
  }
  this->backend_.executor().run_until([&] { return answers == 64; });
  EXPECT_EQ(admitted, 1);
}

TYPED_TEST(IdentityStoreContractTest, AdmitsATokenUntilItsExpiryAndDrift) {
  ASSERT_TRUE(this->put("late", "anna", kTestTime));
  EXPECT_TRUE(this->consume("late", kTestTime + Seconds(5)));
  ASSERT_TRUE(this->put("later", "anna", kTestTime));
  EXPECT_FALSE(this->consume("later", kTestTime + Seconds(5) + Microseconds(1)));
}

TYPED_TEST(IdentityStoreContractTest, BoundsAUsersOutstandingTokens) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(this->put("t" + std::to_string(i), "anna", kTestTime + Seconds(i), 3));
  }
  // The first has expired by now, which leaves two.
  ASSERT_TRUE(this->put("t3", "anna", kTestTime + Seconds(30), 3));
  const auto refused = this->put("t4", "anna", kTestTime + Seconds(30), 3);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::too_many_requests);
  EXPECT_TRUE(this->put("t5", "bert", kTestTime + Seconds(30), 3));
  EXPECT_TRUE(this->put("t6", "anna", kTestTime + Seconds(30), 3, kTestTime + Seconds(1)));
}

TYPED_TEST(IdentityStoreContractTest, DropsAUsersTokens) {
  ASSERT_TRUE(this->put("a", "anna", kTestTime + Seconds(30)));
  ASSERT_TRUE(this->put("b", "bert", kTestTime + Seconds(30)));
  ASSERT_TRUE(this->template await<void>(
      [&](auto done) { this->backend_.handles().tokens->drop(UserId("anna"), std::move(done)); }));
  EXPECT_FALSE(this->consume("a", kTestTime));
  EXPECT_TRUE(this->consume("b", kTestTime));
}

TYPED_TEST(IdentityStoreContractTest, SweepsWhatExpiredBeforeAMoment) {
  ASSERT_TRUE(this->put("old", "anna", kTestTime - Seconds(1)));
  ASSERT_TRUE(this->put("new", "anna", kTestTime));
  ASSERT_TRUE(this->template await<void>(
      [&](auto done) { this->backend_.handles().tokens->sweep(kTestTime, std::move(done)); }));
  EXPECT_FALSE(this->consume("old", kTestTime));
  EXPECT_TRUE(this->consume("new", kTestTime));
}

TYPED_TEST(IdentityStoreContractTest, ListsUsersByTheirFoldedNames) {
  for (const char* name : {"Bert", "anna", "Zoe", "carl"}) {
    ASSERT_TRUE(this->create(make_user(std::string("sub-") + name, name)));
  }
  EXPECT_THAT(this->list("", 60), testing::ElementsAre("anna", "Bert", "carl", "Zoe"));
  EXPECT_THAT(this->list("anna", 2), testing::ElementsAre("Bert", "carl"));
  EXPECT_THAT(this->list("zoe", 2), IsEmpty());
}

TYPED_TEST(IdentityStoreContractTest, EndsAUsersLoginsWithTheirUpdateOrNotAtAll) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->create(make_user("sub-2", "Bert")));
  ASSERT_TRUE(this->put_of("r1", "a", "sub-1"));
  ASSERT_TRUE(this->put_of("r2", "kept", "sub-1"));
  ASSERT_TRUE(this->put_of("r2", "later", "sub-1"));
  ASSERT_TRUE(this->put_of("r3", "b", "sub-2"));
  ASSERT_TRUE(this->add_refresh(this->refresh("r1", "sub-1")));
  ASSERT_TRUE(this->add_refresh(this->refresh("r2", "sub-1")));
  ASSERT_TRUE(this->add_refresh(this->refresh("r3", "sub-2")));
  ASSERT_TRUE(this->put_code("sub-1", CodeStore::Purpose::forgot_password));
  const auto end = [&](std::int64_t revision, const std::string& kept) {
    return this->template await<void>([&](auto done) {
      this->backend_.handles().users->update_and_end_logins(make_user("sub-1", "Anna"), revision,
                                                            kept, std::move(done));
    });
  };
  const auto stale = end(7, "");
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Errc::conflict);
  EXPECT_FALSE(this->find_refresh("r1")->revoked);

  ASSERT_TRUE(end(1, "origin-r2"));
  EXPECT_EQ(this->find("anna")->revision, 2);
  EXPECT_FALSE(this->consume("a", kTestTime));
  EXPECT_TRUE(this->consume("kept", kTestTime));
  EXPECT_TRUE(this->consume("b", kTestTime));
  EXPECT_EQ(this->goes_on("sub-1", "origin-r1"), false);
  EXPECT_EQ(this->goes_on("sub-1", "origin-r2"), true);
  EXPECT_TRUE(this->find_refresh("r1")->revoked);
  EXPECT_FALSE(this->find_refresh("r2")->revoked);
  EXPECT_FALSE(this->find_refresh("r3")->revoked);
  EXPECT_FALSE(this->attempt("sub-1", CodeStore::Purpose::forgot_password));
  ASSERT_TRUE(end(2, ""));
  EXPECT_TRUE(this->find_refresh("r2")->revoked);
  EXPECT_FALSE(this->consume("later", kTestTime));
}

TYPED_TEST(IdentityStoreContractTest, KnowsWhetherALoginGoesOn) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->create(make_user("sub-2", "Bert")));
  ASSERT_TRUE(this->add_refresh(this->refresh("r1", "sub-1")));
  EXPECT_EQ(this->goes_on("sub-1", "origin-r1"), true);
  EXPECT_EQ(this->goes_on("sub-2", "origin-r1"), false) << "another's";
  EXPECT_EQ(this->goes_on("sub-1", "origin-r2"), false);
  EXPECT_EQ(this->goes_on("sub-1", ""), false);
  EXPECT_EQ(this->goes_on("sub-3", "origin-r1"), std::nullopt);
}

TYPED_TEST(IdentityStoreContractTest, FindsUsersByNameBeforeSub) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->create(make_user("sub-2", "Bert")));
  ASSERT_TRUE(this->create(make_user("sub-3", "sub-1")));
  const auto found = [&](const std::string& text) -> std::string {
    const auto user = this->template await<std::optional<User>>([&](auto done) {
      this->backend_.handles().users->find_by_name_or_sub(identity::fold_username(text),
                                                          UserId(text), std::move(done));
    });
    return user.value() ? (*user)->sub.str() : "nobody";
  };
  EXPECT_EQ(found("ANNA"), "sub-1");
  EXPECT_EQ(found("sub-2"), "sub-2");
  EXPECT_EQ(found("sub-1"), "sub-3") << "a name wins";
  EXPECT_EQ(found("SUB-2"), "nobody") << "a sub is no name";
  EXPECT_EQ(found("sub-4"), "nobody");
}

TYPED_TEST(IdentityStoreContractTest, RemovesAUsersTokensAndCodesWithThem) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->put("a", "sub-1", kTestTime + Seconds(30)));
  ASSERT_TRUE(this->add_refresh(this->refresh("r1", "sub-1")));
  ASSERT_TRUE(this->put_code("sub-1", CodeStore::Purpose::sign_up));
  ASSERT_TRUE(this->template await<void>([&](auto done) {
    this->backend_.handles().users->remove(UserId("sub-1"), std::move(done));
  }));
  EXPECT_FALSE(this->consume("a", kTestTime));
  EXPECT_FALSE(this->find_refresh("r1"));
  EXPECT_FALSE(this->attempt("sub-1", CodeStore::Purpose::sign_up));
}

TYPED_TEST(IdentityStoreContractTest, KeepsARefreshTokenWhole) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->add_refresh(this->refresh("r1", "sub-1")));
  this->backend_.restart();
  const auto found = this->find_refresh("r1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->sub.str(), "sub-1");
  EXPECT_EQ(found->origin, "origin-r1");
  EXPECT_EQ(found->token_hash, sha256("r1"));
  EXPECT_EQ(found->issued_at, kTestTime);
  EXPECT_EQ(found->expires_at, kTestTime + Seconds(100));
  EXPECT_FALSE(found->revoked);
  EXPECT_FALSE(this->find_refresh("r2"));
}

TYPED_TEST(IdentityStoreContractTest, GivesNoRefreshTokenToAUserWhoHasChanged) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  const auto stale = this->add_refresh(this->refresh("r1", "sub-1"), 0);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Errc::conflict);
  const auto gone = this->add_refresh(this->refresh("r1", "sub-9"));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::not_found);
  EXPECT_FALSE(this->find_refresh("r1"));
}

TYPED_TEST(IdentityStoreContractTest, KeepsTheNewestRefreshTokensOfAUser) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->create(make_user("sub-2", "Bert")));
  ASSERT_TRUE(this->add_refresh(this->refresh("other", "sub-2")));
  for (int i = 0; i < 4; ++i) {
    const auto row = this->refresh("r" + std::to_string(i), "sub-1", kTestTime + Seconds(i));
    ASSERT_TRUE(this->put_of("r" + std::to_string(i), "t" + std::to_string(i), "sub-1"));
    const auto ended = this->add_refresh(row, 1, 2);
    ASSERT_TRUE(ended);
    if (i < 2) {
      EXPECT_THAT(*ended, IsEmpty());
    } else {
      EXPECT_THAT(*ended, testing::ElementsAre("origin-r" + std::to_string(i - 2)));
    }
  }
  EXPECT_FALSE(this->consume("t1", kTestTime));
  EXPECT_TRUE(this->consume("t2", kTestTime));
  EXPECT_FALSE(this->find_refresh("r1"));
  EXPECT_TRUE(this->find_refresh("r2"));
  EXPECT_TRUE(this->find_refresh("r3"));
  EXPECT_TRUE(this->find_refresh("other"));
  // Ended logins make room before live ones, however old those are.
  ASSERT_TRUE(this->end_login("sub-1", "origin-r3"));
  const auto row = this->refresh("r4", "sub-1", kTestTime + Seconds(4));
  EXPECT_THAT(this->add_refresh(row, 1, 2).value(), IsEmpty());
  EXPECT_TRUE(this->find_refresh("r2"));
  EXPECT_FALSE(this->find_refresh("r3"));
}

TYPED_TEST(IdentityStoreContractTest, EndsALogin) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->add_refresh(this->refresh("r1", "sub-1")));
  ASSERT_TRUE(this->add_refresh(this->refresh("r2", "sub-1")));
  ASSERT_TRUE(this->put_of("r1", "a", "sub-1"));
  ASSERT_TRUE(this->put_of("r2", "b", "sub-1"));
  ASSERT_TRUE(this->end_login("sub-1", "origin-r1"));
  ASSERT_TRUE(this->end_login("sub-1", "origin-r1"));
  ASSERT_TRUE(this->end_login("sub-1", "no such login"));
  EXPECT_TRUE(this->find_refresh("r1")->revoked);
  EXPECT_FALSE(this->find_refresh("r2")->revoked);
  EXPECT_FALSE(this->consume("a", kTestTime));
  EXPECT_TRUE(this->consume("b", kTestTime));
  EXPECT_EQ(this->goes_on("sub-1", "origin-r1"), false);
  EXPECT_EQ(this->goes_on("sub-1", "origin-r2"), true);
}

TYPED_TEST(IdentityStoreContractTest, ReplacesARefreshTokenOnceAndKnowsThoseBefore) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->add_refresh(this->refresh("r1", "sub-1")));
  const auto rotate = [&](const std::string& from, const std::string& to) {
    RefreshTokenStore::Rotation rotation{.sub = UserId("sub-1"),
                                         .origin = "origin-r1",
                                         .from = sha256(from),
                                         .to = {.token = sha256(to), .family = sha256("family")},
                                         .sealed_token = std::string("\0sealed", 7),
                                         .at = kTestTime + Seconds(1)};
    return this
        ->template await<bool>([&](auto done) {
          this->backend_.handles().refresh_tokens->rotate(std::move(rotation), std::move(done));
        })
        .value();
  };
  EXPECT_FALSE(this->find_refresh("r1")->previous_hash);
  EXPECT_FALSE(this->find_refresh("r2", "family"));
  EXPECT_TRUE(rotate("r1", "r2"));
  EXPECT_FALSE(rotate("r1", "r3")) << "it is another one by now";
  EXPECT_TRUE(rotate("r2", "r4"));
  this->backend_.restart();
  const auto current = this->find_refresh("r4");
  ASSERT_TRUE(current);
  EXPECT_EQ(current->token_hash, sha256("r4"));
  EXPECT_EQ(current->previous_hash, sha256("r2"));
  EXPECT_EQ(current->rotated_at, kTestTime + Seconds(1));
  EXPECT_EQ(current->sealed_token, std::string("\0sealed", 7));
  EXPECT_FALSE(this->find_refresh("r1"));
  EXPECT_EQ(this->find_refresh("r1", "family").value().origin, "origin-r1");
  EXPECT_EQ(this->find_refresh("r1", "family").value().token_hash, sha256("r4"));
  ASSERT_TRUE(this->end_login("sub-1", "origin-r1"));
  EXPECT_FALSE(rotate("r4", "r5"));
}

TYPED_TEST(IdentityStoreContractTest, SweepsRefreshTokensAndCodesThatExpired) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->add_refresh(this->refresh("old", "sub-1", kTestTime - Seconds(101))));
  ASSERT_TRUE(this->add_refresh(this->refresh("new", "sub-1", kTestTime)));
  ASSERT_TRUE(this->put_code("sub-1", CodeStore::Purpose::sign_up, kTestTime - Seconds(1)));
  ASSERT_TRUE(this->put_code("sub-1", CodeStore::Purpose::forgot_password, kTestTime));
  ASSERT_TRUE(this->template await<void>([&](auto done) {
    this->backend_.handles().refresh_tokens->sweep(kTestTime, std::move(done));
  }));
  ASSERT_TRUE(this->template await<void>(
      [&](auto done) { this->backend_.handles().codes->sweep(kTestTime, std::move(done)); }));
  EXPECT_FALSE(this->find_refresh("old"));
  EXPECT_TRUE(this->find_refresh("new"));
  EXPECT_FALSE(this->attempt("sub-1", CodeStore::Purpose::sign_up));
  EXPECT_TRUE(this->attempt("sub-1", CodeStore::Purpose::forgot_password));
}

TYPED_TEST(IdentityStoreContractTest, KeepsWhatIsCountedOfAttempts) {
  using Row = identity::AttemptStore::Row;
  const auto write = [&](std::vector<Row> rows) {
    return this->template await<void>([&](auto done) {
      this->backend_.handles().attempts->write(std::move(rows), std::move(done));
    });
  };
  const auto load = [&](WallTime now) {
    std::set<std::string> out;
    const auto rows = this->template await<std::vector<Row>>(
        [&](auto done) { this->backend_.handles().attempts->load(now, std::move(done)); });
    for (const Row& row : rows.value()) {
      out.insert(std::to_string(row.list) + row.name + row.state +
                 std::to_string((row.forgotten_at - kTestTime) / Seconds(1)));
    }
    return out;
  };
  const auto row = [](std::size_t list, const char* name, const char* state, int seconds) {
    return Row{
        .list = list, .name = name, .state = state, .forgotten_at = kTestTime + Seconds(seconds)};
  };
  using Rows = std::set<std::string>;
  ASSERT_TRUE(write({row(0, "a", "x", 1), row(1, "a", "y", 2), row(0, "b", "z", 3)}));
  this->backend_.restart();
  EXPECT_EQ(load(kTestTime), (Rows{"0ax1", "1ay2", "0bz3"}));
  ASSERT_TRUE(write({row(0, "a", "xx", 4), row(1, "a", "", 0), row(5, "none", "", 0)}));
  EXPECT_EQ(load(kTestTime), (Rows{"0axx4", "0bz3"}));
  EXPECT_EQ(load(kTestTime + Seconds(3)), (Rows{"0axx4"}));
}

TYPED_TEST(IdentityStoreContractTest, KnowsTheAddressesThatUsersWereSeenAtLast) {
  const auto add = [&](const char* sub, const char* address, int seconds) {
    return this->template await<void>([&](auto done) {
      this->backend_.handles().known_addresses->add(
          UserId(sub), sha256(address), kTestTime + Seconds(seconds), 2, std::move(done));
    });
  };
  const auto seen = [&](const char* sub, const char* address) {
    const auto found = this->template await<std::optional<WallTime>>([&](auto done) {
      this->backend_.handles().known_addresses->find(UserId(sub), sha256(address), std::move(done));
    });
    return *found ? (**found - kTestTime) / Seconds(1) : -1;
  };
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  EXPECT_EQ(seen("sub-1", "a"), -1);
  ASSERT_TRUE(add("sub-1", "a", 1));
  ASSERT_TRUE(add("sub-2", "a", 1));
  ASSERT_TRUE(add("sub-1", "b", 2));
  ASSERT_TRUE(add("sub-1", "a", 3));
  ASSERT_TRUE(add("sub-1", "c", 4));
  this->backend_.restart();
  EXPECT_EQ(seen("sub-1", "a"), 3);
  EXPECT_EQ(seen("sub-1", "b"), -1);
  EXPECT_EQ(seen("sub-1", "c"), 4);
  EXPECT_EQ(seen("sub-2", "c"), -1);
  ASSERT_TRUE(this->template await<void>([&](auto done) {
    this->backend_.handles().known_addresses->sweep(kTestTime + Seconds(4), std::move(done));
  }));
  EXPECT_EQ(seen("sub-1", "a"), -1);
  EXPECT_EQ(seen("sub-1", "c"), 4);
  ASSERT_TRUE(this->template await<void>([&](auto done) {
    this->backend_.handles().users->remove(UserId("sub-1"), std::move(done));
  }));
  EXPECT_EQ(seen("sub-1", "c"), -1);
}

TYPED_TEST(IdentityStoreContractTest, CountsTheAttemptsAtACode) {
  ASSERT_TRUE(this->put_code("sub-1", CodeStore::Purpose::sign_up));
  EXPECT_FALSE(this->attempt("sub-1", CodeStore::Purpose::forgot_password));
  EXPECT_EQ(this->attempt("sub-1", CodeStore::Purpose::sign_up)->attempts, 1);
  this->backend_.restart();
  const auto second = this->attempt("sub-1", CodeStore::Purpose::sign_up);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->attempts, 2);
  EXPECT_EQ(second->sealed, std::string("\0code", 5));
  EXPECT_EQ(second->expires_at, kTestTime);
  ASSERT_TRUE(this->put_code("sub-1", CodeStore::Purpose::sign_up));
  EXPECT_EQ(this->attempt("sub-1", CodeStore::Purpose::sign_up)->attempts, 1);
}

TYPED_TEST(IdentityStoreContractTest, SpendsACodeWithTheUpdateThatItAllowsOrNotAtAll) {
  ASSERT_TRUE(this->create(make_user("sub-1", "Anna")));
  ASSERT_TRUE(this->add_refresh(this->refresh("r1", "sub-1")));
  for (const auto purpose : {CodeStore::Purpose::sign_up, CodeStore::Purpose::forgot_password}) {
    const std::int64_t revision = this->find("anna")->revision;
    ASSERT_TRUE(this->put_code("sub-1", purpose));
    const auto code = this->attempt("sub-1", purpose);
    ASSERT_TRUE(code);
    const auto update = [&](const CodeStore::Row& row, std::int64_t expected_revision) {
      return this->template await<void>([&](auto done) {
        this->backend_.handles().users->update_by_code(make_user("sub-1", "Anna"),
                                                       expected_revision, row, std::move(done));
      });
    };
    CodeStore::Row replaced = *code;
    replaced.sealed = "another";
    EXPECT_EQ(update(replaced, revision).error().code, Errc::expired);
    EXPECT_EQ(update(*code, revision + 1).error().code, Errc::conflict);
    EXPECT_FALSE(this->find_refresh("r1")->revoked);
    ASSERT_TRUE(update(*code, revision));
    EXPECT_EQ(this->find("anna")->revision, revision + 1);
    EXPECT_EQ(update(*code, revision + 1).error().code, Errc::expired);
    EXPECT_FALSE(this->attempt("sub-1", purpose));
    EXPECT_EQ(this->find_refresh("r1")->revoked, purpose == CodeStore::Purpose::forgot_password);
  }
}

TYPED_TEST(IdentityStoreContractTest, KeepsKeysOfBothKinds) {
  using Kind = KeyStore::Row::Kind;
  EXPECT_THAT(this->load(), IsEmpty());
  ASSERT_TRUE(this->add(this->key(Kind::data, 1)));
  ASSERT_TRUE(this->add(this->key(Kind::data, 2)));
  ASSERT_TRUE(this->add(this->key(Kind::signing, 1)));
  const auto taken = this->add(this->key(Kind::data, 2));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::already_exists);
  this->backend_.restart();
  const auto rows = this->load();
  ASSERT_THAT(rows, SizeIs(3));
  for (const auto& row : rows) {
    EXPECT_EQ(row.wrapped, std::string("\0wrapped", 8));
    EXPECT_EQ(row.created_at, kTestTime);
    EXPECT_FALSE(row.retired);
  }
}

TYPED_TEST(IdentityStoreContractTest, ErasesASigningKeyThatItRetires) {
  using Kind = KeyStore::Row::Kind;
  ASSERT_TRUE(this->add(this->key(Kind::data, 1)));
  ASSERT_TRUE(this->add(this->key(Kind::signing, 1)));
  ASSERT_TRUE(this->add(this->key(Kind::signing, 2)));
  const auto retire = [&](std::uint32_t id) {
    return this->template await<void>(
        [&](auto done) { this->backend_.handles().keys->retire_signing(id, std::move(done)); });
  };
  ASSERT_TRUE(retire(1));
  ASSERT_TRUE(retire(1));
  EXPECT_EQ(retire(3).error().code, Errc::not_found);
  this->backend_.restart();
  for (const auto& row : this->load()) {
    const bool is_retired = row.kind == Kind::signing && row.id == 1;
    EXPECT_EQ(row.retired, is_retired);
    EXPECT_EQ(row.wrapped.empty(), is_retired);
  }
}

TYPED_TEST(IdentityStoreContractTest, HasTheFirstEpochUntilARestore) {
  EXPECT_EQ(this->template await<std::int64_t>(
                [&](auto done) { this->backend_.handles().keys->epoch(std::move(done)); }),
            0);
}

TYPED_TEST(IdentityStoreContractTest, WritesForAnAttemptAtNoCodeAsForOneAtACode) {
  EXPECT_FALSE(this->attempt("sub-1", CodeStore::Purpose::sign_up));
  EXPECT_FALSE(this->attempt("sub-2", CodeStore::Purpose::sign_up));
  const auto nobodys = this->attempt("", CodeStore::Purpose::sign_up);
  ASSERT_TRUE(nobodys);
  EXPECT_EQ(nobodys->attempts, 3);
  EXPECT_FALSE(this->attempt("", CodeStore::Purpose::forgot_password));
}

}  // namespace
}  // namespace holdfast::test
