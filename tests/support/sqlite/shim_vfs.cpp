// A file system for SQLite with power cuts, errors and little room.

#include "support/sqlite/shim_vfs.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <new>
#include <random>
#include <utility>

#include <sqlite3.h>

namespace holdfast::test {
namespace {

constexpr std::size_t kSectorBytes = 512;

ShimVfs* g_shim = nullptr;
sqlite3_vfs* g_real = nullptr;

struct ShimFile {
  sqlite3_file base;
  const char* path;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

ShimFile& shim(sqlite3_file* file) { return *reinterpret_cast<ShimFile*>(file); }
sqlite3_file* real(sqlite3_file* file) { return shim(file).real(); }

int shim_close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
int shim_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  if (const int code = g_shim->judge(ShimVfs::Call::read, shim(file).path)) return code;
  return real(file)->pMethods->xRead(real(file), out, size, offset);
}
int shim_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (const int code = g_shim->judge(ShimVfs::Call::write, shim(file).path)) return code;
  if (!g_shim->has_room(shim(file).path, offset + size)) return SQLITE_FULL;
  const int code = real(file)->pMethods->xWrite(real(file), bytes, size, offset);
  if (code == SQLITE_OK) {
    g_shim->wrote(shim(file).path,
                  {offset, {static_cast<const char*>(bytes), static_cast<std::size_t>(size)}});
  }
  return code;
}
int shim_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = g_shim->judge(ShimVfs::Call::truncate, shim(file).path)) return code;
  const int code = real(file)->pMethods->xTruncate(real(file), size);
  if (code == SQLITE_OK) g_shim->wrote(shim(file).path, {size, {}, true});
  return code;
}
int shim_sync(sqlite3_file* file, int flags) {
  if (const int code = g_shim->judge(ShimVfs::Call::sync, shim(file).path)) {
    g_shim->failed_to_sync(shim(file).path);
    return code;
  }
  if (g_shim->ignores_syncs()) return SQLITE_OK;
  // Where the layer knows what is durable, the real disk need not.
  const int code = g_shim->tracks() ? SQLITE_OK : real(file)->pMethods->xSync(real(file), flags);
  if (code == SQLITE_OK) g_shim->synced(shim(file).path);
  return code;
}
int shim_size(sqlite3_file* file, sqlite3_int64* out) {
  return real(file)->pMethods->xFileSize(real(file), out);
}
int shim_lock(sqlite3_file* file, int kind) {
  return real(file)->pMethods->xLock(real(file), kind);
}
int shim_unlock(sqlite3_file* file, int kind) {
  return real(file)->pMethods->xUnlock(real(file), kind);
}
int shim_check_lock(sqlite3_file* file, int* out) {
  return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
int shim_control(sqlite3_file* file, int op, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), op, argument);
}
int shim_sector(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int shim_device(sqlite3_file* file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
int shim_shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  if (extend != 0) {
    if (const int code = g_shim->judge(ShimVfs::Call::shm, shim(file).path)) return code;
  }
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
int shim_shm_lock(sqlite3_file* file, int offset, int n, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}
void shim_shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
int shim_shm_unmap(sqlite3_file* file, int remove) {
  return real(file)->pMethods->xShmUnmap(real(file), remove);
}

// Version 2: with shared memory, without memory-mapped reads.
const sqlite3_io_methods kMethods = {
    2,           shim_close,   shim_read,     shim_write,       shim_truncate,  shim_sync,
    shim_size,   shim_lock,    shim_unlock,   shim_check_lock,  shim_control,   shim_sector,
    shim_device, shim_shm_map, shim_shm_lock, shim_shm_barrier, shim_shm_unmap, nullptr,
    nullptr};

int shim_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* const opened = new (file) ShimFile{};
  opened->path = name != nullptr ? name : "";
  const int code = g_real->xOpen(g_real, name, opened->real(), flags, out_flags);
  if (opened->real()->pMethods != nullptr) opened->base.pMethods = &kMethods;
  if (code == SQLITE_OK) g_shim->opened(opened->path);
  return code;
}

int shim_delete(sqlite3_vfs*, const char* name, int sync_folder) {
  const int code = g_real->xDelete(g_real, name, sync_folder);
  if (code == SQLITE_OK) g_shim->removed(name);
  return code;
}

void apply(std::string& content, const ShimVfs::Write& write, std::size_t size) {
  const auto offset = static_cast<std::size_t>(write.offset);
  if (write.is_truncate) {
    content.resize(offset);
    return;
  }
  if (content.size() < offset + size) content.resize(offset + size);
  content.replace(offset, size, write.bytes, 0, size);
}

}  // namespace

struct ShimVfs::Registration {
  sqlite3_vfs vfs;
};

ShimVfs::ShimVfs() : registration_(std::make_unique<Registration>()) {
  g_real = sqlite3_vfs_find(nullptr);
  g_shim = this;
  sqlite3_vfs& vfs = registration_->vfs;
  vfs = *g_real;
  vfs.zName = "shim";
  vfs.szOsFile = static_cast<int>(sizeof(ShimFile)) + g_real->szOsFile;
  vfs.xOpen = shim_open;
  vfs.xDelete = shim_delete;
  sqlite3_vfs_register(&vfs, 1);
}

