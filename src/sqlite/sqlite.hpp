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

/// One SQLite connection. Errors are sticky: after the first one, statements do nothing until
/// `clear_failure`. So code between BEGIN and COMMIT runs straight on, and one place handles the
/// failure. One thread at a time.
class Database {
 public:
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Opens an existing file, and lets SQL use `row_checksum` (checksum.hpp). Error `io` with
  /// SQLite's message.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::string& path);

  [[nodiscard]] sqlite3* handle() const noexcept { return handle_.get(); }
  /// Runs statements without parameters or results. Returns false on an error.
  bool execute(const char* sql);
  /// Returns the first column of the first row; 0 if there is none.
  [[nodiscard]] std::int64_t integer(const char* sql);
  [[nodiscard]] std::string text(const char* sql);

  /// Returns whether a transaction is open that no error has ended (sqlite3_get_autocommit).
  [[nodiscard]] bool in_transaction() const noexcept;
  /// Returns how many rows the last statement inserted, changed or removed.
  [[nodiscard]] std::int64_t changes() const noexcept;

  [[nodiscard]] bool failed() const noexcept { return code_ != 0; }
  /// Returns the extended result code of the first error; 0 without one.
  [[nodiscard]] int code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  /// Returns whether it failed because the disk is full, or the database may not grow.
  [[nodiscard]] bool is_full() const noexcept;
  /// Returns whether it failed at a damaged page.
  [[nodiscard]] bool met_damage() const noexcept;
  void note_failure(int code);
  void clear_failure() noexcept;
  /// Returns the failure as an error value.
  [[nodiscard]] Error error(const std::string& where) const;

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}

  std::unique_ptr<sqlite3, CloseDatabase> handle_;
  int code_ = 0;
  std::string message_;
};

/// A prepared statement, for repeated use. Bound values must live until `reset`.
class Statement {
 public:
  Statement() = default;
  /// Prepares `sql`. A failure is recorded in `database`.
  Statement(Database& database, const char* sql);

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view text);
  Statement& bind_null(int index);
  Statement& bind_blob(int index, std::string_view bytes);

  /// Returns true if there is a row. False at the end, which resets the statement, and on an error.
  bool step();
  /// Steps to the end and resets.
  void run();
  void reset() noexcept;

  [[nodiscard]] std::int64_t integer(int column) const noexcept;
  [[nodiscard]] bool is_null(int column) const noexcept;
  /// Returns a text or blob column; valid until the next step or reset.
  [[nodiscard]] std::string_view bytes(int column) const noexcept;
  [[nodiscard]] std::string string(int column) const { return std::string(bytes(column)); }

 private:
  Database* database_ = nullptr;
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> handle_;
};

}  // namespace holdfast::sqlite
