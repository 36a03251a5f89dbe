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
/// A private certificate authority (`ca.pem`, `ca.key`) and a certificate of its making for
/// localhost, 127.0.0.1, ::1 and `names` (`server.pem`, `server.key`), in a directory that is made
/// when it does not exist. The authority is for these names alone (RFC 5280 section 4.2.1.10). One
/// that is there is used again, so that those who trust it need not be told; keys have mode 0600.
/// Errors: `io`, `invalid_argument` (a name that is none, an authority that cannot be read or is
/// for fewer names).
[[nodiscard]] Result<DevCertificates> make_dev_certificates(const std::string& directory,
                                                            const std::vector<std::string>& names);

}  // namespace holdfast
