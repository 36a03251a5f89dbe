#pragma once

namespace holdfast::app {

/// The name of a restore's copy in the data directory. When ready, it is renamed to the database's
/// name.
inline constexpr const char* kRestoring = "holdfast.db.restoring";

}  // namespace holdfast::app
