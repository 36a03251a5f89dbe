#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/iam/sigv4.hpp>

namespace holdfast::iam {

/// A request's claim about its own signature: well-formed, but not verified. The verifier reuses
/// one object, so that its strings keep their memory.
struct Claim {
  Claim() = default;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  bool presigned = false;
  bool has_session_token = false;
  std::string session_token;
  std::string key_id;
  std::string day;
  std::string region;
  std::string service;
  std::string terminator;
  std::string signature;
  std::string signed_headers;                 ///< lower case, with semicolons
  std::vector<std::string_view> header_list;  ///< views into `signed_headers`
  std::string date;                           ///< ISO 8601 basic
  WallTime time;
  Seconds expires{0};  ///< presigned only

  /// Reads the Authorization header, or the query of a presigned request. The first fault of the
  /// documented order is the answer, all missing parts at once.
  [[nodiscard]] std::expected<void, SignatureError> read(const SignedRequest& request,
                                                         std::string_view query);
  /// `day/region/service/terminator`.
  void append_scope(std::string& out) const;

 private:
  struct QueryAuth;
  std::expected<void, SignatureError> read_session_token(const SignedRequest& request,
                                                         const QueryAuth& in_query);
  std::expected<void, SignatureError> read_query(const QueryAuth& in_query);
  std::expected<void, SignatureError> read_header(const SignedRequest& request,
                                                  std::string_view authorization);
  enum class DateForm : std::uint8_t { iso8601, any };
  std::expected<void, SignatureError> read_date(std::string_view text, DateForm form);
  std::expected<void, SignatureError> read_credential(std::string_view text);
  std::expected<void, SignatureError> read_expires(std::string_view text);
  std::expected<void, SignatureError> read_signed_headers(std::string_view text);
};

[[nodiscard]] inline std::unexpected<SignatureError> refuse(SignatureErrc code,
                                                            std::string message) {
  return std::unexpected(SignatureError{code, std::move(message)});
}

}  // namespace holdfast::iam
