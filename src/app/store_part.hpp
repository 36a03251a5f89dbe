#pragma once

#include <memory>
#include <string>
#include <vector>

#include <holdfast/app/config.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/net/server.hpp>
#include <holdfast/storage/file_store.hpp>
#include <holdfast/storage/store.hpp>

#include "audit_log.hpp"
#include "backup_maker.hpp"
#include "data_directory.hpp"

namespace holdfast::app {

/// The open store of a gateway, and its handles.
struct StorePart {
  std::unique_ptr<storage::Store> store;
  storage::FileStore* files = nullptr;          ///< the store, where it has files
  std::unique_ptr<BackupMaker> backups;         ///< null without files
  std::vector<storage::StoreHandles*> handles;  ///< by shard

  /// Takes over what can change live. Thread-safe.
  void change(const Config::Storage& config);
};

/// Opens the store in `directory`, and lets `audit` write to it. See `storage::OnFatal` for
/// `on_fatal`. Errors as of `open_store`.
[[nodiscard]] Result<StorePart> open_store_part(const DataDirectory& directory,
                                                const Config::Storage& config,
                                                storage::OnFatal on_fatal, const Clock& clock,
                                                net::Shards& shards,
                                                const std::shared_ptr<AuditLog>& audit);

}  // namespace holdfast::app
