// Loads the master key, or makes one.

#include <cerrno>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/file.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/base/private_file.hpp>
#include <holdfast/identity/key_ring.hpp>

#include "aead.hpp"
#include "secret.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kFileLimitBytes = 4096;

Result<Secret> parse(std::string_view text, const std::string& source) {
  std::optional<Bytes> bytes = base64_decode(ascii::trim(text, " \t\r\n"));
  if (!bytes) {
    return fail(Errc::invalid_argument, "the master key in " + source + " is not base64", source);
  }
  if (bytes->size() != kAeadKeyBytes) {
    const std::string size = std::to_string(bytes->size());
    wipe(*bytes);
    return fail(Errc::invalid_argument,
                "the master key in " + source + " has " + size + " bytes instead of 32", source);
  }
  return Secret::take(*bytes);
}

Result<Secret> read_file(const std::string& path) {
  // Non-blocking, so that a FIFO in the key's place cannot hang the start.
  const UniqueFd file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) {
    if (errno == ENOENT) {
      return fail(Errc::not_found, "there is no master key at " + path, path);
    }
    return file_error("read the master key", path);
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return file_error("read the master key", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::io, "the master key " + path + " is not a regular file", path);
  }
  if ((status.st_mode & 077) != 0) {
    log::warn("master_key_readable_by_others", {{"path", path}, {"advice", "chmod 600"}});
  }
  std::string text(kFileLimitBytes, '\0');
  const auto size = read_up_to(file.get(), text.data(), text.size());
  if (!size) return file_error("read the master key", path);
  Result<Secret> key = parse(std::string_view(text).substr(0, *size), path);
  wipe(text);
  return key;
}

Result<Secret> make_file(const std::string& path) {
  std::string bytes = random_string(kAeadKeyBytes);
  std::string text = base64_encode(bytes) + "\n";
  // After this returns, no power cut can lose the key that the database is about to depend on. A
  // key that came into place meanwhile stays.
  const Result<void> written = write_private_file(path, text, {.replace = false});
  wipe(text);
  Secret key = Secret::take(bytes);
  if (!written) return std::unexpected(written.error());
  return key;
}

}  // namespace

MasterKey::MasterKey(std::string bytes) : bytes_(std::move(bytes)) {}

MasterKey::~MasterKey() { wipe(bytes_); }

Result<MasterKey> MasterKey::load(const std::string& path, const char* environment_value,
                                  Missing missing) {
  Result<Secret> key = environment_value != nullptr
                           ? parse(environment_value, "HOLDFAST_MASTER_KEY")
                           : read_file(path);
  if (!key && key.error().code == Errc::not_found && missing == Missing::create)
    key = make_file(path);
  if (!key) return std::unexpected(std::move(key.error()));
  return MasterKey(key->copy());
}

}  // namespace holdfast::identity
