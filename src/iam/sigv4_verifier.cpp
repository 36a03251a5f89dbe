// Verifies requests signed with Signature Version 4.

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/iam/sigv4.hpp>

#include "canonical.hpp"
#include "claim.hpp"
#include "signing_key_cache.hpp"
#include "temporary_credentials.hpp"

namespace holdfast::iam {
namespace {

using Checked = std::expected<void, SignatureError>;

constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details.";

constexpr std::string_view kHashHeader = "x-amz-content-sha256";

std::unexpected<SignatureError> invalid(std::string message) {
  return refuse(SignatureErrc::invalid_signature, std::move(message));
}

bool starts_ignoring_case(std::string_view text, std::string_view lower_case_prefix) {
  return ascii::iequals(text.substr(0, lower_case_prefix.size()), lower_case_prefix);
}

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

// Returns whether a text may be a key id. A secret in its place has other characters too.
bool looks_like_key_id(std::string_view text) {
  constexpr std::size_t kKeyIdMax = 128;
  return text.size() <= kKeyIdMax &&
         std::ranges::all_of(text, [](char c) { return ascii::is_upper(c) || ascii::is_digit(c); });
}

// The key that unknown callers are measured with, so that they cost the same time.
AccessKeyPtr make_decoy_key() {
  auto key = std::make_shared<AccessKey>();
  key->secret = base64_encode(random_string(30));
  return key;
}

}  // namespace

class SigV4Verifier::Impl {
 public:
  Impl(SigV4Options options, const Clock& clock, std::shared_ptr<const AccessKeys> keys)
      : options_(std::move(options)), clock_(clock), keys_(std::move(keys)) {}

  std::expected<Signer, SignatureError> verify(const SignedRequest& request,
                                               std::string_view service) {
    now_ = clock_.wall_now();
    const TargetParts target = split_target(request.target);
    auto verified = verify_claim(request, target, service);
    if (!verified) {
      if (looks_like_key_id(claim_.key_id)) verified.error().key_id = claim_.key_id;
      return std::unexpected(std::move(verified.error()));
    }
    // The last calculated signature is the one that equals the claim's.
    return Signer{.key = std::move(*verified),
                  .signature = {.bytes = calculated_, .date = claim_.time},
                  .verified_at = now_};
  }

 private:
  std::expected<AccessKeyPtr, SignatureError> verify_claim(const SignedRequest& request,
                                                           const TargetParts& target,
                                                           std::string_view service) {
    if (auto ok = check_claim(request, target, service); !ok) return std::unexpected(ok.error());

    // A permanent key has no token, temporary credentials are nothing without theirs.
    AccessKeyPtr key = claim_.has_session_token ? temporary_credentials_.find(*keys_, claim_.key_id,
                                                                              claim_.session_token)
                                                : keys_->find(claim_.key_id);
    const bool expired = key && key->expired(now_);
    if (expired && claim_.has_session_token) {
      return refuse(SignatureErrc::expired_token,
                    "The security token included in the request is expired");
    }
    const bool known = key && key->enabled && !expired;
    const Digest& signing_key =
        cache_.get(known ? key : decoy_key_, claim_.day, claim_.region, claim_.service);
    const bool matches = signature_matches(request, target, signing_key);
    if (!known) {
      auto refused = refuse(SignatureErrc::unrecognized_client,
                            "The security token included in the request is invalid.");
      if (expired) refused.error().reason = "the access key has expired";
      return refused;
    }
    if (!matches) return invalid(std::string(kMismatch));
    if (payload_hash_ != std::string_view(body_hash_) || wrong_unsigned_hash_) {
      return invalid(
          "The value of x-amz-content-sha256 is not the SHA-256 hash of the body, in lower-case "
          "hex; unsigned payloads are not accepted.");
    }
    return key;
  }

  Checked check_claim(const SignedRequest& request, const TargetParts& target,
                      std::string_view service) {
    if (auto ok = claim_.read(request, target.query); !ok) return ok;
    if (auto ok = check_signed_headers(request); !ok) return ok;
    if (auto ok = check_lifetime(request.method); !ok) return ok;
    if (auto ok = claim_.presigned ? check_expiry() : check_window(); !ok) return ok;
    return check_scope(service);
  }

  bool is_signed(std::string_view name) const {
    return std::ranges::any_of(
        claim_.header_list, [&](std::string_view listed) { return ascii::iequals(listed, name); });
  }

