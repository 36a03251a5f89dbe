#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "sqlite/sqlite.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::test {

/// Queries a running store, whose lock lets no connection in. Runs `sql` on a copy of its present
/// files.
[[nodiscard]] inline std::int64_t ask_copy(const std::string& path, const std::string& sql) {
  const TempDir folder;
  const std::string copy = folder.file("copy.db");
  for (const char* suffix : {"", "-wal"}) {
    std::error_code ignored;
    std::filesystem::copy_file(path + suffix, copy + suffix, ignored);
  }
  auto database = sqlite::Database::open(copy);
  if (!database) throw std::runtime_error(database.error().message);
  return (*database)->integer(sql.c_str());
}

}  // namespace holdfast::test
