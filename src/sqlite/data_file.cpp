// Opens, creates and checks the database file.

#include "data_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/file.hpp>
#include <holdfast/base/log.hpp>

namespace holdfast::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic{"SQLite format 3\0", 16};

std::unexpected<Error> system_error(std::string what, const std::string& path) {
  return fail(Errc::io, std::move(what) + ": " + std::strerror(errno), path);
}

Result<void> sync_folder_of(const std::string& path) {
  const UniqueFd folder = open_file(folder_of(path), O_RDONLY | O_DIRECTORY);
  if (!folder || ::fsync(folder.get()) != 0) return system_error("cannot sync the folder", path);
  return {};
}

std::int64_t size_or_zero(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

Result<void> configure(Database& database, const std::string& path) {
  // Comes before any read, so that the log's index is in memory and needs no room on the disk.
  // Other processes cannot hold up a checkpoint then.
  database.execute("PRAGMA locking_mode = EXCLUSIVE;");
  // Set by name, because a distribution's build may have other defaults.
  database.execute(
      "PRAGMA busy_timeout = 1000;"
      "PRAGMA synchronous = FULL;"
      "PRAGMA wal_autocheckpoint = 0;"
      "PRAGMA cache_size = -65536;"
      "PRAGMA temp_store = MEMORY;"
      "PRAGMA secure_delete = FAST;");
  if (database.text("PRAGMA journal_mode = WAL") != "wal" && !database.failed()) {
    return fail(Errc::io, "this file system does not allow a write-ahead log", path);
  }
  if (database.failed()) return std::unexpected(database.error(path));
  return {};
}

Result<void> make_data_file(const std::string& path, std::span<const Migration> migrations) {
  if (size_or_zero(path + "-wal") > 0) {
    return fail(Errc::io, "the database is missing, but its write-ahead log is there", path);
  }
  const std::string aside = path + ".new";
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    std::error_code ignored;
    fs::remove(aside + suffix, ignored);
  }
  if (!open_file(aside, O_CREAT | O_EXCL | O_RDWR)) return system_error("cannot create", aside);
  {
    auto database = Database::open(aside);
    if (!database) return std::unexpected(database.error());
    if (auto done = mark_new_database(**database, aside); !done) return done;
    if (auto done = configure(**database, aside); !done) return done;
    if (auto done = migrate(**database, migrations, aside); !done) return done;
    if (!(*database)->execute("PRAGMA wal_checkpoint(TRUNCATE)")) {
      return std::unexpected((*database)->error(aside));
    }
  }
  const UniqueFd file = open_file(aside, O_RDWR);
  if (!file || ::fsync(file.get()) != 0) return system_error("cannot sync", aside);
  if (::rename(aside.c_str(), path.c_str()) != 0) return system_error("cannot rename", aside);
  return sync_folder_of(path);
}

struct Header {
  std::int64_t file_bytes = 0;
  std::int64_t pages_bytes = 0;  ///< according to the header
};

// Magic, page size at 16, page count at 28 (https://www.sqlite.org/fileformat2.html section 1.3).
Result<Header> read_header(const std::string& path) {
  const UniqueFd file = open_file(path, O_RDWR);
  if (!file) return system_error("cannot open the database", path);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return system_error("cannot open the database", path);
  if (!S_ISREG(info.st_mode)) return fail(Errc::io, "the database is not a regular file", path);
  if (info.st_size == 0)
    return fail(Errc::io, "the database file is empty: it was truncated", path);
  std::array<unsigned char, 100> bytes{};
  if (::pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail(Errc::io, "the database file is truncated", path);
  }
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return fail(Errc::io, "the database file is damaged: its header is not SQLite's", path);
  }
  if ((info.st_mode & 077) != 0 && ::fchmod(file.get(), 0600) != 0) {
    return system_error("cannot make the database private", path);
  }
  const std::int64_t stored_size = (bytes[16] << 8) | bytes[17];
  const std::int64_t page_bytes = stored_size == 1 ? 65'536 : stored_size;
  std::int64_t pages = 0;
  for (std::size_t i = 28; i < 32; ++i) pages = (pages << 8) | bytes[i];
  return Header{.file_bytes = info.st_size, .pages_bytes = pages * page_bytes};
}