  Checked check_signed_headers(const SignedRequest& request) const {
    if (!is_signed("host")) {
      return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.");
    }
    for (const auto& [name, value] : request.headers) {
      if (!starts_ignoring_case(name, "x-amz-") || starts_ignoring_case(name, "x-amz-cf-")) {
        continue;
      }
      // The canonical request ends with the hash itself, whether the header is signed or not.
      if (ascii::iequals(name, kHashHeader)) continue;
      if (!is_signed(name)) {
        return invalid("'" + std::string(is_visible_ascii(name) ? name : "x-amz-*") +
                       "' must be a 'SignedHeader' in the AWS Authorization.");
      }
    }
    return {};
  }

  // Limits the lifetime of presigned changes, because URLs are easily shared, and the gateway must
  // remember their effect while they are valid.
  Checked check_lifetime(std::string_view method) const {
    if (!claim_.presigned || method == "GET" || claim_.expires <= options_.times.presigned_max)
      return {};
    return refuse(SignatureErrc::incomplete_signature,
                  "X-Amz-Expires must be at most " +
                      std::to_string(options_.times.presigned_max.count()) + " seconds for " +
                      std::string(is_visible_ascii(method) ? method : "this method") + ".");
  }

  Checked check_window() const {
    if (claim_.time < now_ - options_.times.window) {
      return invalid("Signature expired: " + claim_.date + " is now earlier than " +
                     format_iso8601_basic(now_ - options_.times.window) + " (" +
                     format_iso8601_basic(now_) + " - " + window_text() + ")");
    }
    return check_not_ahead();
  }

  Checked check_not_ahead() const {
    if (claim_.time <= now_ + options_.times.window) return {};
    return invalid("Signature not yet current: " + claim_.date + " is still later than " +
                   format_iso8601_basic(now_ + options_.times.window) + " (" +
                   format_iso8601_basic(now_) + " + " + window_text() + ")");
  }

  Checked check_expiry() const {
    if (now_ > claim_.time + claim_.expires) {
      return invalid("Signature expired: " + claim_.date + " is now earlier than " +
                     format_iso8601_basic(now_ - claim_.expires) + " (" +
                     format_iso8601_basic(now_) + " - " + std::to_string(claim_.expires.count()) +
                     " sec.)");
    }
    return check_not_ahead();
  }

  std::string window_text() const {
    const std::int64_t seconds = options_.times.window.count();
    return seconds % 60 == 0 ? std::to_string(seconds / 60) + " min."
                             : std::to_string(seconds) + " sec.";
  }

  Checked check_scope(std::string_view service) const {
    std::string wrong;
    const auto add = [&](std::string_view sentence) {
      if (!wrong.empty()) wrong += ' ';
      wrong += sentence;
    };
    if (claim_.region != options_.region) {
      add("Credential should be scoped to a valid region, which is '" + options_.region + "'.");
    }
    if (claim_.service != service) {
      add("Credential should be scoped to correct service: '" + std::string(service) + "'.");
    }
    if (claim_.terminator != kTerminator) {
      add("Credential should be scoped with a valid terminator: 'aws4_request'.");
    }
    if (claim_.day != std::string_view(claim_.date).substr(0, 8)) {
      add("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
          "HTTP.");
    }
    if (!wrong.empty()) return invalid(std::move(wrong));
    return {};
  }

  bool signature_matches(const SignedRequest& request, const TargetParts& target,
                         const Digest& signing_key) {
    if (!prepare_tail(request, HostPort::keep)) return false;
    if (tail_has_signature(request, target, signing_key)) return true;
    return names_other_port(request) && prepare_tail(request, HostPort::drop) &&
           tail_has_signature(request, target, signing_key);
  }

  bool tail_has_signature(const SignedRequest& request, const TargetParts& target,
                          const Digest& signing_key) {
    bool differs = false;
    const auto standard = [&](Plus plus) {
      begin_text(request);
      const std::size_t path_at = text_.size();
      append_canonical_path(text_, target.path);
      differs = std::string_view(text_).substr(path_at) != target.path;
      text_ += '\n';
      const std::size_t query_at = text_.size();
      const bool canonical = append_canonical_query(text_, target.query, plus);
      differs = differs || std::string_view(text_).substr(query_at) != target.query;
      text_ += '\n';
      text_ += tail_;
      return canonical && text_has_signature(signing_key);
    };
    if (standard(Plus::plus)) return true;
    if (target.query.contains('+') && standard(Plus::space)) return true;
    if (!differs || !raw_target_may_match(target)) return false;
    begin_text(request);
    text_ += target.path;
    text_ += '\n';
    text_ += target.query;
    text_ += '\n';
    text_ += tail_;
    return text_has_signature(signing_key);
  }

