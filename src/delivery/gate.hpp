#pragma once

#include <cstdint>
#include <utility>

#include <holdfast/base/assert.hpp>

namespace holdfast::delivery {

/// Counts the calls under way whose completions come back to an object: while any is, the object
/// must stay.
class Gate {
 public:
  [[nodiscard]] bool is_empty() const noexcept { return inside_ == 0; }

 private:
  template <class Owner>
  friend class Pass;

  std::uint32_t inside_ = 0;
};

/// Stands in a completion for the object that it comes back to. One that is never used is that of
/// a completion that nobody runs, because the process ends: it touches nothing, for the object may
/// be gone.
template <class Owner>
class Pass {
 public:
  explicit Pass(Owner& owner) noexcept : owner_(&owner) { ++owner.gate().inside_; }
  Pass(Pass&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
  Pass& operator=(Pass&& other) = delete;
  ~Pass() = default;

  /// Leaves the gate and answers the object: once, and before anything else is done with it.
  [[nodiscard]] Owner& leave() noexcept {
    HOLDFAST_ASSERT(owner_ != nullptr, "gate.pass_is_used_once");
    Owner& owner = *std::exchange(owner_, nullptr);
    HOLDFAST_ASSERT(owner.gate().inside_ > 0, "gate.counts_who_is_inside");
    --owner.gate().inside_;
    return owner;
  }

 private:
  Owner* owner_;
};

}  // namespace holdfast::delivery
