#include "api/signed_call.hpp"

#include <vector>

#include "api/aws_errors.hpp"

namespace holdfast::api {

std::expected<iam::AccessKeyPtr, iam::SignatureError> verify_signature(const Context& context,
                                                                       const net::Request& request,
                                                                       std::string_view service) {
  const net::RequestHead& head = request.head;
  std::vector<iam::Header> headers;
  headers.reserve(head.headers.size());
  for (const auto& [name, value] : head.headers) headers.emplace_back(name, value);
  const iam::SignedRequest signed_request{
      .method = head.method, .target = head.target, .headers = headers, .body = request.body};
  auto key = context.shard(head.shard).verifier->verify(signed_request, service);
  Counts& counts = context.counts(head.shard);
  if (key) {
    counts.signatures.add();
  } else {
    counts.failed_signatures.add(key.error().code);
  }
  return key;
}

iam::Decision decide(const Context& context, const iam::AccessKey& key,
                     const net::RequestHead& head, std::string_view action,
                     std::string_view resource) {
  const iam::Decision decision = iam::decide(key, {.action = action,
                                                   .resource = resource,
                                                   .source_ip = head.remote_address,
                                                   .secure_transport = head.secure,
                                                   .now = context.parts.clock.wall_now(),
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

std::expected<iam::AccessKeyPtr, net::Response> authorize_invoke(const Context& context,
                                                                 const net::Request& request,
                                                                 std::string_view action,
                                                                 std::string_view resource) {
  auto key = verify_signature(context, request, "execute-api");
  if (!key) return std::unexpected(signature_error(key.error()));
  const iam::Decision decision = decide(context, **key, request.head, action, resource);
  if (decision != iam::Decision::allow) {
    net::Response denied =
        access_denied((*key)->arn, action, resource, decision == iam::Decision::explicit_deny);
    denied.refused = "AccessDeniedException";
    denied.access_key_id = (*key)->id;
    return std::unexpected(std::move(denied));
  }
  if (!keeps_to_rate(context, **key, request.head.shard)) {
    net::Response refused = make_error(429, "TooManyRequestsException", "Too Many Requests");
    refused.refused = "TooManyRequestsException";
    refused.access_key_id = (*key)->id;
    return std::unexpected(std::move(refused));
  }
  return std::move(*key);
}

}  // namespace holdfast::api
