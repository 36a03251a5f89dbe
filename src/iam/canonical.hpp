#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <holdfast/base/crypto.hpp>
#include <holdfast/iam/sigv4.hpp>

/// The pieces of Signature Version 4's canonical request.
namespace holdfast::iam {

inline constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kTerminator = "aws4_request";
inline constexpr std::string_view kSignatureParameter = "X-Amz-Signature";

struct TargetParts {
  std::string_view path;
  std::string_view query;
};
/// Raw path and raw query; the authority of an absolute URI is left out.
[[nodiscard]] TargetParts split_target(std::string_view target);

/// Appends the path without dot segments and empty segments, with every byte but the unreserved
/// ones and '/' percent-encoded. Encoded bytes are encoded again, as all services but S3 require.
void append_canonical_path(std::string& out, std::string_view path);
/// The meaning of a raw `+` in a query: itself (RFC 3986), or a space (HTML forms).
enum class Plus : std::uint8_t { plus, space };
/// Parameters decoded, encoded and sorted; a signature among them is left out. False when an escape
/// is broken: such a query has no canonical form.
[[nodiscard]] bool append_canonical_query(std::string& out, std::string_view query,
                                          Plus plus = Plus::plus);
/// Appends `name:value\n` of a signed header, equal names joined by a comma. Returns false if the
/// header is missing.
[[nodiscard]] bool append_canonical_header(std::string& out, std::span<const Header> headers,
                                           std::string_view lower_case_name);

/// The string to sign.
void append_string_to_sign(std::string& out, std::string_view date, std::string_view scope,
                           const Digest& canonical_request_hash);
/// The key for one day, region and service.
[[nodiscard]] Digest derive_signing_key(std::string_view secret, std::string_view day,
                                        std::string_view region, std::string_view service);

}  // namespace holdfast::iam
