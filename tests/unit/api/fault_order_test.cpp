// Requests with every fault at once, repaired one by one: each answer is the next fault's, so that
// what a caller is told first never depends on what else is wrong.
#include <bitset>
#include <string>
#include <vector>

#include <holdfast/base/crypto.hpp>

#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

// In the order in which they are to be told. `unsigned_at_all` leaves no trace of a signature.
enum Fault : std::uint8_t {
  route,
  unsigned_at_all,
  signed_twice,     // presigned: in the header as well
  parameter_twice,  // presigned
  parts_missing,
  algorithm,
  date_form,
  credential_parts,
  expires,  // presigned
  host_unsigned,
  amz_header_unsigned,
  too_old,
  scope,
  unknown_key,
  disabled_key,
  signature,
  payload_hash,
  policy,
  body,
  content_type,
  message_length,
  pending_bound,
  kFaults,
};
using Faults = std::bitset<kFaults>;

struct Row {
  Fault fault;
  int status;
  const char* type;
  std::vector<std::string> words;
};

constexpr const char* kIncomplete = "IncompleteSignatureException";
constexpr const char* kInvalid = "InvalidSignatureException";
constexpr const char* kUnknown = "UnrecognizedClientException";

class FaultOrder : public GatewayFixture {
 protected:
  struct Signing {
    std::string key_id;
    std::string date;
    std::string credential;
    std::string scope;
    std::vector<std::string> names;

    [[nodiscard]] std::string signed_headers() const {
      std::string out;
      for (const std::string& name : names) out += (out.empty() ? "" : ";") + name;
      return out;
    }
  };

  [[nodiscard]] Signing signing_of(const Faults& faults, bool presigned) const {
    Signing out;
    const WallTime at = clock_.wall_now() - (faults[too_old] ? Seconds(310) : Seconds(0));
    out.date = format_iso8601_basic(at);
    const std::string day = out.date.substr(0, 8);
    out.scope = faults[scope] ? "20200101/eu-west-1/s3/aws5_request"
                              : day + "/us-east-1/execute-api/aws4_request";
    out.key_id = faults[unknown_key]    ? "AKIANOBODYNOBODYNOBO"
                 : faults[disabled_key] ? std::string(kDisabledKey)
                 : faults[policy]       ? std::string(kDeniedKey)
                                        : std::string(kRootKey);
    out.credential = out.key_id + "/" + out.scope;
    if (faults[credential_parts]) out.credential += "/more";
    if (faults[date_form]) out.date = format_http_date(at);
    out.names = {"content-type", "x-amz-content-sha256"};
    if (!faults[host_unsigned]) out.names.insert(out.names.begin() + 1, "host");
    if (!presigned) out.names.emplace_back("x-amz-date");
    if (!faults[amz_header_unsigned]) out.names.emplace_back("x-amz-meta");
    return out;
  }

  static std::string signature_of(const net::Request& request, const Signing& signing,
                                  const Faults& faults) {
    const std::vector<iam::Header> headers(request.head.headers.begin(),
                                           request.head.headers.end());
    const std::string canonical =
        iam::canonical_request({.method = request.head.method,
                                .target = request.head.target,
                                .headers = headers,
                                .body = request.body},
                               signing.names, *request.head.header("X-Amz-Content-Sha256"));
    Digest key{};
    std::string secret = "AWS4" + StaticAccessKeys::secret_of(signing.key_id);
    std::string_view rest = signing.scope;
    while (!rest.empty()) {
      const std::string_view part = rest.substr(0, rest.find('/'));
      key = hmac_sha256(secret, part);
      secret = view(key);
      rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    }
    std::string out = hex_encode(
        view(hmac_sha256(secret, "AWS4-HMAC-SHA256\n" + signing.date + "\n" + signing.scope + "\n" +
                                     hex_encode(view(sha256(canonical))))));
    if (faults[signature]) out[0] = out[0] == '0' ? '1' : '0';
    return out;
  }

  net::Request unsigned_request(const Faults& faults) {
    std::string text = faults[message_length] ? std::string(131'073, 'm') : "m";
    std::string body_text = R"({"userId":"u","message":")" + text + "\"}";
    if (faults[body]) body_text.back() = ']';
    net::Request out = make_request("POST", faults[route] ? "/unknown" : "/message", body_text);
    const std::string hashed = faults[payload_hash] ? std::string("another body") : body_text;
    out.head.headers.emplace_back("Content-Type",
                                  faults[content_type] ? "text/plain" : "application/json");
    out.head.headers.emplace_back("X-Amz-Content-Sha256", hex_encode(view(sha256(hashed))));
    out.head.headers.emplace_back("X-Amz-Meta", "x");
    return out;
  }

  net::Request in_header(const Faults& faults) {
    net::Request out = unsigned_request(faults);
    if (faults[unsigned_at_all]) return out;
    const std::string scheme = faults[algorithm] ? "AWS4-HMAC-SHA1" : "AWS4-HMAC-SHA256";
    if (faults[parts_missing]) {
      out.head.headers.emplace_back("Authorization", scheme + " Other=1");
      return out;
    }
    const Signing signing = signing_of(faults, false);
    out.head.headers.emplace_back("X-Amz-Date", signing.date);
    const std::string value = signature_of(out, signing, faults);
    out.head.headers.emplace_back(
        "Authorization", scheme + " Credential=" + signing.credential + ", SignedHeaders=" +
                             signing.signed_headers() + ", Signature=" + value);
    return out;
  }

