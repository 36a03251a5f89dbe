// Verifies a signature, and checks policy and rate of its key.

#include "signed_call.hpp"

#include "aws_errors.hpp"
#include "log_keys.hpp"
#include "paths.hpp"

namespace holdfast::api {

std::expected<iam::Signer, iam::SignatureError> verify_signature(const Context& context,
                                                                 const net::Request& request,
                                                                 std::string_view service) {
  const net::RequestHead& head = request.head;
  const iam::SignedRequest signed_request{
      .method = head.method, .target = head.target, .headers = head.headers, .body = request.body};
  auto signer = context.shard(head.shard).verifier->verify(signed_request, service);
  Counts& counts = context.counts(head.shard);
  if (signer) {
    counts.signatures.add();
  } else {
    counts.failed_signatures.add(signer.error().code);
  }
  return signer;
}

iam::Decision decide(const Context& context, const iam::Signer& signer,
                     const net::RequestHead& head, std::string_view action,
                     std::string_view resource) {
  const iam::AccessKey& key = *signer.key;
  const iam::Decision decision = iam::decide(key, {.action = action,
                                                   .resource = resource,
                                                   .source_ip = head.remote_address,
                                                   .secure_transport = head.secure,
                                                   .now = signer.verified_at,
                                                   .username = key.name});
  if (decision != iam::Decision::allow) {
    context.counts(head.shard).refused_calls.add(CallRefusal::policy);
  }
  return decision;
}

bool keeps_to_rate(const Context& context, const iam::AccessKey& key, std::size_t shard) {
  const std::uint32_t rate = key.rate.value_or(context.options.key_requests_per_second);
  if (rate == 0) return true;
  const SteadyTime now = context.parts.clock.steady_now();
  if (key.caller->keeps_to(rate, Microseconds(now.time_since_epoch()).count())) return true;
  context.counts(shard).refused_calls.add(CallRefusal::rate);
  return false;
}

std::expected<iam::Signer, net::Response> authorize_invoke(const Context& context,
                                                           const net::Request& request,
                                                           std::string_view action,
                                                           std::string_view resource) {
  if (has_odd_segments(request.head.path())) {
    return std::unexpected(make_error(400, "BadRequestException", kOddPath));
  }
  auto signer = verify_signature(context, request, "execute-api");
  if (!signer) return std::unexpected(signature_error(signer.error()));
  const iam::AccessKey& key = *signer->key;
  const iam::Decision decision = decide(context, *signer, request.head, action, resource);
  if (decision != iam::Decision::allow) {
    return std::unexpected(signed_by(
        access_denied(key.arn, action, resource, decision == iam::Decision::explicit_deny), key));
  }
  if (!keeps_to_rate(context, key, request.head.shard)) {
    net::Response refused = make_error(429, "TooManyRequestsException", "Too Many Requests");
    refused.refused = kRateReason;
    return std::unexpected(signed_by(std::move(refused), key));
  }
  return std::move(*signer);
}

net::Response signed_by(net::Response response, const iam::AccessKey& key) {
  response.log_fields.set(kLogAccessKeyId, key.id);
  return response;
}

net::Response refuse_repetition(const Replays::Refused& refused) {
  switch (refused.reason) {
    case Replays::Reason::too_old: {
      net::Response out =
          make_error(403, "InvalidSignatureException",
                     "Signature expired: it is dated before what is remembered of this access key");
      out.refused = "InvalidSignatureException: dated before the signatures that are remembered";
      return out;
    }
    case Replays::Reason::full: {
      net::Response out = make_error(429, "TooManyRequestsException", "Too Many Requests");
      out.refused = "TooManyRequestsException: too many signatures are to be remembered";
      return out;
    }
    case Replays::Reason::answered:
    case Replays::Reason::in_flight:
      break;
  }
  return make_error(409, "ConflictException", kSpentSignature);
}

}  // namespace holdfast::api
