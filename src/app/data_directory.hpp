#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <holdfast/base/error.hpp>
#include <holdfast/base/file.hpp>

namespace holdfast::app {

/// The folder of one running gateway, locked while this lives.
class DataDirectory {
 public:
  /// `maintain` is for commands of root in the folder of a gateway's user.
  enum class Use : std::uint8_t { serve, maintain };

  /// Creates the folder (0700) if it does not exist, and locks it. Errors: `io`; `conflict` if
  /// another process has it; `forbidden` if another user could change its files.
  [[nodiscard]] static Result<std::unique_ptr<DataDirectory>> open(const std::string& path,
                                                                   Use use = Use::serve);
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  [[nodiscard]] std::string file(std::string_view name) const;

 private:
  DataDirectory(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;
};

}  // namespace holdfast::app