ShimVfs::~ShimVfs() {
  sqlite3_vfs_unregister(&registration_->vfs);
  sqlite3_vfs_register(g_real, 1);
  g_shim = nullptr;
}

void ShimVfs::judge_with(Judge judge) {
  const std::lock_guard lock(mutex_);
  judge_ = std::move(judge);
}

int ShimVfs::judge(Call call, std::string_view path) {
  const std::lock_guard lock(mutex_);
  return judge_ ? judge_(call, path) : SQLITE_OK;
}

void ShimVfs::limit_bytes(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  bytes_max_ = bytes;
}

bool ShimVfs::has_room(const std::string& path, std::int64_t size) {
  const std::lock_guard lock(mutex_);
  std::int64_t& mine = sizes_[path];
  if (size <= mine) return true;
  std::int64_t used = 0;
  for (const auto& [other, bytes] : sizes_) used += bytes;
  if (bytes_max_ != 0 && used + size - mine > bytes_max_) return false;
  mine = size;
  return true;
}

bool ShimVfs::allocate(const std::string& path, std::int64_t size) {
  if (!has_room(path, size)) return false;
  const std::lock_guard lock(mutex_);
  if (tracks_) files_[path].durable.assign(static_cast<std::size_t>(size), '\0');
  return true;
}

std::int64_t ShimVfs::used_bytes() {
  const std::lock_guard lock(mutex_);
  std::int64_t used = 0;
  for (const auto& [path, bytes] : sizes_) used += bytes;
  return used;
}

std::int64_t ShimVfs::free_bytes() {
  const std::int64_t used = used_bytes();
  const std::lock_guard lock(mutex_);
  if (bytes_max_ == 0) return std::numeric_limits<std::int64_t>::max();
  return std::max<std::int64_t>(bytes_max_ - used, 0);
}

void ShimVfs::opened(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::error_code missing;
  const auto size = std::filesystem::file_size(path, missing);
  if (!missing) sizes_[path] = static_cast<std::int64_t>(size);
  if (!tracks_ || files_.contains(path)) return;
  std::ifstream in(path, std::ios::binary);
  files_[path].durable.assign(std::istreambuf_iterator<char>(in), {});
}

void ShimVfs::wrote(const std::string& path, Write write) {
  const std::lock_guard lock(mutex_);
  if (write.is_truncate) sizes_[path] = std::min(sizes_[path], write.offset);
  if (tracks_) files_[path].unsynced.push_back(std::move(write));
}

void ShimVfs::synced(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!tracks_) return;
  TrackedFile& file = files_[path];
  for (const Write& write : file.unsynced) apply(file.durable, write, write.bytes.size());
  file.unsynced.clear();
}

void ShimVfs::failed_to_sync(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (tracks_) files_[path].unsynced.clear();
}

void ShimVfs::removed(const std::string& path) {
  const std::lock_guard lock(mutex_);
  files_.erase(path);
  sizes_.erase(path);
}

void ShimVfs::copy_files(const std::filesystem::path& folder) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::int64_t> sizes;
  for (const auto& [path, size] : sizes_) {
    const std::filesystem::path from(path);
    const std::filesystem::path to = folder / from.filename();
    std::error_code missing;
    if (std::filesystem::copy_file(from, to, missing)) sizes[to.string()] = size;
  }
  sizes_.merge(sizes);
  // Durable bytes stay as they are, because the copies stand for the same files.
  std::map<std::string, TrackedFile> copies;
  for (const auto& [path, file] : files_) {
    copies[(folder / std::filesystem::path(path).filename()).string()] = file;
  }
  files_.merge(copies);
}

void ShimVfs::forget_files(const std::filesystem::path& folder) {
  const std::lock_guard lock(mutex_);
  const auto inside = [&folder](const auto& entry) {
    return std::filesystem::path(entry.first).parent_path() == folder;
  };
  std::erase_if(files_, inside);
  std::erase_if(sizes_, inside);
}

void ShimVfs::cut_power(const std::filesystem::path& folder, unsigned seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937 random(seed);
  for (const auto& [path, file] : files_) {
    std::string content = file.durable;
    for (const Write& write : file.unsynced) {
      const auto fate = random() % 3;
      if (fate == 0) continue;
      if (fate == 1 || write.is_truncate) {
        apply(content, write, write.bytes.size());
        continue;
      }
      // A disk writes sectors, in whatever order: any of them may be missing.
      for (std::size_t at = 0; at < write.bytes.size(); at += kSectorBytes) {
        if (random() % 2 == 0) continue;
        const Write sector{write.offset + static_cast<std::int64_t>(at),
                           write.bytes.substr(at, kSectorBytes), false};
        apply(content, sector, sector.bytes.size());
      }
    }
    const std::filesystem::path to = folder / std::filesystem::path(path).filename();
    std::ofstream out(to, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    sizes_[to.string()] = static_cast<std::int64_t>(content.size());
  }
}

}  // namespace holdfast::test
