#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <holdfast/base/error.hpp>

namespace holdfast::app {

/// The folder that belongs to one running gateway: locked while this lives.
class DataDirectory {
 public:
  /// Makes the folder (0700) when it does not exist, and takes its lock. Errors: `io`; `conflict`
  /// when another process has it.
  [[nodiscard]] static Result<std::unique_ptr<DataDirectory>> open(const std::string& path);
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  [[nodiscard]] std::string file(std::string_view name) const;

 private:
  DataDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;
};

/// Writes a file of mode 0600 so that a reader sees the old or the new text, never half of one,
/// also after a power cut. Leaves one alone that holds this text already. Error `io` with the path.
[[nodiscard]] Result<void> write_private_file(const std::string& path, std::string_view text);

}  // namespace holdfast::app
