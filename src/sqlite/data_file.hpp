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

/// Keeps a second process out of a data directory: flock on the file `lock` beside the database.
class DirectoryLock {
 public:
  /// `conflict` when another process (or another store of this one) has it.
  [[nodiscard]] static Result<DirectoryLock> acquire(const std::string& database_path);

 private:
  explicit DirectoryLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

/// Opens the database file, or makes it where there is none: aside, complete and then renamed, so
/// that a file in its place is either whole or damaged. Checks it, brings its schema up to date,
/// sets durability, and moves the WAL into it. The caller holds the directory's lock.
///
/// All of a file is read and checked (`PRAGMA quick_check`) up to these sizes; of a larger one only
/// the header is, and its length.
struct CheckBounds {
  /// Takes well under a second, and finds damage that would otherwise show itself under load.
  std::int64_t after_clean_stop = std::int64_t{64} << 20;
  /// A log was left behind. One to three seconds a GiB from the page cache; from a cold disk as
  /// long as it takes to read the pages in their order, which may be half a minute.
  std::int64_t after_crash = std::int64_t{1} << 30;
};
/// `make_room` is called when the disk is full; false when it could make none. The database opens
/// all the same, with its log as it is, unless its schema is an older one.
[[nodiscard]] Result<std::unique_ptr<Database>> open_data_file(
    const std::string& path, std::span<const Migration> migrations, CheckBounds bounds = {},
    const std::function<bool()>& make_room = {});

}  // namespace holdfast::sqlite
