// Writes audit events to the log, a file and the database.

#include "audit_log.hpp"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/base/log.hpp>

namespace holdfast::app {
namespace {

// Limits texts that others have written, so that they cannot fill the disk with one record each.
constexpr std::size_t kShownBytes = 256;

}  // namespace

AuditLog::AuditLog(AuditLogOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      refusals_({.capacity = options_.refusals_per_minute, .share = options_.refusals_share}) {}

Result<std::shared_ptr<AuditLog>> AuditLog::open(AuditLogOptions options, const Clock& clock) {
  std::shared_ptr<AuditLog> log(new AuditLog(std::move(options), clock));
  if (auto opened = log->reopen(); !opened) return std::unexpected(std::move(opened.error()));
  return log;
}

Result<void> AuditLog::reopen() {
  if (options_.file.empty()) return {};
  UniqueFd file = open_file(options_.file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW);
  if (!file) {
    return fail(Errc::io, std::string("cannot open the audit file: ") + std::strerror(errno),
                options_.file);
  }
  const std::lock_guard lock(file_mutex_);
  file_ = std::move(file);
  return {};
}

void AuditLog::record(AuditEvent event) {
  const WallTime at = clock_.wall_now();
  event.target = seen_text(event.target, kShownBytes);
  event.reason = seen_text(event.reason, kShownBytes);
  log::info("audit", {{"actor", event.actor},
                      {"action", event.action},
                      {"target", event.target},
                      {"outcome", to_string(event.outcome)},
                      {"reason", event.reason},
                      {"remote_address", event.address}});
  if (!has_room_for(event)) {
    ++not_kept_;
    return;
  }
  write_to_file(event, at);
  keep(std::move(event), at);
}

bool AuditLog::has_room_for(const AuditEvent& event) {
  if (event.outcome != AuditOutcome::refused) return true;
  const std::int64_t now_us = Microseconds(clock_.steady_now().time_since_epoch()).count();
  return refusals_.take(client_share_key(event.address), now_us).has_value();
}

void AuditLog::write_to_file(const AuditEvent& event, WallTime at) {
  if (options_.file.empty()) return;
  const Json object = {{"time", format_iso8601(at)},
                       {"actor", event.actor},
                       {"action", event.action},
                       {"target", event.target},
                       {"outcome", to_string(event.outcome)},
                       {"reason", event.reason},
                       {"remote_address", event.address}};
  const std::string line = object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::lock_guard lock(file_mutex_);
  // Written in one call, so that lines of several processes do not mix. What a full disk does not
  // take is still in the log.
  if (::write(file_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    log::warn("audit_file_failed", {{"path", options_.file}, {"reason", std::strerror(errno)}});
  }
}

void AuditLog::keep(AuditEvent event, WallTime at) {
  Executor* executor = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= options_.waiting_max) {
      ++not_kept_;
      return;
    }
    waiting_.push_back({at, std::move(event)});
    if (!appending_ && store_ != nullptr) {
      appending_ = true;
      executor = executor_;
    }
  }
  if (executor == nullptr) return;
  executor->post([self = shared_from_this()] { self->append(); });
}

void AuditLog::attach(AuditStore& store, Executor& executor) {
  {
    const std::lock_guard lock(mutex_);
    store_ = &store;
    executor_ = &executor;
    if (waiting_.empty() || std::exchange(appending_, true)) return;
  }
  executor.post([self = shared_from_this()] { self->append(); });
}

void AuditLog::append() {
  std::vector<AuditStore::NewRecord> batch;
  {
    const std::lock_guard lock(mutex_);
    batch = std::exchange(waiting_, {});
    if (batch.empty()) {
      appending_ = false;
      return;
    }
  }
  const std::size_t count = batch.size();
  store_->append(std::move(batch), options_.records_max,
                 [self = shared_from_this(), count](const Result<void>& appended) {
                   if (!appended) {
                     self->not_kept_ += count;
                     log::warn("audit_records_lost",
                               {{"records", count}, {"reason", appended.error().message}});
                   }
                   self->append();
                 });
}

}  // namespace holdfast::app
