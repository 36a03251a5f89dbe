// Parses the signature that a request claims to have.

#include "claim.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

#include "canonical.hpp"

namespace holdfast::iam {
namespace {

using Checked = std::expected<void, SignatureError>;

constexpr std::size_t kSignedHeadersMax = 100;
constexpr std::int64_t kExpiresMax = 604'800;

// The parameters of a presigned request, in the order in which errors name missing ones.
enum Parameter : std::uint8_t { algorithm, credential, signature, date, signed_headers, expires };
constexpr std::array<std::string_view, 6> kParameters = {"X-Amz-Algorithm",     "X-Amz-Credential",
                                                         kSignatureParameter,   "X-Amz-Date",
                                                         "X-Amz-SignedHeaders", "X-Amz-Expires"};
constexpr std::string_view kTokenParameter = "X-Amz-Security-Token";

}  // namespace

struct Claim::QueryAuth {
  std::array<std::optional<std::string>, kParameters.size()> values;
  bool any = false;
  bool duplicate = false;
  std::size_t session_tokens = 0;
  std::string session_token;  ///< the first

  static QueryAuth find(std::string_view query);
};

namespace {

std::unexpected<SignatureError> incomplete(std::string message) {
  return refuse(SignatureErrc::incomplete_signature, std::move(message));
}

struct HeaderLookup {
  std::string_view value;
  std::size_t count = 0;
};

HeaderLookup find_header(std::span<const Header> headers, std::string_view name) {
  HeaderLookup out;
  for (const auto& [header_name, value] : headers) {
    if (ascii::iequals(header_name, name) && out.count++ == 0) out.value = value;
  }
  return out;
}

// The header may hold a token of another scheme: only its hash is repeated.
std::string hashed(std::string_view authorization) {
  return base64_encode(view(sha256(authorization)));
}

struct AuthorizationParts {
  std::string_view algorithm;
  std::string_view credential;
  std::string_view signature;
  std::string_view signed_headers;
};

std::expected<AuthorizationParts, SignatureError> split_authorization(
    std::string_view authorization) {
  AuthorizationParts parts;
  std::string_view rest = ascii::trim(authorization);
  const std::size_t space = std::min(rest.find_first_of(" \t"), rest.size());
  parts.algorithm = rest.substr(0, space);
  rest.remove_prefix(space);
  while (!(rest = ascii::trim(rest)).empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view pair = ascii::trim(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) {
      return incomplete(
          "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with "
          "SHA-256 and encoded with Base64): '" +
          hashed(authorization) + "'.");
    }
    const std::string_view name = pair.substr(0, equals);
    std::string_view* const slot = name == "Credential"      ? &parts.credential
                                   : name == "Signature"     ? &parts.signature
                                   : name == "SignedHeaders" ? &parts.signed_headers
                                                             : nullptr;
    if (slot == nullptr) continue;
    if (!slot->empty()) {
      return incomplete(
          "Authorization header has a parameter twice. (Hashed with SHA-256 and "
          "encoded with Base64) Authorization=" +
          hashed(authorization));
    }
    *slot = pair.substr(equals + 1);
  }
  return parts;
}

}  // namespace

Claim::QueryAuth Claim::QueryAuth::find(std::string_view query) {
  QueryAuth out;
  // All of the names begin so, and a plain request's query need not be taken apart; `%` may hide
  // one.
  if (!query.contains("X-Amz-") && !query.contains('%')) return out;
  for (std::size_t begin = 0; begin <= query.size();) {
    const std::size_t end = std::min(query.find('&', begin), query.size());
    const std::string_view piece = query.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = std::min(piece.find('='), piece.size());
    const std::optional<std::string> name = percent_decode(piece.substr(0, equals));
    if (!name) continue;
    const std::string_view raw = equals < piece.size() ? piece.substr(equals + 1) : "";
    if (*name == kTokenParameter && out.session_tokens++ == 0) {
      out.session_token = percent_decode(raw).value_or("");
    }
    const auto known = std::ranges::find(kParameters, *name);
    if (known == kParameters.end()) continue;
    auto& slot = out.values.at(static_cast<std::size_t>(known - kParameters.begin()));
    out.any = true;
    out.duplicate = out.duplicate || slot.has_value();
    // A broken escape leaves it empty, which counts as missing.
    slot = percent_decode(raw).value_or("");
  }
  return out;
}

Checked Claim::read(const SignedRequest& request, std::string_view query) {
  const HeaderLookup authorization = find_header(request.headers, "authorization");
  const QueryAuth in_query = QueryAuth::find(query);
  has_session_token = false;
  presigned = in_query.any;
  key_id.clear();
  if (authorization.count == 0 && !in_query.any) {
    return refuse(SignatureErrc::missing_authentication_token, "Missing Authentication Token");
  }
  if (authorization.count > 0 && in_query.any) {
    return incomplete(
        "A request carries its signature in the Authorization header or in the query, not in "
        "both.");
  }
  if (authorization.count > 1) return incomplete("Authorization header occurs more than once.");
  if (auto ok = read_session_token(request, in_query); !ok) return ok;
  if (authorization.count == 1) return read_header(request, authorization.value);

  return read_query(in_query);
}

Checked Claim::read_session_token(const SignedRequest& request, const QueryAuth& in_query) {
  const HeaderLookup in_headers = find_header(request.headers, "x-amz-security-token");
  if (in_headers.count + in_query.session_tokens > 1) {
    return incomplete("X-Amz-Security-Token occurs more than once.");
  }
  if ((presigned ? in_headers.count : in_query.session_tokens) > 0) {
    return incomplete("X-Amz-Security-Token must come where the signature comes.");
  }
  has_session_token = in_headers.count + in_query.session_tokens > 0;
  session_token =
      presigned ? std::string_view(in_query.session_token) : ascii::trim(in_headers.value);
  return {};
}

Checked Claim::read_query(const QueryAuth& in_query) {
  if (in_query.duplicate) {
    return incomplete("An AWS query-string parameter occurs more than once.");
  }
  std::string missing;
  for (std::size_t i = 0; i < kParameters.size(); ++i) {
    if (in_query.values.at(i).value_or("").empty()) {
      missing += "AWS query-string parameters must include '";
      missing += kParameters.at(i);
      missing += "'. ";
    }
  }
  if (!missing.empty()) return incomplete(missing + "Re-examine the query-string parameters.");
  const auto value = [&](Parameter which) -> const std::string& {
    return *in_query.values.at(which);
  };
  if (value(Parameter::algorithm) != kAlgorithm) {
    return incomplete("X-Amz-Algorithm must be 'AWS4-HMAC-SHA256'; no other is supported.");
  }
  signature = value(Parameter::signature);
  if (auto ok = read_date(value(Parameter::date), DateForm::iso8601); !ok) return ok;
  if (auto ok = read_credential(value(Parameter::credential)); !ok) return ok;
  if (auto ok = read_expires(value(Parameter::expires)); !ok) return ok;
  return read_signed_headers(value(Parameter::signed_headers));
}

Checked Claim::read_header(const SignedRequest& request, std::string_view authorization) {
  const auto parts = split_authorization(authorization);
  if (!parts) return std::unexpected(parts.error());
  const HeaderLookup amz_date = find_header(request.headers, "x-amz-date");
  const HeaderLookup http_date = find_header(request.headers, "date");

  std::string missing;
  const auto require = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) return;
    missing += "Authorization header requires '";
    missing += name;
    missing += "' parameter. ";
  };
  require("Credential", parts->credential);
  require("Signature", parts->signature);
  require("SignedHeaders", parts->signed_headers);
  if (amz_date.count == 0 && http_date.count == 0) {
    missing +=
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
  }
  if (!missing.empty()) {
    return incomplete(missing + "(Hashed with SHA-256 and encoded with Base64) Authorization=" +
                      hashed(authorization));
  }
  if (parts->algorithm != kAlgorithm) {
    return incomplete(
        "Authorization header requires the algorithm 'AWS4-HMAC-SHA256'; no other is supported. "
        "(Hashed with SHA-256 and encoded with Base64) Authorization=" +
        hashed(authorization));
  }
  const bool amz = amz_date.count > 0;
  if ((amz ? amz_date : http_date).count > 1) return incomplete("The date occurs more than once.");
  signature = parts->signature;
  const std::string_view written = ascii::trim(amz ? amz_date.value : http_date.value);
  if (auto ok = read_date(written, amz ? DateForm::iso8601 : DateForm::any); !ok) return ok;
  if (auto ok = read_credential(parts->credential); !ok) return ok;
  return read_signed_headers(parts->signed_headers);
}

