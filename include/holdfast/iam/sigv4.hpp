#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/iam/access_keys.hpp>
#include <holdfast/iam/credentials.hpp>

namespace holdfast::iam {

using Header = std::pair<std::string, std::string>;

/// A request as it came, before anything decoded it.
struct SignedRequest {
  std::string_view method;
  std::string_view target;          ///< raw path and query
  std::span<const Header> headers;  ///< in order, duplicates kept
  std::string_view body;            ///< de-chunked
};

/// Why a signature was refused, by AWS's names.
enum class SignatureErrc : std::uint8_t {
  missing_authentication_token,
  incomplete_signature,
  invalid_signature,
  unrecognized_client,
  expired_token,
};
struct SignatureError {
  SignatureErrc code;
  std::string message;  ///< AWS's words; never anything that depends on the secret
  /// The access key that the request claims, for the log: upper-case letters and digits; empty
  /// where it claims none, or nothing of that form.
  std::string key_id{};
  /// A text for the log if it says more than the answer; else empty.
  std::string reason{};
};

/// For how long signatures are good.
struct SignatureTimes {
  Seconds window{300};  ///< the most that a request's date may be off, either way
  /// The longest `X-Amz-Expires` of a method that may change something; `GET` has a week.
  Seconds presigned_max{300};
};

struct SigV4Options {
  std::string region = "us-east-1";
  SignatureTimes times{};
};

/// The signature of a request. Two requests with the same signature have the same bytes, except for
/// those that it does not cover and for the second readings below.
struct Signature {
  Digest bytes{};
  WallTime date;  ///< the request's own, to the second
};
/// The signer of a request.
struct Signer {
  AccessKeyPtr key;
  Signature signature;
  WallTime verified_at;
};

/// Verifies AWS Signature Version 4, in headers and presigned
/// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html). Caches derived keys; one
/// per shard, used by its thread alone.
class SigV4Verifier {
 public:
  /// `clock` outlives it.
  SigV4Verifier(SigV4Options options, const Clock& clock, std::shared_ptr<const AccessKeys> keys);
  ~SigV4Verifier();

  /// Verifies the signature and returns the signer. Checks in the documented order; the first one
  /// that fails gives the error. `service`: `execute-api`, `cognito-idp`, `cloudformation`.
  ///
  /// Accepts second readings, for signers in use: the path and query as they were sent (curl before
  /// 8.9), a raw `+` of the query as `%20` (curl from 8.16), and `Host` without a port other than
  /// 80 or 443. `x-amz-content-sha256` need not be signed if it is the body's hash.
  [[nodiscard]] std::expected<Signer, SignatureError> verify(const SignedRequest& request,
                                                             std::string_view service);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Signs a request in its headers: answers those to add (`X-Amz-Date`, `X-Amz-Security-Token` where
/// there is one, `Authorization`). `headers` are all others that are to be signed, `host` among
/// them. Any thread.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> sign(const SignedRequest& request,
                                                                    const Credentials& credentials,
                                                                    std::string_view region,
                                                                    std::string_view service,
                                                                    WallTime now);

/// The canonical request, for tests and for explaining a mismatch to an operator. The names are
/// lower case, in the order of SignedHeaders.
[[nodiscard]] std::string canonical_request(const SignedRequest& request,
                                            const std::vector<std::string>& signed_headers,
                                            std::string_view payload_hash);

}  // namespace holdfast::iam
