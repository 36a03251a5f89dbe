// Addresses of Unix sockets with long paths.

#include "unix_address.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>

namespace holdfast::net {

Result<UnixAddress> UnixAddress::of(const std::string& path) {
  UnixAddress out;
  out.address_.sun_family = AF_UNIX;
  constexpr std::size_t kRoom = sizeof(out.address_.sun_path) - 1;
  if (path.empty() || path.contains('\0')) {
    return fail(Errc::invalid_argument, "the socket's path is empty: " + path, path);
  }
  std::string shown = path;
  if (const auto slash = path.rfind('/'); path.size() > kRoom && slash != path.npos) {
    const std::string folder = path.substr(0, slash + 1);
    out.folder_ = UniqueFd(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!out.folder_) {
      return fail(Errc::io, "cannot open " + folder + ": " + std::generic_category().message(errno),
                  path);
    }
    shown = "/proc/self/fd/" + std::to_string(out.folder_.get()) + path.substr(slash);
  }
  if (shown.size() > kRoom) {
    return fail(Errc::invalid_argument, "the name of the socket is too long: " + path, path);
  }
  std::memcpy(out.address_.sun_path, shown.data(), shown.size());
  return out;
}

}  // namespace holdfast::net
