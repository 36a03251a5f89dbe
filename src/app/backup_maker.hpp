#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/audit.hpp>
#include <holdfast/control/service.hpp>
#include <holdfast/storage/file_store.hpp>

namespace holdfast::app {

/// What the control socket knows as backups: copies that the store makes beside its database.
class BackupMaker final : public control::BackupMaker {
 public:
  BackupMaker(storage::FileStore& store, std::string path, std::shared_ptr<Audit> audit)
      : store_(store), path_(std::move(path)), audit_(std::move(audit)) {}

  Result<void> begin() override {
    return store_.begin_backup(path_, [audit = audit_](const storage::BackupStatus& status) {
      const bool done = status.stage == storage::BackupStatus::Stage::done;
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
  static const char* name_of(storage::BackupStatus::Stage stage) noexcept {
    switch (stage) {
      case storage::BackupStatus::Stage::copying:
        return "copying";
      case storage::BackupStatus::Stage::checking:
        return "checking";
      case storage::BackupStatus::Stage::done:
        return "done";
      case storage::BackupStatus::Stage::failed:
        return "failed";
    }
    return "";
  }

  storage::FileStore& store_;
  const std::string path_;
  const std::shared_ptr<Audit> audit_;
};

}  // namespace holdfast::app
