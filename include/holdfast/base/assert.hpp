#pragma once

namespace holdfast {

/// Writes the event `invariant_broken` to the log, after the queued lines, and aborts. Waits at
/// most a few seconds. Any thread but the log's own.
[[noreturn]] void end_with_broken_invariant(const char* fact, const char* file, int line) noexcept;

}  // namespace holdfast

/// Ends the process if `condition`, an invariant of the program, is false; in release builds, too.
/// Ending is safe: answered messages are on the disk, and recovery decides about the rest. `fact`
/// is a unique name, `area.fact`. Only for cheap checks, and never for input, whose faults are
/// errors.
#define HOLDFAST_ASSERT(condition, fact) \
  ((condition) ? static_cast<void>(0)    \
               : ::holdfast::end_with_broken_invariant(fact, __FILE__, __LINE__))
