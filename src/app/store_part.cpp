// Opens the store of a gateway and makes its handles.
#include "store_part.hpp"

#include <cstddef>
#include <utility>

#include <unistd.h>

#include "store_engines.hpp"

namespace holdfast::app {

void StorePart::change(const Config::Storage& config) {
  if (files == nullptr) return;
  files->set_database_bytes_max(config.sqlite.database_bytes_max);
  files->set_disk_free_min(config.sqlite.disk_free_min);
}

Result<StorePart> open_store_part(const DataDirectory& directory, const Config::Storage& config,
                                  storage::OnFatal on_fatal, const Clock& clock,
                                  net::Shards& shards, const std::shared_ptr<AuditLog>& audit) {
  auto opened =
      open_store("sqlite:" + directory.file("holdfast.db"), config, std::move(on_fatal), clock);
  if (!opened) return std::unexpected(std::move(opened.error()));
  StorePart part;
  part.store = std::move(opened->store);
  part.files = opened->files;
  const std::string partial = directory.file("backup.partial");
  // The file of a backup during which the process was killed may be as large as the database.
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) unlink((partial + suffix).c_str());
  if (part.files != nullptr) {
    part.backups = std::make_unique<BackupMaker>(*part.files, partial, audit);
  }
  for (std::size_t i = 0; i < shards.count(); ++i) {
    part.handles.push_back(&part.store->handles(shards.at(i)));
  }
  audit->attach(*part.handles.front()->audit, shards.at(0));
  return part;
}

}  // namespace holdfast::app
