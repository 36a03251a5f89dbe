// Reports a broken invariant and ends the process.

#include <cstdlib>
#include <string_view>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/log.hpp>

namespace holdfast {
namespace {

// Cuts off where the tree lay when it was compiled.
std::string_view path_in_tree(std::string_view file) {
  for (const std::string_view root : {"/src/", "/include/", "/tests/"}) {
    const std::size_t at = file.rfind(root);
    if (at != std::string_view::npos) return file.substr(at + 1);
  }
  return file;
}

}  // namespace

void end_with_broken_invariant(const char* fact, const char* file, int line) noexcept {
  log::write_last("invariant_broken",
                  {{"fact", fact}, {"file", path_in_tree(file)}, {"line", line}});
  std::abort();
}

}  // namespace holdfast
