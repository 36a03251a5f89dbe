#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/storage/file_store.hpp>
#include <holdfast/storage/store.hpp>

namespace holdfast::sqlite {

/// Options that this engine has besides.
struct FileOptions {
  /// Limits the pages in use, including queued work. Beyond it no slot is reserved. 0: only the
  /// disk limits.
  std::int64_t database_bytes_max = 0;
  /// Keeps this free on the disk, so that all but inserts goes on. Below it no slot is reserved. A
  /// disk smaller than eight times as much keeps an eighth free. 0: the disk is not watched.
  std::int64_t disk_free_min = std::int64_t{256} << 20;
  std::size_t wal_checkpoint_bytes = 16 << 20;
  std::int64_t cache_kib = 64 << 10;  ///< cache of the database's pages, in memory
};

struct Options : storage::StoreOptions, FileOptions {
  std::string path;  ///< the database file; its folder exists
  storage::OnFatal on_fatal{};
};

/// Opens or creates the database, and starts the store's thread: one thread, one connection, group
/// commit. An existing database also opens on a full disk. Commits a ceiling 60 s ahead, applies
/// the migrations, and clears the connections table. `stop` also checkpoints and closes the file.
/// Errors name the file: `io` (cannot open, corrupt, truncated), `conflict` (a newer schema, in use
/// by another process).
[[nodiscard]] Result<std::unique_ptr<storage::FileStore>> open_store(Options options,
                                                                     const Clock& clock);

}  // namespace holdfast::sqlite