Checked Claim::read_date(std::string_view text, DateForm form) {
  std::optional<WallTime> parsed = parse_iso8601_basic(text);
  date = text;
  if (!parsed && form == DateForm::any) {
    parsed = parse_http_date(text);
    if (parsed) date = format_iso8601_basic(*parsed);
  }
  if (!parsed) {
    return incomplete("Date must be in ISO-8601 'basic format', such as 20150830T123600Z.");
  }
  time = *parsed;
  return {};
}

Checked Claim::read_credential(std::string_view text) {
  if (std::ranges::count(text, '/') != 4) {
    return incomplete(
        "Credential must have exactly 5 slash-delimited elements: "
        "keyid/date/region/service/term.");
  }
  for (std::string* part : {&key_id, &day, &region, &service, &terminator}) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    *part = text.substr(0, slash);
    text.remove_prefix(std::min(slash + 1, text.size()));
  }
  return {};
}

Checked Claim::read_expires(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc::invalid_argument || rest != text.data() + text.size()) {
    return incomplete("X-Amz-Expires should be a number of seconds.");
  }
  if (error != std::errc() || seconds < 1 || seconds > kExpiresMax) {
    return incomplete("X-Amz-Expires must be from 1 second to a week (604800 seconds).");
  }
  expires = Seconds(seconds);
  return {};
}

Checked Claim::read_signed_headers(std::string_view text) {
  signed_headers.clear();
  ascii::append_lower(signed_headers, text);
  header_list.clear();
  const std::string_view all = signed_headers;
  for (std::size_t begin = 0; begin <= all.size();) {
    const std::size_t end = std::min(all.find(';', begin), all.size());
    const std::string_view name = all.substr(begin, end - begin);
    begin = end + 1;
    const bool good = ascii::is_token(name);
    if (!good || header_list.size() >= kSignedHeadersMax) {
      return incomplete("SignedHeaders must be up to 100 header names with semicolons between.");
    }
    if (std::ranges::find(header_list, name) != header_list.end()) {
      return refuse(SignatureErrc::invalid_signature, "SignedHeaders names a header twice.");
    }
    header_list.push_back(name);
  }
  return {};
}

void Claim::append_scope(std::string& out) const {
  for (const std::string* part : {&day, &region, &service}) {
    out += *part;
    out += '/';
  }
  out += terminator;
}

}  // namespace holdfast::iam
