#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/audit.hpp>
#include <holdfast/control/service.hpp>
#include <holdfast/storage/file_store.hpp>

namespace holdfast::app {

/// Makes the control socket's backups: copies by the store, beside its database.
class BackupMaker final : public control::BackupMaker {
 public:
  BackupMaker(storage::FileStore& store, std::string path, std::shared_ptr<Audit> audit)
      : store_(store), path_(std::move(path)), audit_(std::move(audit)) {}

  Result<void> begin() override {
    return store_.begin_backup(path_, [audit = audit_](const storage::BackupStatus& status) {
      const bool done = status.stage == storage::BackupStage::done;
      audit->record({.actor = "system",
                     .action = "backup.finish",
                     .outcome = done ? AuditOutcome::done : AuditOutcome::failed,
                     .reason = status.error ? status.error->message : std::string()});
    });
  }
  std::optional<control::BackupProgress> progress() const override {
    const auto status = store_.backup_status();
    if (!status) return std::nullopt;
    return control::BackupProgress{.stage = name_of(status->stage),
                                   .path = status->path,
                                   .bytes_done = status->bytes_done,
                                   .bytes_total = status->bytes_total,
                                   .error = status->error};
  }
  void cancel() override { store_.cancel_backup(); }

 private:
  static const char* name_of(storage::BackupStage stage) noexcept {
    switch (stage) {
      case storage::BackupStage::copying:
        return "copying";
      case storage::BackupStage::checking:
        return "checking";
      case storage::BackupStage::done:
        return "done";
      case storage::BackupStage::failed:
        return "failed";
    }
    return "";
  }

  storage::FileStore& store_;
  const std::string path_;
  const std::shared_ptr<Audit> audit_;
};

}  // namespace holdfast::app
