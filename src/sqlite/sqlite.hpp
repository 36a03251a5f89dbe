#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <holdfast/base/error.hpp>

struct sqlite3;
struct sqlite3_stmt;

namespace holdfast::sqlite {

struct CloseDatabase {
  void operator()(sqlite3* handle) const noexcept;
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* handle) const noexcept;
};

/// One SQLite connection. Errors are sticky: after the first one every step of a statement does
/// nothing until `clear_failure`. So code between BEGIN and COMMIT runs straight on, and what it
/// worked out is thrown away in one place. One thread at a time.
class Database {
 public:
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Opens an existing file, and lets SQL use `row_checksum` (checksum.hpp). `io` with SQLite's
  /// message.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::string& path);

  [[nodiscard]] sqlite3* handle() const noexcept { return handle_.get(); }
  /// Runs statements without parameters or results of interest; false on an error.
  bool execute(const char* sql);
  /// The first column of the first row; 0 when there is none.
  [[nodiscard]] std::int64_t integer(const char* sql);
  [[nodiscard]] std::string text(const char* sql);

  /// An open transaction that an error has not ended by itself (sqlite3_get_autocommit).
  [[nodiscard]] bool in_transaction() const noexcept;
  /// Rows that the last statement inserted, changed or removed.
  [[nodiscard]] std::int64_t changes() const noexcept;

  [[nodiscard]] bool failed() const noexcept { return code_ != 0; }
  /// The extended result code of the first error, 0 without one.
  [[nodiscard]] int code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  /// It failed because the disk is full (or the database may not grow).
  [[nodiscard]] bool is_full() const noexcept;
  /// It failed because it met a page that is not as it was written.
  [[nodiscard]] bool met_damage() const noexcept;
  void note_failure(int code);
  void clear_failure() noexcept;
  /// What failed, as an error value.
  [[nodiscard]] Error error(const std::string& where) const;

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}

  std::unique_ptr<sqlite3, CloseDatabase> handle_;
  int code_ = 0;
  std::string message_;
};

/// A prepared statement, bound and stepped again and again. What is bound must live until `reset`.
class Statement {
 public:
  Statement() = default;
  /// A failure is noted in `database`.
  Statement(Database& database, const char* sql);

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view text);
  Statement& bind_null(int index);
  Statement& bind_blob(int index, std::string_view bytes);

  /// True when there is a row; false at the end (the statement is reset then) and on an error.
  bool step();
  /// Steps to the end and resets.
  void run();
  void reset() noexcept;

  [[nodiscard]] std::int64_t integer(int column) const noexcept;
  [[nodiscard]] bool is_null(int column) const noexcept;
  /// Of a text or blob column; valid until the next step or reset.
  [[nodiscard]] std::string_view bytes(int column) const noexcept;
  [[nodiscard]] std::string string(int column) const { return std::string(bytes(column)); }

 private:
  Database* database_ = nullptr;
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> handle_;
};

}  // namespace holdfast::sqlite
