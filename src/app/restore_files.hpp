#pragma once

namespace holdfast::app {

/// The copy that a restore works on, in the data directory; renamed into the database's place when
/// it is ready.
inline constexpr const char* kRestoring = "holdfast.db.restoring";

}  // namespace holdfast::app