Result<void> check_contents(Database& database, const std::string& path) {
  std::string found = database.text("PRAGMA quick_check(1)");
  if (database.failed()) return std::unexpected(database.error(path));
  if (found == "ok") return {};
  for (char& c : found) {
    if (c == '\n') c = ' ';
  }
  return fail(Errc::io, "the database file is damaged: " + found, path);
}

/// Rewrites a file with its own contents and syncs it, which takes no room.
Result<void> write_anew(const std::string& path) {
  const UniqueFd file = open_file(path, O_RDWR);
  if (!file) return system_error("cannot open the log", path);
  std::vector<char> bytes(std::size_t{256} << 10);
  off_t at = 0;
  ssize_t size = 0;
  while ((size = ::pread(file.get(), bytes.data(), bytes.size(), at)) > 0) {
    if (::pwrite(file.get(), bytes.data(), static_cast<std::size_t>(size), at) != size) {
      return system_error("cannot write the log", path);
    }
    at += size;
  }
  if (size < 0) return system_error("cannot read the log", path);
  if (::fsync(file.get()) != 0) return system_error("cannot sync the log", path);
  return {};
}

// Makes the recovered log durable. After a failed sync its pages may be in memory alone, so they
// are written and synced before anything is added. A full disk keeps the log; it is moved when
// there is room.
Result<void> settle_log(Database& database, const std::string& path,
                        const std::function<bool()>& make_room) {
  const auto move = [&database] { return database.execute("PRAGMA wal_checkpoint(TRUNCATE)"); };
  if (move()) return {};
  if (database.is_full() && make_room && make_room()) {
    database.clear_failure();
    if (move()) return {};
  }
  if (!database.is_full()) return std::unexpected(database.error(path));
  log::warn("store_log_kept", {{"reason", database.message()}});
  database.clear_failure();
  return write_anew(path + "-wal");
}

Error as_damage(Error error) {
  if (error.code == Errc::io) error.message = "cannot use the database: " + error.message;
  return error;
}

}  // namespace

Result<DirectoryLock> DirectoryLock::acquire(const std::string& database_path) {
  const std::string path = (fs::path(folder_of(database_path)) / "lock").string();
  UniqueFd file = open_file(path, O_CREAT | O_RDWR);
  if (!file) return system_error("cannot open the lock file", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("cannot lock", path);
    return fail(Errc::conflict, "the data directory is in use by another process", path);
  }
  return DirectoryLock(std::move(file));
}

Result<std::unique_ptr<Database>> open_data_file(const std::string& path,
                                                 std::span<const Migration> migrations,
                                                 CheckBounds bounds,
                                                 const std::function<bool()>& make_room) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return system_error("cannot open the database", path);
    if (auto made = make_data_file(path, migrations); !made) {
      return std::unexpected(std::move(made.error()));
    }
  }
  const auto header = read_header(path);
  if (!header) return std::unexpected(header.error());
  // An interrupted checkpoint may leave the file shorter than its header says, with the rest still
  // in the log. Only reading all of it distinguishes that from damage.
  const bool is_short = header->file_bytes < header->pages_bytes;
  if (is_short && size_or_zero(path + "-wal") == 0) {
    return fail(Errc::io, "the database file is truncated", path);
  }
  // A clean stop leaves no log.
  const bool ended_uncleanly = size_or_zero(path + "-wal") > 0;
  auto database = Database::open(path);
  if (!database) return std::unexpected(as_damage(std::move(database.error())));
  if (auto done = configure(**database, path); !done) {
    return std::unexpected(as_damage(std::move(done.error())));
  }
  const std::int64_t check_up_to = ended_uncleanly ? bounds.after_crash : bounds.after_clean_stop;
  if (is_short || header->file_bytes <= check_up_to) {
    if (auto done = check_contents(**database, path); !done) {
      return std::unexpected(as_damage(std::move(done.error())));
    }
  }
  if (auto done = migrate(**database, migrations, path, make_room); !done) {
    return std::unexpected(std::move(done.error()));
  }
  if (auto done = settle_log(**database, path, make_room); !done) {
    return std::unexpected(as_damage(std::move(done.error())));
  }
  // An older version left it. The lock proves that no process uses it.
  ::unlink((path + "-shm").c_str());
  return database;
}

}  // namespace holdfast::sqlite
