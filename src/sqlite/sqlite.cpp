// A thin layer over SQLite's connection and statements.

#include "sqlite.hpp"

#include <sqlite3.h>

#include "checksum.hpp"

namespace holdfast::sqlite {

void CloseDatabase::operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
void FinalizeStatement::operator()(sqlite3_stmt* handle) const noexcept {
  sqlite3_finalize(handle);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
      nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) {
    database->note_failure(code);
    return std::unexpected(database->error(path));
  }
  sqlite3_extended_result_codes(handle, 1);
  if (const int added = add_checksum_function(handle); added != SQLITE_OK) {
    database->note_failure(added);
    return std::unexpected(database->error(path));
  }
  return database;
}

bool Database::execute(const char* sql) {
  if (failed()) return false;
  const int code = sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) note_failure(code);
  return code == SQLITE_OK;
}

std::int64_t Database::integer(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.string(0) : std::string();
}

bool Database::in_transaction() const noexcept { return sqlite3_get_autocommit(handle()) == 0; }

std::int64_t Database::changes() const noexcept { return sqlite3_changes64(handle()); }

void Database::note_failure(int code) {
  if (failed()) return;
  code_ = code;
  message_ = handle_ ? sqlite3_errmsg(handle()) : sqlite3_errstr(code);
}

bool Database::is_full() const noexcept { return (code_ & 0xff) == SQLITE_FULL; }

bool Database::met_damage() const noexcept {
  return (code_ & 0xff) == SQLITE_CORRUPT || (code_ & 0xff) == SQLITE_NOTADB;
}

void Database::clear_failure() noexcept {
  code_ = 0;
  message_.clear();
}

Error Database::error(const std::string& where) const {
  return {Errc::io, message_ + " (SQLite code " + std::to_string(code_) + ")", where};
}

Statement::Statement(Database& database, const char* sql) : database_(&database) {
  if (database.failed()) return;
  sqlite3_stmt* handle = nullptr;
  const int code =
      sqlite3_prepare_v3(database.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) database.note_failure(code);
}

Statement& Statement::bind(int index, std::int64_t value) {
  const int code = sqlite3_bind_int64(handle_.get(), index, value);
  if (code != SQLITE_OK) database_->note_failure(code);
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  const int code = sqlite3_bind_text64(handle_.get(), index, text.data() ? text.data() : "",
                                       text.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) database_->note_failure(code);
  return *this;
}

Statement& Statement::bind_null(int index) {
  const int code = sqlite3_bind_null(handle_.get(), index);
  if (code != SQLITE_OK) database_->note_failure(code);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  // A null pointer would bind NULL instead of an empty blob.
  const int code = sqlite3_bind_blob64(handle_.get(), index, bytes.data() ? bytes.data() : "",
                                       bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) database_->note_failure(code);
  return *this;
}

bool Statement::step() {
  if (database_->failed()) {
    reset();
    return false;
  }
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_->note_failure(code);
  sqlite3_reset(handle_.get());
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() noexcept { sqlite3_reset(handle_.get()); }

std::int64_t Statement::integer(int column) const noexcept {
  return sqlite3_column_int64(handle_.get(), column);
}

bool Statement::is_null(int column) const noexcept {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

std::string_view Statement::bytes(int column) const noexcept {
  const void* data = sqlite3_column_blob(handle_.get(), column);
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

}  // namespace holdfast::sqlite
