#pragma once

#include <memory>
#include <string>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/identity/issuers.hpp>

namespace holdfast::app {

struct IssuerDocumentsOptions {
  std::string ca_file;  ///< empty: the system's
  Milliseconds timeout{5'000};
  std::size_t bytes_max = std::size_t{256} << 10;
};

/// Reads over HTTP, and files, on a thread of its own: names are looked up without a deadline, and
/// one issuer shall not wait for another. Only a 200 is an answer.
class IssuerReader : public identity::IssuerDocuments {
 public:
  /// Awaits the read under way; those behind it are dropped. Not from a read's `done`. Whoever made
  /// it must call this before letting go of it.
  virtual void stop() = 0;
};
[[nodiscard]] std::shared_ptr<IssuerReader> make_issuer_reader(IssuerDocumentsOptions options);

/// The longest file of authorities that is taken.
inline constexpr std::size_t kAuthoritiesBytesMax = std::size_t{4} << 20;

/// A file, within the call; `io` when it cannot be read, `invalid_argument` when it is too long.
[[nodiscard]] Result<std::string> read_document_file(const std::string& path,
                                                     std::size_t bytes_max);

}  // namespace holdfast::app
