#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <holdfast/app/config.hpp>
#include <holdfast/base/audit.hpp>
#include <holdfast/base/file.hpp>
#include <holdfast/base/shares.hpp>

namespace holdfast::app {

struct AuditLogOptions {
  std::string file{};  ///< appended to; created with mode 0600; empty: none
  std::int64_t records_max = Config::Audit{}.records_max;  ///< in the database
  std::size_t waiting_max = 10'000;                        ///< for the database
  std::uint32_t refusals_per_minute = 600;                 ///< of all strangers that are kept
  std::uint32_t refusals_share = 60;                       ///< and of one address
};

/// Writes each event to the log (`audit`), to a file of its own, and to the database. A flood of
/// refusals cannot fill the latter two. They keep refusals of strangers only at a rate, with a
/// share for each address, and cut; the log has all. Any thread.
class AuditLog final : public Audit, public std::enable_shared_from_this<AuditLog> {
 public:
  /// Opens the file. Error `io` if that fails.
  [[nodiscard]] static Result<std::shared_ptr<AuditLog>> open(AuditLogOptions options,
                                                              const Clock& clock);
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void record(AuditEvent event) override;
  /// Sends events to the database, too, beginning with the earlier ones. Both outlive the
  /// executor's run; `store` belongs to it.
  void attach(AuditStore& store, Executor& executor);
  /// Opens the file again under its name, since it may have been moved away.
  [[nodiscard]] Result<void> reopen();
  /// Returns how many events since the start were not kept, or not given to the database.
  [[nodiscard]] std::uint64_t not_kept() const noexcept { return not_kept_; }

 private:
  AuditLog(AuditLogOptions options, const Clock& clock);

  [[nodiscard]] bool has_room_for(const AuditEvent& event);
  void write_to_file(const AuditEvent& event, WallTime at);
  void keep(AuditEvent event, WallTime at);
  /// Gives waiting events to the store, one batch at a time. On the executor.
  void append();

  const AuditLogOptions options_;
  const Clock& clock_;
  RateShares refusals_;
  std::mutex file_mutex_;
  UniqueFd file_;
  std::mutex mutex_;
  std::vector<AuditStore::NewRecord> waiting_;
  AuditStore* store_ = nullptr;
  Executor* executor_ = nullptr;
  bool appending_ = false;
  std::atomic<std::uint64_t> not_kept_{0};
};

}  // namespace holdfast::app
