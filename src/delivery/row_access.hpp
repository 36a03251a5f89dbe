#pragma once

#include <cstddef>
#include <cstdint>

#include <holdfast/base/assert.hpp>

namespace holdfast::delivery {

/// Decides who may touch a user's rows in the store: one page read at a time, or one purge. A purge
/// that may run late must not move what a page brought, and a page must not bring what a purge
/// moves. Pure.
class RowAccess {
 public:
  // ---- page reads
  [[nodiscard]] bool can_read() const noexcept { return !reading_ && !purging_ && !read_waits_; }
  /// `index`: of the connection that it is for. The one behind it comes first the next time.
  void begin_read(std::size_t index) {
    HOLDFAST_ASSERT(can_read(), "rows.page_reads_are_alone");
    reading_ = true;
    turn_ = static_cast<std::uint32_t>(index) + 1;
  }
  void end_read() {
    HOLDFAST_ASSERT(reading_, "rows.page_comes_once");
    reading_ = false;
  }
  /// A page read failed: none before `retry`.
  void wait_to_read() noexcept { read_waits_ = true; }
  void retry() noexcept { read_waits_ = false; }
  /// The connection that is first to read, of so many.
  [[nodiscard]] std::size_t first_of(std::size_t connections) const noexcept {
    return connections == 0 ? 0 : turn_ % connections;
  }

  // ---- purges
  [[nodiscard]] bool can_purge() const noexcept { return !reading_ && !purging_; }
  void begin_purge() {
    HOLDFAST_ASSERT(can_purge(), "rows.purges_are_alone");
    purging_ = true;
  }
  void end_purge() {
    HOLDFAST_ASSERT(purging_, "rows.purge_ends_once");
    purging_ = false;
  }

 private:
  std::uint32_t turn_ = 0;
  bool reading_ = false;
  bool purging_ = false;
  bool read_waits_ = false;
};

}  // namespace holdfast::delivery