  net::Request in_query(const Faults& faults) {
    net::Request out = unsigned_request(faults);
    if (faults[unsigned_at_all]) return out;
    const Signing signing = signing_of(faults, true);
    std::string& target = out.head.target;
    target +=
        faults[algorithm] ? "?X-Amz-Algorithm=AWS4-HMAC-SHA1" : "?X-Amz-Algorithm=AWS4-HMAC-SHA256";
    if (!faults[parts_missing]) {
      target += "&X-Amz-Credential=" + percent_encode(signing.credential) +
                "&X-Amz-Date=" + percent_encode(signing.date) +
                "&X-Amz-Expires=" + (faults[expires] ? "0" : "60") +
                "&X-Amz-SignedHeaders=" + percent_encode(signing.signed_headers());
      target += "&X-Amz-Signature=" + signature_of(out, signing, faults);
    }
    if (faults[parameter_twice]) target += "&X-Amz-Algorithm=AWS4-HMAC-SHA256";
    if (faults[signed_twice]) out.head.headers.emplace_back("Authorization", "Bearer x");
    return out;
  }

  template <class Compose>
  void expect_in_order(const std::vector<Row>& rows, Compose compose) {
    Faults faults;
    for (FakeMailboxes& mailboxes : mailboxes_) {
      mailboxes.decide = [&faults](const delivery::SendRequest&) -> delivery::SendOutcome {
        if (faults[pending_bound]) return fail(Errc::limit_exceeded, "too many pending messages");
        return fail(Errc::unavailable, "the queue is full");
      };
    }
    for (const Row& row : rows) faults.set(row.fault);
    for (const Row& row : rows) {
      SCOPED_TRACE(static_cast<int>(row.fault));
      const net::Response response = call(compose(faults));
      for (const std::string& words : row.words) {
        expect_error(response, row.status, row.type, words);
      }
      faults.reset(row.fault);
    }
    ASSERT_TRUE(faults.none());
    expect_error(call(compose(faults)), 503, "ServiceUnavailableException", "");
    for (FakeMailboxes& mailboxes : mailboxes_) mailboxes.decide = nullptr;
    EXPECT_EQ(call(compose(faults)).status, 200);
  }

  // Adds the faults that both forms share, before and after those of the form.
  static std::vector<Row> with_shared_rows(const std::vector<Row>& of_the_form) {
    std::vector<Row> rows = {
        {route, 403, "MissingAuthenticationTokenException", {"Missing Authentication Token"}},
        {unsigned_at_all,
         403,
         "MissingAuthenticationTokenException",
         {"Missing Authentication Token"}},
    };
    rows.insert(rows.end(), of_the_form.begin(), of_the_form.end());
    const std::vector<Row> later = {
        {host_unsigned, 403, kInvalid, {"'Host' must be a 'SignedHeader'"}},
        {amz_header_unsigned, 403, kInvalid, {"'X-Amz-Meta' must be a 'SignedHeader'"}},
        {too_old, 403, kInvalid, {"Signature expired: "}},
        {scope,
         403,
         kInvalid,
         {"valid region, which is 'us-east-1'", "correct service: 'execute-api'",
          "valid terminator: 'aws4_request'", "Date in Credential scope"}},
        {unknown_key, 403, kUnknown, {"The security token included in the request is invalid."}},
        {disabled_key, 403, kUnknown, {"The security token included in the request is invalid."}},
        {signature, 403, kInvalid, {"does not match the signature you provided"}},
        {payload_hash, 403, kInvalid, {"x-amz-content-sha256"}},
        {policy,
         403,
         "AccessDeniedException",
         {"is not authorized to perform: execute-api:Invoke"}},
        {body, 400, "BadRequestException", {"Invalid request body"}},
        {content_type, 415, "BadRequestException", {"Unsupported Media Type"}},
        {message_length, 413, "RequestTooLargeException", {"Request Too Long"}},
        {pending_bound, 429, "LimitExceededException", {"Limit Exceeded"}},
    };
    rows.insert(rows.end(), later.begin(), later.end());
    return rows;
  }
};

TEST_F(FaultOrder, FollowsTheDocumentationForHeaderSignatures) {
  const std::vector<Row> rows = with_shared_rows({
      {parts_missing,
       403,
       kIncomplete,
       {"'Credential'", "'Signature'", "'SignedHeaders'", "'X-Amz-Date'"}},
      {algorithm, 403, kIncomplete, {"the algorithm 'AWS4-HMAC-SHA256'"}},
      {date_form, 403, kIncomplete, {"Date must be in ISO-8601"}},
      {credential_parts, 403, kIncomplete, {"exactly 5 slash-delimited elements"}},
  });
  expect_in_order(rows, [this](const Faults& faults) { return in_header(faults); });
}

TEST_F(FaultOrder, FollowsTheDocumentationForQuerySignatures) {
  const std::vector<Row> rows = with_shared_rows({
      {signed_twice, 403, kIncomplete, {"not in both"}},
      {parameter_twice, 403, kIncomplete, {"occurs more than once"}},
      {parts_missing,
       403,
       kIncomplete,
       {"'X-Amz-Credential'", "'X-Amz-Signature'", "'X-Amz-Date'", "'X-Amz-SignedHeaders'",
        "'X-Amz-Expires'"}},
      {algorithm, 403, kIncomplete, {"X-Amz-Algorithm must be"}},
      {date_form, 403, kIncomplete, {"Date must be in ISO-8601"}},
      {credential_parts, 403, kIncomplete, {"exactly 5 slash-delimited elements"}},
      {expires, 403, kIncomplete, {"X-Amz-Expires must be"}},
  });
  expect_in_order(rows, [this](const Faults& faults) { return in_query(faults); });
}

}  // namespace
}  // namespace holdfast::test