  void begin_text(const SignedRequest& request) {
    text_.clear();
    text_ += request.method;
    text_ += '\n';
  }

  // curl before 8.9 signs the path, and before 8.3 the query, as they are sent. Taking the raw
  // bytes as a second reading covers no less, but it must give no signature a second meaning: the
  // standard reading of a path with `%` in it always has `%25`, so such raw paths are left out.
  bool raw_target_may_match(const TargetParts& target) const {
    return !claim_.presigned && !target.path.contains("%25") && is_visible_ascii(target.path) &&
           is_visible_ascii(target.query);
  }

  // Some signers leave the port out of `Host`, which is right where it is the scheme's own.
  static bool names_other_port(const SignedRequest& request) {
    std::size_t hosts = 0;
    bool other = false;
    for (const auto& [name, value] : request.headers) {
      if (!ascii::iequals(name, "host")) continue;
      ++hosts;
      const std::string_view port = port_of(value);
      other = !port.empty() && port != ":80" && port != ":443";
    }
    return hosts == 1 && other;
  }
  // Returns the port with its colon; may be empty.
  static std::string_view port_of(std::string_view host) {
    const std::size_t colon = host.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == host.size()) return {};
    const std::string_view digits = host.substr(colon + 1);
    const bool port = std::ranges::all_of(digits, ascii::is_digit);
    // The last colon of a bare IPv6 address begins no port.
    const std::string_view rest = host.substr(0, colon);
    if (!port || (rest.contains(':') && !rest.ends_with(']'))) return {};
    return host.substr(colon);
  }

  // All of the canonical request behind the query: the same in all readings of the target.
  enum class HostPort : std::uint8_t { keep, drop };
  bool prepare_tail(const SignedRequest& request, HostPort port) {
    body_hash_.clear();
    append_hex(body_hash_, view(sha256(request.body)));
    payload_hash_ = body_hash_;
    wrong_unsigned_hash_ = false;
    tail_.clear();
    for (const std::string_view name : claim_.header_list) {
      const std::size_t value_at = tail_.size() + name.size() + 1;
      if (!append_canonical_header(tail_, request.headers, name)) return false;
      if (name == kHashHeader) {
        payload_hash_.assign(tail_, value_at, tail_.size() - value_at - 1);
      }
      if (port == HostPort::drop && name == "host") {
        const std::string_view line = std::string_view(tail_).substr(0, tail_.size() - 1);
        tail_.erase(line.size() - port_of(line.substr(value_at)).size());
        tail_ += '\n';
      }
    }
    if (!is_signed(kHashHeader)) check_unsigned_hash(request);
    tail_ += '\n';
    tail_ += claim_.signed_headers;
    tail_ += '\n';
    tail_ += payload_hash_;
    return true;
  }

  void check_unsigned_hash(const SignedRequest& request) {
    for (const auto& [name, value] : request.headers) {
      if (ascii::iequals(name, kHashHeader) && value != body_hash_) {
        wrong_unsigned_hash_ = true;
      }
    }
  }

  bool text_has_signature(const Digest& signing_key) {
    const Digest hash = sha256(text_);
    scope_.clear();
    claim_.append_scope(scope_);
    to_sign_.clear();
    append_string_to_sign(to_sign_, claim_.date, scope_, hash);
    calculated_ = hmac_sha256(view(signing_key), to_sign_);
    expected_.clear();
    append_hex(expected_, view(calculated_));
    return constant_time_equal(expected_, claim_.signature);
  }

  SigV4Options options_;
  const Clock& clock_;
  std::shared_ptr<const AccessKeys> keys_;
  AccessKeyPtr decoy_key_ = make_decoy_key();
  SigningKeyCache cache_;
  TemporaryCredentialsCache temporary_credentials_;
  // Reused by each request, to keep their memory.
  Claim claim_;
  std::string body_hash_;
  std::string payload_hash_;
  bool wrong_unsigned_hash_ = false;
  std::string tail_;
  std::string text_;
  std::string to_sign_;
  std::string scope_;
  std::string expected_;
  Digest calculated_{};
  WallTime now_;
};

SigV4Verifier::SigV4Verifier(SigV4Options options, const Clock& clock,
                             std::shared_ptr<const AccessKeys> keys)
    : impl_(std::make_unique<Impl>(std::move(options), clock, std::move(keys))) {}

SigV4Verifier::~SigV4Verifier() = default;

std::expected<Signer, SignatureError> SigV4Verifier::verify(const SignedRequest& request,
                                                            std::string_view service) {
  return impl_->verify(request, service);
}

}  // namespace holdfast::iam
