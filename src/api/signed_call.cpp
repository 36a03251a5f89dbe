// Verifies a signature, and checks policy and rate of its key.

#include "signed_call.hpp"

#include "aws_errors.hpp"
#include "log_keys.hpp"
#include "paths.hpp"

namespace holdfast::api {
namespace {

iam::PolicyRequest policy_request(const iam::Signer& signer, const net::RequestHead& head,
                                  std::string_view action, std::string_view resource) {
  return {.action = action,
          .resource = resource,
          .source_ip = head.remote_address,
          .secure_transport = head.secure,
          .now = signer.verified_at,
          .username = signer.key->name};
}

// Decides by the key's policies, and counts what they deny.
iam::Decision decide(const Context& context, const iam::AccessKey& key,
                     const net::RequestHead& head, const iam::PolicyRequest& request) {
  const iam::Decision decision = iam::decide(key, request);
  if (decision != iam::Decision::allow) {
    context.metrics(head.shard).refused_calls.add(CallRefusal::policy);
  }
  return decision;
}

}  // namespace

std::expected<iam::Signer, iam::SignatureError> verify_signature(const Context& context,
                                                                 const net::Request& request,
                                                                 std::string_view service) {
  const net::RequestHead& head = request.head;
  const iam::SignedRequest signed_request{
      .method = head.method, .target = head.target, .headers = head.headers, .body = request.body};
  auto signer = context.shard(head.shard).verifier->verify(signed_request, service);
  RouteMetrics& metrics = context.metrics(head.shard);
  if (signer) {
    metrics.signatures.add();
  } else {
    metrics.failed_signatures.add(signer.error().code);
  }
  return signer;
}

iam::Decision decide(const Context& context, const iam::Signer& signer,
                     const net::RequestHead& head, std::string_view action,
                     std::string_view resource) {
  return decide(context, *signer.key, head, policy_request(signer, head, action, resource));
}

std::optional<net::Response> refuse_user(const Context& context, const iam::Signer& signer,
                                         const net::RequestHead& head, std::string_view action,
                                         std::string_view resource, const UserId& user,
                                         std::string_view place) {
  const iam::AccessKey& key = *signer.key;
  if (!iam::names_user(key)) return std::nullopt;
  iam::PolicyRequest request = policy_request(signer, head, action, resource);
  request.user_id = user.str();
  const iam::Decision decision = decide(context, key, head, request);
  if (decision == iam::Decision::allow) return std::nullopt;
  std::string at(resource);
  at += " for ";
  at += place;
  net::Response denied = access_denied(key.arn, action, at, denial_of(decision));
  denied.log_fields.set(kLogUserId, user.str());
  return signed_by(std::move(denied), key);
}

bool keeps_to_rate(const Context& context, const iam::AccessKey& key, std::size_t shard) {
  const std::uint32_t rate = key.rate.value_or(context.options.limits.key_requests_per_second);
  if (rate == 0) return true;
  const SteadyTime now = context.parts.clock.steady_now();
  if (key.quota->try_take(rate, Microseconds(now.time_since_epoch()).count())) return true;
  context.metrics(shard).refused_calls.add(CallRefusal::rate);
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
  iam::PolicyRequest asked = policy_request(*signer, request.head, action, resource);
  asked.user_unread = true;
  const iam::Decision decision = decide(context, key, request.head, asked);
  if (decision != iam::Decision::allow) {
    return std::unexpected(
        signed_by(access_denied(key.arn, action, resource, denial_of(decision)), key));
  }
  if (!keeps_to_rate(context, key, request.head.shard)) {
    net::Response refused = too_many_requests();
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
      net::Response out = too_many_requests();
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
