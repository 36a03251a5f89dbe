#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>

namespace holdfast {

/// The outcome of an action.
enum class AuditOutcome : std::uint8_t { done, refused, failed };
/// `done`, `refused`, `failed`.
[[nodiscard]] const char* to_string(AuditOutcome outcome) noexcept;
/// The inverse; nullopt for any other text.
[[nodiscard]] std::optional<AuditOutcome> audit_outcome_from(std::string_view text) noexcept;

/// One act that matters to security: who did what to what, and how it ended. Never holds a secret:
/// no password, code, token, key's secret or message text.
struct AuditEvent {
  /// `key:ID`, `user:ID`, `console:SESSION`, `uid:NUMBER` (the peer of the control socket),
  /// `stranger` (an unproven caller) or `system`.
  std::string actor{};
  std::string action{};  ///< a fixed word: `login`, `user.create`, `access_key.change`
  /// The object of the action: `user:ID`, `username:NAME`, `access_key:ID`; empty: the instance.
  std::string target{};
  AuditOutcome outcome = AuditOutcome::done;
  std::string reason{};   ///< why it was refused or failed; empty when done
  std::string address{};  ///< of the client; empty: this machine
};

/// An event as it is kept.
struct AuditRecord {
  std::int64_t id = 0;  ///< rises
  WallTime at;
  AuditEvent event;
};

/// Selects audit records, newest first.
struct AuditQuery {
  std::optional<std::int64_t> before{};  ///< exclusive, an id; nullopt: from the newest
  std::optional<WallTime> since{};       ///< inclusive
  std::string actor{};                   ///< empty: any
  std::string action{};                  ///< empty: any; one that ends in `.` stands for its group
  std::string target{};                  ///< empty: any
  std::optional<AuditOutcome> outcome{};
  std::size_t limit = 0;
};
struct AuditPage {
  std::vector<AuditRecord> records;
  /// The `before` of the next page; nullopt on the last. A page may have fewer than `limit` records
  /// and still a next page, because a read looks at a limited number of records.
  std::optional<std::int64_t> next{};
};

/// Port: where audit records rest. Completions on the handle's executor, after the commit. Errors:
/// `unavailable`.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  struct NewRecord {
    WallTime at;
    AuditEvent event;
  };
  /// Appends in this order; beyond `records_max` the oldest go, some with each call.
  virtual void append(std::vector<NewRecord> records, std::int64_t records_max,
                      Completion<Result<void>> done) = 0;
  virtual void list(AuditQuery query, Completion<Result<AuditPage>> done) = 0;
  /// Removes records from before `before`, at most a thousand; answers whether there may be more.
  virtual void sweep(WallTime before, Completion<Result<bool>> done) = 0;
};

/// Takes note of security-relevant acts. Any thread; never blocks, never fails.
class Audit {
 public:
  virtual ~Audit() = default;
  virtual void record(AuditEvent event) = 0;
};

}  // namespace holdfast
