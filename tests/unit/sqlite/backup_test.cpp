// Tests backups of a running store, checks, and restores.

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <holdfast/sqlite/database_file.hpp>

#include "support/base/files.hpp"
#include "support/base/temp_dir.hpp"
#include "support/sqlite/opened_store.hpp"
#include "unit/sqlite/child.hpp"
#include "unit/sqlite/ledger.hpp"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using storage::BackupStage;
using storage::BackupStatus;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_free(message);
  sqlite3_close(handle);
}

// The first column of the first row.
std::string sql_text(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  std::string out = "no row";
  if (sqlite3_open(path.c_str(), &handle) == SQLITE_OK) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr);
    if (sqlite3_step(statement) == SQLITE_ROW) {
      const auto* const text = sqlite3_column_text(statement, 0);
      out = text == nullptr ? "" : reinterpret_cast<const char*>(text);
    }
    sqlite3_finalize(statement);
  }
  sqlite3_close(handle);
  return out;
}

std::int64_t sql_integer(const std::string& path, const std::string& sql) {
  const std::string text = sql_text(path, sql);
  return text == "no row" || text.empty() ? -1 : std::stoll(text);
}

class BackupTest : public ::testing::Test {
 protected:
  // Messages under load: each answered one is in the ledger, and the next is on its way.
  void insert_without_end(OpenedStore& opened, int producers) {
    for (int i = 0; i < producers; ++i) insert_next(opened, i);
  }
  void insert_next(OpenedStore& opened, int producer) {
    const Sequence sequence = ++sequence_;
    const std::string user = "user-" + std::to_string(producer % 7);
    std::vector<delivery::Insert> inserts;
    inserts.push_back(
        opened.calls().as_insert(make_message(user, sequence, std::string(2'000, 'x'))));
    opened.messages().insert(std::move(inserts),
                             [this, &opened, producer, user, sequence](const Result<void>& done) {
                               if (done) answered_[user].insert(sequence);
                               ++answers_;
                               if (going_) insert_next(opened, producer);
                             });
  }
  void fill(OpenedStore& opened, int messages) {
    for (int i = 0; i < messages; i += 50) {
      std::vector<delivery::MessagePtr> batch;
      for (int j = 0; j < 50; ++j) {
        batch.push_back(make_message("anna", ++sequence_, std::string(4'000, 'x')));
        answered_["anna"].insert(sequence_);
      }
      ASSERT_TRUE(opened.calls().insert(batch));
    }
  }
  BackupStatus wait_for_end(OpenedStore& opened) {
    std::optional<BackupStatus> status;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    do {
      // The store goes on answering meanwhile.
      EXPECT_TRUE(opened.calls().extend_ceiling(0));
      status = opened.store().backup_status();
      if (!status) throw std::runtime_error("no backup was begun");
    } while ((status->stage == BackupStage::copying || status->stage == BackupStage::checking) &&
             std::chrono::steady_clock::now() < deadline);
    return *status;
  }
  Sequence begin_sequences(OpenedStore& opened) {
    return sequence_ = opened.store().take_start_state().counter_start;
  }
  static std::size_t missing(const std::map<std::string, std::set<Sequence>>& wanted,
                             OpenedStore& opened) {
    Ledger ledger;
    ledger.acknowledged = wanted;
    return ledger.missing(opened);
  }

  TempDir folder_;
  std::string path_ = folder_.file("holdfast.db");
  std::string copy_ = folder_.file("copy.db");
  std::map<std::string, std::set<Sequence>> answered_;
  Sequence sequence_ = 0;
  std::size_t answers_ = 0;
  bool going_ = true;
};

TEST_F(BackupTest, HoldsAllThatWasAnsweredBeforeItBeganWhileTheStoreGoesOn) {
  std::map<std::string, std::set<Sequence>> before;
  {
    OpenedStore opened(path_);
    begin_sequences(opened);
    fill(opened, 2'000);
    insert_without_end(opened, 16);
    opened.executor().run_until([&] { return answers_ > 200; });
    before = answered_;
    ASSERT_TRUE(opened.store().begin_backup(copy_));
    const BackupStatus status = wait_for_end(opened);
    ASSERT_EQ(status.stage, BackupStage::done) << status.error->message;
    EXPECT_GT(status.bytes_total, 2'000 * 4'000);
    EXPECT_EQ(status.bytes_done, status.bytes_total);
    EXPECT_GT(answers_, 200u) << "nothing went on meanwhile";
    going_ = false;
    opened.executor().run_until([&] { return opened.store().stats().queued == 0; });
  }
  struct stat info{};
  ASSERT_EQ(stat(copy_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_FALSE(fs::exists(copy_ + "-wal"));
  const auto check = sqlite::check_database(copy_);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_THAT(check->problems, IsEmpty());
  // In another folder: a store locks its own.
  const TempDir elsewhere;
  fs::copy_file(copy_, elsewhere.file("holdfast.db"));
  OpenedStore restored(elsewhere.file("holdfast.db"));
  EXPECT_EQ(missing(before, restored), 0u);
  expect_totals_equal_rows(restored);
}

TEST_F(BackupTest, MakesOneAtATime) {
  OpenedStore opened(path_);
  begin_sequences(opened);
  fill(opened, 500);
  ASSERT_TRUE(opened.store().begin_backup(copy_));
  const auto second = opened.store().begin_backup(folder_.file("other.db"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_EQ(wait_for_end(opened).stage, BackupStage::done);
  // Over the first.
  ASSERT_TRUE(opened.store().begin_backup(copy_));
  EXPECT_EQ(wait_for_end(opened).stage, BackupStage::done);
}

TEST_F(BackupTest, EndsWithTheStoreAndLeavesNoFile) {
  {
    OpenedStore opened(path_);
    begin_sequences(opened);
    fill(opened, 2'000);
    ASSERT_TRUE(opened.store().begin_backup(copy_));
    opened.store().stop();
    const auto status = opened.store().backup_status();
    // It may have been quick.
    if (status->stage == BackupStage::done) GTEST_SKIP() << "it was done before the stop";
    EXPECT_EQ(status->stage, BackupStage::failed);
    EXPECT_THAT(status->error->message, testing::AnyOf(HasSubstr("stopped"), HasSubstr("cancelled"),
                                                       HasSubstr("interrupted")));
  }
  EXPECT_FALSE(fs::exists(copy_));
  OpenedStore opened(path_);
  EXPECT_EQ(missing(answered_, opened), 0u);
}

TEST_F(BackupTest, EndsWhenCancelled) {
  OpenedStore opened(path_);
  begin_sequences(opened);
  fill(opened, 1'000);
  ASSERT_TRUE(opened.store().begin_backup(copy_));
  opened.store().cancel_backup();
  const BackupStatus status = wait_for_end(opened);
  if (status.stage == BackupStage::done) GTEST_SKIP() << "it was done before";
  EXPECT_EQ(status.stage, BackupStage::failed);
  EXPECT_FALSE(fs::exists(copy_));
  fill(opened, 50);
}

TEST_F(BackupTest, FailsWhereItCannotWriteAndDisturbsNobody) {
  OpenedStore opened(path_);
  begin_sequences(opened);
  fill(opened, 50);
  ASSERT_TRUE(opened.store().begin_backup(folder_.file("none/copy.db")));
  const BackupStatus status = wait_for_end(opened);
  EXPECT_EQ(status.stage, BackupStage::failed);
  EXPECT_THAT(status.error->message, HasSubstr(folder_.file("none/copy.db")));
  fill(opened, 50);
}

TEST_F(BackupTest, FailsWithAReasonWhenThereIsNoThreadForIt) {
  OpenedStore opened(path_);
  begin_sequences(opened);
  fill(opened, 50);
  pthread_attr_t before;
  pthread_attr_t huge;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  ASSERT_EQ(pthread_getattr_default_np(&huge), 0);
  // No machine has room for such a stack.
  ASSERT_EQ(pthread_attr_setstacksize(&huge, std::size_t{1} << 46), 0);
  ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
  const auto begun = opened.store().begin_backup(copy_);
  ASSERT_EQ(pthread_setattr_default_np(&before), 0);
  pthread_attr_destroy(&huge);
  pthread_attr_destroy(&before);
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, Errc::unavailable);
  EXPECT_THAT(begun.error().message, HasSubstr("cannot start the thread hf-backup"));
  EXPECT_EQ(opened.store().backup_status()->stage, BackupStage::failed);
  // The next one finds a thread.
  std::promise<BackupStatus> ended;
  ASSERT_TRUE(opened.store().begin_backup(
      copy_, [&](const BackupStatus& status) { ended.set_value(status); }));
  EXPECT_EQ(wait_for_end(opened).stage, BackupStage::done);
  EXPECT_EQ(ended.get_future().get().stage, BackupStage::done);
}

TEST_F(BackupTest, LosesNothingWhenTheProcessIsKilledAtAnyMomentOfIt) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Child child([&](int output) {
      // Random bytes are set aside per thread, and every child would begin with the same ones.
      for (int i = 0; i < 1'000; ++i) (void)MessageId::generate(kTestTime);
      OpenedStore opened(path_);
      begin_sequences(opened);
      fill(opened, 1'000);
      const std::string last = std::to_string(sequence_);
      if (::write(output, last.data(), last.size()) < 0) return 1;
      insert_without_end(opened, 8);
      for (;;) {
        if (!opened.store().begin_backup(copy_)) return 1;
        if (wait_for_end(opened).stage == BackupStage::failed) return 1;
      }
      return 0;
    });
    child.wait_for_output();
    // The moment is what the test is about: nothing is waited for.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    child.kill();
    const auto end = child.wait();
    ASSERT_EQ(end.code, -9);
    OpenedStore opened(path_);
    EXPECT_EQ(opened.calls().sequences("anna").back(), std::stoll(end.output));
    expect_totals_equal_rows(opened);
    begin_sequences(opened);
    ASSERT_TRUE(opened.store().begin_backup(copy_));  // over what the killed one left
    const BackupStatus status = wait_for_end(opened);
    EXPECT_EQ(status.stage, BackupStage::done) << status.error->message;
  }
}

class CheckTest : public BackupTest {
 protected:
  CheckTest() {
    OpenedStore opened(path_);
    begin_sequences(opened);
    fill(opened, 50);
  }
  std::vector<std::string> problems_after(const std::string& sql) {
    run_sql(path_, sql);
    const auto check = sqlite::check_database(path_);
    if (!check) return {check.error().message};
    return check->problems;
  }
};

TEST_F(CheckTest, FindsNothingWrongWithADatabaseThatIsSound) {
  const auto check = sqlite::check_database(path_);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_THAT(check->problems, IsEmpty());
  EXPECT_EQ(check->pending_messages, 50);
  EXPECT_EQ(check->pending_users, 1);
  EXPECT_EQ(check->schema, check->known_schema);
  EXPECT_GE(check->ceiling, sequence_);
}

TEST_F(CheckTest, FindsTotalsThatDifferFromTheRows) {
  EXPECT_THAT(problems_after("UPDATE pending SET messages = messages + 1"),
              ElementsAre(HasSubstr("differ from the user's pending messages: anna")));
}

TEST_F(CheckTest, FindsTotalsWithoutRows) {
  EXPECT_THAT(problems_after("DELETE FROM messages"),
              ElementsAre(HasSubstr("without pending messages: anna")));
}

TEST_F(CheckTest, FindsRowsWithoutTotals) {
  EXPECT_THAT(problems_after("DELETE FROM pending"), ElementsAre(HasSubstr("anna")));
}

TEST_F(CheckTest, FindsWrongTotalsOfDeadLetters) {
  EXPECT_THAT(problems_after("UPDATE dead_letter_totals SET bytes = 7"),
              ElementsAre(HasSubstr("differ from the dead letters: 0 messages, 7 bytes")));
}

TEST_F(CheckTest, FindsSequencesAboveTheCeiling) {
  EXPECT_THAT(problems_after("UPDATE meta SET value = 1"),
              testing::Each(HasSubstr("above the ceiling")));
}

TEST_F(CheckTest, FindsAMessageThatIsPendingTwice) {
  const auto found = problems_after(
      "UPDATE messages SET id = (SELECT id FROM messages ORDER BY sequence LIMIT 1)"
      " WHERE sequence = (SELECT max(sequence) FROM messages)");
  EXPECT_THAT(found, testing::Contains(HasSubstr("pending twice: anna")));
}

TEST_F(CheckTest, FindsDamagedPages) {
  std::string bytes = read_file(path_);
  ASSERT_GT(bytes.size(), 20u * 4'096);
  for (std::size_t page = 5; page < 20; ++page)
    bytes.replace(page * 4'096, 64, std::string(64, '\xa5'));
  write_file(path_, bytes);
  const auto check = sqlite::check_database(path_);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_FALSE(check->problems.empty());
}

// As no start can: the file could not be written, or not be read at all.
TEST_F(CheckTest, FindsAHeaderThatForbidsToWriteOrToRead) {
  const std::string good = read_file(path_);
  for (const std::size_t at : {18U, 19U}) {
    for (const char version : {'\3', '\x82'}) {
      std::string bytes = good;
      bytes[at] = version;
      write_file(path_, bytes);
      const auto check = sqlite::check_database(path_);
      EXPECT_TRUE(!check || !check->problems.empty()) << at << " " << int{version};
      EXPECT_FALSE(sqlite::open_store(OpenedStore::options_for(path_), ManualClock()))
          << at << " " << int{version};
    }
  }
}

TEST_F(CheckTest, RefusesWhatIsNoDatabaseOfItsOwnOrANewerOne) {
  write_file(folder_.file("text"), std::string(5'000, 'x'));
  EXPECT_FALSE(sqlite::check_database(folder_.file("text")));
  EXPECT_FALSE(sqlite::check_database(folder_.file("none")));
  run_sql(folder_.file("foreign.db"), "CREATE TABLE t (x)");
  const auto foreign = sqlite::check_database(folder_.file("foreign.db"));
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message, HasSubstr("not a Holdfast database"));
  run_sql(path_, "PRAGMA user_version = 999");
  const auto newer = sqlite::check_database(path_);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Errc::conflict);
}

TEST_F(CheckTest, ReadsTheCeilingOfADatabaseThatItCanRead) {
  EXPECT_GE(sqlite::settle_database(path_).value_or(0), sequence_);
  write_file(path_, "damaged");
  EXPECT_FALSE(sqlite::settle_database(path_));
}

TEST_F(CheckTest, PreparesACopyWithoutWhatWasOfTheMoment) {
  run_sql(path_,
          "INSERT INTO connections VALUES ('u', 'c', 'n', 'a', 'b', 1, 0);"
          "INSERT INTO temp_keys (token_hash, user, ttl) VALUES (x'01', 'u', 1);"
          "INSERT INTO refresh_tokens (user, origin, token_hash, issued_at, expires_at, revoked)"
          " VALUES ('u', 'o', x'01', 1, 2, 0);"
          "INSERT INTO confirmation_codes VALUES ('u', 1, x'01', 1, 0);");
  const auto rows = [this](const std::string& table) {
    return sql_integer(path_, "SELECT count(*) FROM " + table);
  };
  const auto epoch = [this] {
    return sql_integer(path_, "SELECT value FROM meta WHERE name = 'epoch'");
  };
  EXPECT_EQ(epoch(), 0);
  ASSERT_TRUE(sqlite::prepare_restored(
      path_, {.ceiling = 1'000, .now = kTestTime, .end_logins = false, .previous = {}}));
  EXPECT_EQ(rows("connections") + rows("temp_keys") + rows("confirmation_codes"), 0);
  EXPECT_EQ(rows("refresh_tokens"), 1);
  EXPECT_EQ(epoch(), unix_micros(kTestTime));
  EXPECT_GE(sqlite::settle_database(path_).value_or(0), sequence_) << "it never goes down";
  const Sequence ahead = sequence_ + 1'000'000'000'000;
  ASSERT_TRUE(
      sqlite::prepare_restored(path_, {.ceiling = ahead, .now = kTestTime, .previous = {}}));
  EXPECT_EQ(rows("refresh_tokens"), 0);
  EXPECT_EQ(epoch(), unix_micros(kTestTime) + 1) << "another one, whatever the clock says";
  EXPECT_EQ(sqlite::settle_database(path_), ahead);
  EXPECT_FALSE(fs::exists(path_ + "-wal"));
  EXPECT_EQ(rows("messages"), 50);
}

/// A copy of a backup, and the database that went on since.
class RestoredAccessTest : public CheckTest {
 protected:
  RestoredAccessTest() {
    run_sql(path_,
            "INSERT OR REPLACE INTO instance VALUES ('user_pool_id', 'us-east-1_a');"
            "INSERT INTO data_keys VALUES (1, x'aa', 0, 1, 0);");
    for (const char* key : {"good", "deleted", "disabled"}) {
      run_sql(path_, std::string("INSERT INTO access_keys (id, name, sealed_secret, enabled,"
                                 " created_at) VALUES ('") +
                         key + "', 'of " + key + "', x'01', 1, 1)");
      run_sql(path_, std::string("INSERT INTO policies VALUES ('") + key + "', 'wide')");
    }
    for (const char* user : {"good", "deleted", "disabled", "away", "changed"}) {
      run_sql(path_, std::string("INSERT INTO users (sub, username, folded_username, status,"
                                 " enabled, password_hash, revision, attributes, created_at,"
                                 " modified_at, password_set_at, srp_verifier) VALUES ('") +
                         user + "', '" + user + "', '" + user +
                         "', 1, 1, 'old hash', 3, '{}', 1, 1, 100, x'01')");
    }
    for (const char* login : {"good", "revoked", "gone"}) {
      run_sql(path_, std::string("INSERT INTO refresh_tokens (user, origin, token_hash, issued_at,"
                                 " expires_at, revoked) VALUES ('good', '") +
                         login + "', CAST('" + login + "' AS BLOB), 1, 9000000000000000, 0)");
    }
    fs::copy_file(path_, copy_);
    run_sql(path_,
            "DELETE FROM access_keys WHERE id = 'deleted';"
            "UPDATE access_keys SET enabled = 0 WHERE id = 'disabled';"
            "DELETE FROM users WHERE sub = 'deleted';"
            "UPDATE users SET enabled = 0 WHERE sub = 'disabled';"
            "UPDATE users SET signed_out_at = 5000 WHERE sub = 'away';"
            "UPDATE users SET password_hash = 'new hash', password_set_at = 200,"
            " srp_verifier = x'02', status = 2 WHERE sub = 'changed';"
            "UPDATE refresh_tokens SET revoked = 1 WHERE origin = 'revoked';"
            "DELETE FROM refresh_tokens WHERE origin = 'gone';");
  }
  sqlite::RestoredAccess prepare(sqlite::RestoreRules rules) {
    rules.now = kTestTime;
    auto out = sqlite::prepare_restored(copy_, rules);
    if (!out) throw std::runtime_error(out.error().message);
    return std::move(*out);
  }
  /// Returns the names in the copy's rows of this condition.
  std::string names(const std::string& column, const std::string& from) {
    return sql_text(copy_, "SELECT group_concat(it) FROM (SELECT " + column + " AS it FROM " +
                               from + " ORDER BY 1)");
  }
  static std::vector<std::string> ids(const std::vector<sqlite::RestoredAccess::Key>& keys) {
    std::vector<std::string> out;
    for (const auto& key : keys) out.push_back(key.id);
    return out;
  }
};

TEST_F(RestoredAccessTest, GivesNoMoreThanTheReplacedDatabase) {
  const auto access = prepare({.now = {}, .previous = path_});
  EXPECT_TRUE(access.took_over);
  EXPECT_THAT(ids(access.enabled_keys), ElementsAre("good"));
  EXPECT_EQ(access.enabled_keys[0].name, "of good");
  EXPECT_THAT(ids(access.disabled_keys), ElementsAre("deleted", "disabled"));
  EXPECT_EQ(names("id", "access_keys WHERE enabled = 1"), "good");
  EXPECT_EQ(names("sub", "users WHERE enabled = 1"), "away,changed,good");
  EXPECT_EQ(access.disabled_users, 2);
  // A password that was replaced may have been replaced because somebody knew it.
  EXPECT_EQ(names("sub", "users WHERE password_hash = 'old hash'"), "away,deleted,disabled,good");
  EXPECT_EQ(sql_text(copy_,
                     "SELECT password_hash || ' ' || hex(srp_verifier) || ' ' || status"
                     " FROM users WHERE sub = 'changed'"),
            "new hash 02 2");
  EXPECT_EQ(sql_integer(copy_, "SELECT count(*) FROM refresh_tokens"), 0);
  EXPECT_EQ(sql_integer(copy_, "SELECT min(signed_out_at) FROM users"), unix_micros(kTestTime));
}

TEST_F(RestoredAccessTest, GivesAKeyNoWiderPolicyAndNoHigherRateThanItHad) {
  run_sql(path_,
          "UPDATE policies SET document = 'narrow' WHERE access_key = 'good';"
          "UPDATE access_keys SET requests_per_second = 7 WHERE id = 'good';"
          "INSERT INTO access_keys (id, name, sealed_secret, enabled, created_at) VALUES"
          " ('later', 'later', x'01', 1, 1);"
          "INSERT INTO policies VALUES ('later', 'wide');");
  (void)prepare({.now = {}, .previous = path_});
  EXPECT_EQ(names("access_key || ' ' || document", "policies"),
            "deleted wide,disabled wide,good narrow");
  EXPECT_EQ(names("id || ' ' || requests_per_second", "access_keys"),
            "deleted -1,disabled -1,good 7");
}

TEST_F(RestoredAccessTest, ForgivesNoFailuresThatCameAfterTheBackup) {
  run_sql(copy_,
          "INSERT INTO attempts VALUES (0, x'01', '3 3 1 1', 100), (0, x'02', '9 100 1 1', 900),"
          " (0, x'03', '1 1 1 1', 100);");
  run_sql(path_,
          "INSERT INTO attempts VALUES (0, x'01', '60 60 2 2', 200), (0, x'02', '1 1 2 2', 300),"
          " (2, x'04', '5 6', 200);");
  (void)prepare({.now = {}, .previous = path_});
  EXPECT_EQ(names("list || hex(name) || ' ' || state", "attempts"),
            "001 60 60 2 2,002 9 100 1 1,003 1 1 1 1,204 5 6");
}

TEST_F(RestoredAccessTest, TakesOverWhatADatabaseOfAnEarlierSchemaHas) {
  run_sql(path_,
          "UPDATE policies SET document = 'narrow' WHERE access_key = 'good';"
          "DROP TABLE attempts; PRAGMA user_version = 4;");
  EXPECT_TRUE(prepare({.now = {}, .previous = path_}).took_over);
  EXPECT_EQ(names("document", "policies WHERE access_key = 'good'"), "narrow");
}

TEST_F(RestoredAccessTest, KeepsTheLoginsThatWentOn) {
  run_sql(path_,
          "UPDATE refresh_tokens SET previous_hash = token_hash, token_hash = CAST('next' AS BLOB),"
          " family_hash = CAST('family' AS BLOB), rotated_at = 7, sealed_token = x'03' WHERE "
          "origin = 'good';"
          "INSERT INTO data_keys VALUES (2, x'bb', 0, 1, 0);");
  const auto access = prepare({.now = {}, .end_logins = false, .previous = path_});
  EXPECT_TRUE(access.took_over);
  EXPECT_EQ(names("origin", "refresh_tokens WHERE revoked = 0"), "good");
  EXPECT_EQ(names("token_hash", "refresh_tokens WHERE origin = 'good'"), "next");
  EXPECT_EQ(names("family_hash", "refresh_tokens WHERE origin = 'good'"), "family");
  EXPECT_EQ(names("sub", "users WHERE signed_out_at > 0"), "away");
  EXPECT_EQ(sql_integer(copy_, "SELECT signed_out_at FROM users WHERE sub = 'away'"), 5000);
  // Nobody could open that verifier: its data key may be one that the backup does not have.
  EXPECT_EQ(sql_integer(copy_, "SELECT length(srp_verifier) FROM users WHERE sub = 'changed'"), 0);
}

TEST_F(RestoredAccessTest, DisablesAllKeysOnRequest) {
  const auto access = prepare({.now = {}, .previous = {}, .disable_access_keys = true});
  EXPECT_FALSE(access.took_over);
  EXPECT_THAT(ids(access.disabled_keys), ElementsAre("deleted", "disabled", "good"));
  EXPECT_THAT(access.enabled_keys, IsEmpty());
  EXPECT_EQ(names("id", "access_keys WHERE enabled = 1"), "");
  EXPECT_EQ(sql_integer(copy_, "SELECT min(signed_out_at) FROM users"), unix_micros(kTestTime));
}

TEST_F(RestoredAccessTest, KeepsTheBackupsWithoutAReadableDatabase) {
  const auto expect_the_backups = [&](const char* what) {
    SCOPED_TRACE(what);
    const auto access = prepare({.now = {}, .previous = path_});
    EXPECT_FALSE(access.took_over);
    EXPECT_THAT(ids(access.enabled_keys), ElementsAre("deleted", "disabled", "good"));
    EXPECT_THAT(access.disabled_keys, IsEmpty());
    EXPECT_EQ(access.disabled_users, 0);
  };
  run_sql(path_, "UPDATE instance SET value = 'us-east-1_b' WHERE name = 'user_pool_id'");
  expect_the_backups("another gateway's");
  run_sql(path_,
          "UPDATE instance SET value = 'us-east-1_a' WHERE name = 'user_pool_id';"
          "DROP TABLE access_keys;");
  expect_the_backups("one that is not whole");
  write_file(path_, "damaged");
  expect_the_backups("no database");
}

}  // namespace
}  // namespace holdfast::test
