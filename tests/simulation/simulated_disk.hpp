#pragma once

#include <cstdint>

#include "support/sqlite/shim_vfs.hpp"

namespace holdfast::simulation {

/// Makes the room that this program finds on its disk follow from `vfs`, so that it does not depend
/// on the machine: statvfs(), posix_fallocate() and unlink() are replaced in it. nullptr: a disk
/// that does not tell.
void set_disk(test::ShimVfs* vfs, std::int64_t bytes);
/// Files that were made to be let go of, and were, since `set_disk`.
[[nodiscard]] int ballasts_let_go();

}  // namespace holdfast::simulation
