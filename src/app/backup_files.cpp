// Keeps, restores and checks backups, outside of a running gateway.

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/app/backup.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/file.hpp>
#include <holdfast/base/private_file.hpp>
#include <holdfast/base/sha256.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/sqlite/database_file.hpp>

#include "data_directory.hpp"
#include "restore_files.hpp"

namespace holdfast::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDatabase = "holdfast.db";
constexpr const char* kKey = "master.key";
constexpr const char* kBackupCopy = "backup.partial";
constexpr const char* kBeforeRestore = ".before-restore-";
// Suffixes of the files beside a backup: the master key, and the proof that the backup is
// unchanged.
constexpr const char* kKeySuffix = ".key";
constexpr const char* kMacSuffix = ".mac";
constexpr std::size_t kMacTextBytes = 65;
// The distance of the ceiling from the clock if the old database is gone. Sequence numbers follow
// the clock, and run ahead of it by a minute for each start in quick succession.
constexpr Seconds kCeilingMargin{24 * 3600};

bool exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

void remove_with_log(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path + suffix).c_str());
}

// Copies into a new file of mode 0600, and syncs it. Returns the hash of the written bytes.
Result<Digest> copy_into_new(int source, const std::string& from, const std::string& to) {
  const UniqueFd target = open_file(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
  if (!target) return file_error("create", to);
  Sha256 hash;
  std::string buffer(std::size_t{1} << 20, '\0');
  for (;;) {
    const auto got = read_up_to(source, buffer.data(), buffer.size());
    if (!got) return file_error("read", from);
    if (*got == 0) break;
    const auto piece = std::string_view(buffer).substr(0, *got);
    hash.add(piece);
    if (!write_all(target.get(), piece)) return file_error("write", to);
  }
  if (::fsync(target.get()) != 0) return file_error("sync", to);
  return hash.finish();
}

Result<Digest> copy_file(const std::string& from, const std::string& to) {
  const UniqueFd source = open_file(from, O_RDONLY | O_NONBLOCK);
  struct stat info{};
  if (!source || ::fstat(source.get(), &info) != 0) return file_error("read", from);
  if (!S_ISREG(info.st_mode)) return fail(Errc::io, from + " is not a regular file", from);
  return copy_into_new(source.get(), from, to);
}

bool rename_to(const std::string& from, const std::string& to, Existing existing) {
  const unsigned flags = existing == Existing::replace ? 0 : RENAME_NOREPLACE;
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0;
}

std::unexpected<Error> already_exists_error(const std::string& path) {
  return fail(Errc::already_exists, path + " is there already: --force replaces it", path);
}

/// The copy that a running gateway has made in its data directory. The gateway may belong to a
/// hostile user, so no name that it could create is followed or renamed.
class GatewaysCopy {
 public:
  explicit GatewaysCopy(const std::string& data_dir)
      : path_(data_dir + "/" + kBackupCopy),
        folder_(open_file(data_dir, O_RDONLY | O_DIRECTORY)),
        file_(::openat(folder_.get(), kBackupCopy,
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {}

  [[nodiscard]] Result<void> check() const {
    struct stat folder{};
    struct stat file{};
    if (!folder_ || ::fstat(folder_.get(), &folder) != 0 || !file_ ||
        ::fstat(file_.get(), &file) != 0) {
      return file_error("read the gateway's copy", path_);
    }
    if (!S_ISREG(file.st_mode) || file.st_nlink != 1 || file.st_uid != folder.st_uid) {
      return fail(Errc::io,
                  path_ + " is not a file of its own that belongs to the owner of the folder",
                  path_);
    }
    return {};
  }
  [[nodiscard]] Result<Digest> copy_to(const std::string& to) const {
    return copy_into_new(file_.get(), path_, to);
  }
  /// Removes the copy. The gateway removes one that stays before its next backup.
  void remove() const { (void)::unlinkat(folder_.get(), kBackupCopy, 0); }

 private:
  const std::string path_;
  const UniqueFd folder_;
  const UniqueFd file_;
};

// Gives a file to the owner of the folder. Root restores, and a gateway of another user must open
// it.
Result<void> give_to_owner_of(const std::string& folder, const std::string& path) {
  struct stat info{};
  if (::geteuid() != 0) return {};
  if (::stat(folder.c_str(), &info) != 0 || ::lchown(path.c_str(), info.st_uid, info.st_gid) != 0) {
    return file_error("give to the owner of the data directory", path);
  }
  return {};
}

std::string key_text(const identity::MasterKey& key) {
  return base64_encode(std::string(key.bytes())) + "\n";
}

// Returns the MAC of a backup, which only the master key can make.
std::string backup_mac(const identity::MasterKey& key, const Digest& hash) {
  Digest derived = hmac_sha256(key.bytes(), "holdfast backup 1");
  const Digest mac = hmac_sha256(view(derived), view(hash));
  wipe(derived);
  return hex_encode(view(mac)) + "\n";
}

const char* value_of(const std::optional<std::string>& variable) {
  return variable ? variable->c_str() : nullptr;
}

DatabaseReport report_of(sqlite::DatabaseCheck check) {
  return {.schema = check.schema,
          .known_schema = check.known_schema,
          .bytes = check.bytes,
          .users = check.users,
          .pending_users = check.pending_users,
          .pending_messages = check.pending_messages,
          .dead_letters = check.dead_letters,
          .rows_without_checksum = check.rows_without_checksum,
          .problems = std::move(check.problems),
          .added = std::nullopt};
}

// Checks the copied file, which the gateway cannot reach any more.
Result<KeepReport> finish_backup(const KeepOptions& options, const std::string& aside,
                                 const Digest& hash) {
  const auto check = sqlite::check_database(aside);
  if (!check) return std::unexpected(check.error());
  if (!check->problems.empty()) {
    return fail(Errc::io, "the copy is damaged: " + check->problems.front(), aside);
  }
  const auto key =
      identity::MasterKey::load(options.data_dir + "/" + kKey, value_of(options.master_key),
                                identity::MasterKey::Missing::fail);
  auto good = key ? identity::check_master_key(*key, check->data_keys)
                  : Result<void>(std::unexpected(key.error()));
  if (!good && options.with_master_key) return std::unexpected(std::move(good.error()));
  const PrivateFileOptions how{.replace = options.existing == Existing::replace};
  // These files come before the backup: if it is there, all of it is.
  if (options.with_master_key) {
    std::string text = key_text(*key);
    auto written = write_private_file(options.file + kKeySuffix, text, how);
    wipe(text);
    if (!written) return std::unexpected(std::move(written.error()));
  }
  if (good) {
    auto written = write_private_file(options.file + kMacSuffix, backup_mac(*key, hash), how);
    if (!written) return std::unexpected(std::move(written.error()));
  } else {
    // The MAC of the replaced backup proves nothing about this one.
    ::unlink((options.file + kMacSuffix).c_str());
  }
  if (!rename_to(aside, options.file, options.existing)) {
    if (errno == EEXIST) return already_exists_error(options.file);
    return file_error("put the backup in place at", options.file);
  }
  if (auto synced = sync_folder(folder_of(options.file)); !synced) {
    return std::unexpected(std::move(synced.error()));
  }
  return KeepReport{.authenticated = good.has_value()};
}

}  // namespace

Result<void> check_backup_target(const std::string& file, Existing existing) {
  struct stat info{};
  if (::lstat(file.c_str(), &info) != 0) return {};
  if (!S_ISREG(info.st_mode)) {
    return fail(Errc::invalid_argument, file + " is there already, and is not a regular file",
                file);
  }
  if (existing == Existing::keep) return already_exists_error(file);
  return {};
}

Result<KeepReport> keep_backup(const KeepOptions& options) {
  auto done = check_backup_target(options.file, options.existing);
  if (done && options.with_master_key) {
    done = check_backup_target(options.file + kKeySuffix, options.existing);
  }
  if (done) done = check_backup_target(options.file + kMacSuffix, options.existing);
  const GatewaysCopy copy(options.data_dir);
  if (done) done = copy.check();
  if (!done) return std::unexpected(std::move(done.error()));
  const std::string aside = options.file + ".partial";
  if (::unlink(aside.c_str()) != 0 && errno != ENOENT) return file_error("remove", aside);
  const auto hash = copy.copy_to(aside);
  auto kept = hash ? finish_backup(options, aside, *hash)
                   : Result<KeepReport>(std::unexpected(hash.error()));
  if (kept) {
    copy.remove();
  } else {
    ::unlink(aside.c_str());
  }
  return kept;
}

Result<DatabaseReport> check_data(const CheckOptions& options) {
  if (!options.file.empty()) {
    if (!exists(options.file)) {
      return fail(Errc::not_found, "there is no file " + options.file, options.file);
    }
    auto check = sqlite::check_database(options.file);
    if (!check) return std::unexpected(std::move(check.error()));
    return report_of(std::move(*check));
  }
  const std::string path = options.data_dir + "/" + kDatabase;
  if (!exists(path)) return fail(Errc::not_found, "there is no database at " + path, path);
  const auto directory = DataDirectory::open(options.data_dir, DataDirectory::Use::maintain);
  if (!directory) return std::unexpected(directory.error());
  auto check = sqlite::check_database(path);
  if (!check) return std::unexpected(std::move(check.error()));
  if (check->problems.empty() && !check->data_keys.empty()) {
    const auto key = identity::MasterKey::load(
        (*directory)->file(kKey), value_of(options.master_key), identity::MasterKey::Missing::fail);
    const auto good = key ? identity::check_master_key(*key, check->data_keys)
                          : Result<void>(std::unexpected(key.error()));
    if (!good) check->problems.push_back(good.error().message);
  }
  DatabaseReport report = report_of(std::move(*check));
  // Existing damage must not get a checksum.
  if (options.add_checksums && report.problems.empty()) {
    const auto added = sqlite::add_checksums(path);
    if (!added) return std::unexpected(added.error());
    report.added = {.messages = added->messages, .dead_letters = added->dead_letters};
    report.rows_without_checksum = 0;
  }
  return report;
}

namespace {

/// A restore, in steps.
class Restore {
 public:
  Restore(const RestoreOptions& options, const DataDirectory& directory)
      : options_(options),
        directory_(directory),
        database_(directory.file(kDatabase)),
        restoring_(directory.file(kRestoring)) {}

  Result<RestoreReport> run() {
    auto done = prepare();
    if (!done) {
      remove_with_log(restoring_);
      return std::unexpected(std::move(done.error()));
    }
    // From here on there is a moment without a database, and the copy that completes it.
    if (done = put_aside(); !done) return std::unexpected(std::move(done.error()));
    if (done = put_in_place(); !done) return std::unexpected(std::move(done.error()));
    return std::move(report_);
  }

 private:
  // Prepares the copy, without changing the existing files.
  Result<void> prepare() {
    const bool there = exists(database_) || exists(database_ + "-wal");
    if (there && !options_.replace) {
      return fail(Errc::already_exists,
                  database_ + " is there already: --force restores over it, and keeps it aside",
                  database_);
    }
    std::error_code ignored;
    if (fs::file_size(options_.file + "-wal", ignored) > 0 && !ignored) {
      return fail(Errc::invalid_argument,
                  options_.file +
                      " has a write-ahead log beside it: it is no backup, but a "
                      "database that may be in use",
                  options_.file);
    }
    const std::string previous = there ? database_ : last_put_aside();
    remove_with_log(restoring_);
    const auto copied = copy_file(options_.file, restoring_);
    if (!copied) return std::unexpected(copied.error());
    hash_ = *copied;
    auto check = sqlite::check_database(restoring_);
    if (!check) return std::unexpected(named(std::move(check.error())));
    if (!check->problems.empty()) {
      return fail(Errc::io, options_.file + " is damaged: " + check->problems[0], options_.file);
    }
    if (auto found = find_key(check->data_keys); !found) return found;
    report_.database = report_of(std::move(*check));
    if (auto ended = end_what_was_revoked(previous); !ended) return ended;
    if (auto given = give_to_owner_of(options_.data_dir, restoring_); !given) return given;
    const UniqueFd file = open_file(restoring_, O_RDONLY);
    if (!file || ::fsync(file.get()) != 0) return file_error("sync", restoring_);
    return sync_folder(options_.data_dir);
  }

  // Names the backup instead of the copy, because the user gave the backup's name.
  Error named(Error error) const {
    if (const auto at = error.message.find(restoring_); at != std::string::npos) {
      error.message.replace(at, restoring_.size(), options_.file);
    } else {
      error.message = options_.file + ": " + error.message;
    }
    return error;
  }

  // Checks the MAC. The database authenticates only its sealed parts; a writer of the file could
  // have changed a policy or a password's hash.
  Result<void> check_mac(const identity::MasterKey& key) const {
    if (options_.unauthenticated) return {};
    const std::string path = options_.file + kMacSuffix;
    std::ifstream file(path, std::ios::binary);
    std::string text(kMacTextBytes, '\0');
    if (!file.read(text.data(), static_cast<std::streamsize>(text.size()))) {
      return fail(Errc::not_found,
                  "there is no " + path +
                      ", which proves that the backup is as it was made: --unauthenticated takes "
                      "it all the same",
                  path);
    }
    if (constant_time_equal(text, backup_mac(key, hash_))) return {};
    return fail(Errc::invalid_argument,
                options_.file + " is not as it was made, or " + path + " is another backup's",
                options_.file);
  }

  Result<void> find_key(const std::vector<identity::KeyStore::Row>& rows) {
    const std::string own = directory_.file(kKey);
    const std::string beside = options_.file + kKeySuffix;
    std::string path = options_.master_key_file;
    const char* value = nullptr;
    if (path.empty() && options_.master_key) value = options_.master_key->c_str();
    if (path.empty() && exists(beside)) path = beside;
    if (path.empty()) path = own;
    auto key = identity::MasterKey::load(path, value, identity::MasterKey::Missing::fail);
    if (!key && key.error().code == Errc::not_found) {
      return fail(Errc::not_found,
                  "the master key of the gateway that was backed up is needed: give it with "
                  "--master-key-file or in HOLDFAST_MASTER_KEY, or put it at " +
                      own,
                  own);
    }
    if (!key) return std::unexpected(std::move(key.error()));
    report_.key_from = value != nullptr ? "HOLDFAST_MASTER_KEY" : path;
    if (auto good = identity::check_master_key(*key, rows); !good) {
      good.error().message = report_.key_from + ": " + good.error().message;
      return good;
    }
    if (auto good = check_mac(*key); !good) return good;
    if (value == nullptr && path != own) new_key_.emplace(std::move(*key));
    return {};
  }

  // Finds the database that an interrupted restore has put aside.
  [[nodiscard]] std::string last_put_aside() const {
    std::string out;
    if (!exists(restoring_)) return out;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(options_.data_dir, ignored)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(std::string(kDatabase) + kBeforeRestore)) continue;
      if (name.ends_with("-wal") || name.ends_with("-shm")) continue;
      out = std::max(out, directory_.file(name));
    }
    return out;
  }

  Result<void> end_what_was_revoked(const std::string& previous) {
    const Clock& clock = options_.clock != nullptr ? *options_.clock : system_clock();
    sqlite::RestoreRules rules{.now = clock.wall_now(),
                               .end_logins = !options_.keep_logins,
                               .previous = {},
                               .disable_access_keys = options_.disable_access_keys,
                               .actor = "uid:" + std::to_string(::geteuid())};
    const Sequence now = unix_micros(rules.now);
    const auto known = previous.empty() ? std::nullopt : sqlite::settle_database(previous);
    // No sequence number that clients may have seen may come again.
    rules.ceiling = known ? std::max(*known, now) : now + Microseconds(kCeilingMargin).count();
    if (known) rules.previous = previous;
    const auto access = sqlite::prepare_restored(restoring_, rules);
    if (!access) return std::unexpected(access.error());
    for (const auto& key : access->enabled_keys) report_.enabled_keys.push_back({key.id, key.name});
    for (const auto& key : access->disabled_keys) {
      report_.disabled_keys.push_back({key.id, key.name});
    }
    report_.disabled_users = access->disabled_users;
    report_.revocations_known = access->took_over;
    return {};
  }

  // Moves the database first. A start refuses a log without a database, but not a database without
  // its log.
  Result<void> put_aside() {
    const Clock& clock = options_.clock != nullptr ? *options_.clock : system_clock();
    std::string stamp = format_iso8601(clock.wall_now());
    std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
    const std::string before = kBeforeRestore + stamp;
    const std::string aside = database_ + before;
    if (exists(database_)) {
      if (!rename_to(database_, aside, Existing::keep)) return file_error("rename", database_);
      report_.kept_database = aside;
    }
    if (exists(database_ + "-wal") &&
        !rename_to(database_ + "-wal", aside + "-wal", Existing::keep)) {
      return file_error("rename", database_ + "-wal");
    }
    ::unlink((database_ + "-shm").c_str());
    if (auto synced = sync_folder(options_.data_dir); !synced) return synced;
    if (!new_key_) return {};
    const std::string own = directory_.file(kKey);
    std::string text = key_text(*new_key_);
    const auto present =
        identity::MasterKey::load(own, nullptr, identity::MasterKey::Missing::fail);
    if (exists(own) && (!present || present->bytes() != new_key_->bytes())) {
      report_.kept_key = own + before;
      if (!rename_to(own, report_.kept_key, Existing::keep)) return file_error("rename", own);
    }
    auto written = write_private_file(own, text);
    wipe(text);
    if (!written) return written;
    return give_to_owner_of(options_.data_dir, own);
  }

  Result<void> put_in_place() {
    if (!rename_to(restoring_, database_, Existing::keep)) return file_error("rename", restoring_);
    remove_with_log(restoring_);
    return sync_folder(options_.data_dir);
  }

  const RestoreOptions& options_;
  const DataDirectory& directory_;
  const std::string database_;
  const std::string restoring_;
  Digest hash_{};                               ///< of the copied file
  std::optional<identity::MasterKey> new_key_;  ///< for the data directory
  RestoreReport report_;
};

}  // namespace

Result<RestoreReport> restore_backup(const RestoreOptions& options) {
  if (!exists(options.file)) {
    return fail(Errc::not_found, "there is no file " + options.file, options.file);
  }
  const auto directory = DataDirectory::open(options.data_dir, DataDirectory::Use::maintain);
  if (!directory) return std::unexpected(directory.error());
  return Restore(options, **directory).run();
}

}  // namespace holdfast::app
