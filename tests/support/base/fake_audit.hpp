#pragma once

#include <utility>
#include <vector>

#include <holdfast/base/audit.hpp>

namespace holdfast::test {

/// Keeps what is recorded.
class FakeAudit final : public Audit {
 public:
  void record(AuditEvent event) override { events.push_back(std::move(event)); }

  std::vector<AuditEvent> events;
};

}  // namespace holdfast::test
