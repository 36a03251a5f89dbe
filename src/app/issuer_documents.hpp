#pragma once

#include <memory>
#include <string>

#include <holdfast/app/config.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/identity/issuers.hpp>

namespace holdfast::app {

struct IssuerDocumentsOptions {
  std::string ca_file;  ///< empty: the system's
  Milliseconds timeout = Config::Identity{}.jwks_timeout;
  std::size_t bytes_max = std::size_t{256} << 10;
};

/// Reads over HTTP and from files, on a thread of its own. Name lookups have no deadline, and one
/// issuer must not wait for another. Only a 200 is an answer.
class IssuerReader : public identity::IssuerDocuments {
 public:
  /// Waits for the read under way, and drops those behind it. Not from a read's `done`. Its maker
  /// calls this before dropping it.
  virtual void stop() = 0;
};
[[nodiscard]] std::shared_ptr<IssuerReader> make_issuer_reader(IssuerDocumentsOptions options);

/// Limits the length of a file of authorities.
inline constexpr std::size_t kAuthoritiesBytesMax = std::size_t{4} << 20;

/// Reads a file within the call. `io` if it cannot be read, `invalid_argument` if it is too long.
[[nodiscard]] Result<std::string> read_document_file(const std::string& path,
                                                     std::size_t bytes_max);

}  // namespace holdfast::app
