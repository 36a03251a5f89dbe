// Names of the audit log's outcomes.

#include <holdfast/base/audit.hpp>

namespace holdfast {

const char* to_string(AuditOutcome outcome) noexcept {
  switch (outcome) {
    case AuditOutcome::done:
      return "done";
    case AuditOutcome::refused:
      return "refused";
    case AuditOutcome::failed:
      return "failed";
  }
  return "unknown";
}

std::optional<AuditOutcome> audit_outcome_from(std::string_view text) noexcept {
  for (const auto outcome : {AuditOutcome::done, AuditOutcome::refused, AuditOutcome::failed}) {
    if (text == to_string(outcome)) return outcome;
  }
  return std::nullopt;
}

}  // namespace holdfast
