#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <holdfast/base/error.hpp>
#include <holdfast/base/file.hpp>

#include "migrations.hpp"
#include "sqlite.hpp"

namespace holdfast::sqlite {

/// Locks a data directory against a second process, by flock on the file `lock` beside the
/// database.
class DirectoryLock {
 public:
  /// Takes the lock. `conflict` if another process, or another store of this one, has it.
  [[nodiscard]] static Result<DirectoryLock> acquire(const std::string& database_path);

 private:
  explicit DirectoryLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

/// Opens the database file, or creates it. A new file is completed aside and renamed, so a file in
/// place is either whole or damaged. Checks it, updates its schema, sets durability, and moves the
/// WAL into it. The caller holds the directory's lock.
///
/// A file up to these sizes is read and checked whole (`PRAGMA quick_check`). Of a larger one only
/// the header and the length are.
struct CheckBounds {
  /// Takes well under a second, and finds damage before it shows itself under load.
  std::int64_t after_clean_stop = std::int64_t{64} << 20;
  /// Used if a log was left behind. Takes one to three seconds a GiB from the page cache. A cold
  /// disk may take half a minute.
  std::int64_t after_crash = std::int64_t{1} << 30;
};
/// `make_room` is called when the disk is full, and returns false if it could make none. The
/// database opens all the same, with its log as it is, unless its schema is an older one.
[[nodiscard]] Result<std::unique_ptr<Database>> open_data_file(
    const std::string& path, std::span<const Migration> migrations, CheckBounds bounds = {},
    const std::function<bool()>& make_room = {});

}  // namespace holdfast::sqlite
