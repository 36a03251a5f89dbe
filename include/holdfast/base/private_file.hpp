#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include <holdfast/base/error.hpp>

namespace holdfast {

/// Options for writing a file.
struct PrivateFileOptions {
  bool replace = true;  ///< else `already_exists` when there is one
  mode_t mode = 0600;
};

/// Writes a file that holds a secret: aside as `PATH.new`, synced, then renamed into its place. All
/// secrets are written by this function. The file is always a new one of this process's user, so
/// that a file which another user made beforehand and holds open never gets the text; what had the
/// name `PATH.new` is removed. A file of that text, user and mode is left alone. Errors: `io`,
/// `already_exists`. Blocks for the disk.
[[nodiscard]] Result<void> write_private_file(const std::string& path, std::string_view text,
                                              const PrivateFileOptions& options = {});

/// Returns whether users other than this process's and root may add, rename or remove files of the
/// folder. They cannot read a secret that is written there, but they can delete or replace it.
[[nodiscard]] bool others_may_write(const std::string& folder);

}  // namespace holdfast
