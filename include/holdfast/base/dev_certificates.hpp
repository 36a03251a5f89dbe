#pragma once

#include <string>
#include <vector>

#include <holdfast/base/error.hpp>

namespace holdfast {

/// The files that `make_dev_certificates` wrote.
struct DevCertificates {
  std::string ca_file;
  std::string ca_key_file;
  std::string certificate_file;
  std::string key_file;
};
/// Makes a private certificate authority (`ca.pem`, `ca.key`) and its certificate for localhost,
/// 127.0.0.1, ::1 and `names` (`server.pem`, `server.key`). Creates the directory if needed. The
/// authority can sign only for these names (RFC 5280 section 4.2.1.10). An existing authority is
/// used again, so that clients still trust it. Keys have mode 0600. Errors: `io`,
/// `invalid_argument` (an invalid name; an authority that cannot be read or covers fewer names).
[[nodiscard]] Result<DevCertificates> make_dev_certificates(const std::string& directory,
                                                            const std::vector<std::string>& names);

}  // namespace holdfast
