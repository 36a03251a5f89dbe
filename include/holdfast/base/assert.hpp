#pragma once

namespace holdfast {

/// Writes the event `invariant_broken` to the log, behind what is queued there, and aborts. Any
/// thread but the log's own; waits for at most a few seconds.
[[noreturn]] void end_with_broken_invariant(const char* fact, const char* file, int line) noexcept;

}  // namespace holdfast

/// Ends the process when `condition`, which the program itself has to keep, does not hold; in
/// release, too. To end is safe: what was answered is on the disk, and recovery decides about the
/// rest. `fact` names it as `area.fact`, and no other. For what costs next to nothing, and never
/// for what comes from outside: that is an error.
#define HOLDFAST_ASSERT(condition, fact) \
  ((condition) ? static_cast<void>(0)    \
               : ::holdfast::end_with_broken_invariant(fact, __FILE__, __LINE__))
