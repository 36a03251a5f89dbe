// Builds what all routes share from the options.

#include "context.hpp"

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

namespace holdfast::api {
namespace {

// Returns a constant UUID for a text: its hash in the form of RFC 9562's version 8.
std::string uuid_of(std::string_view text) {
  std::string hex = hex_encode(view(sha256(text))).substr(0, 32);
  hex[12] = '8';
  hex[16] = '8';
  for (const std::size_t at : {8U, 13U, 18U, 23U}) hex.insert(at, 1, '-');
  return hex;
}

}  // namespace

Context::Context(GatewayOptions gateway_options, GatewayParts gateway_parts)
    : options(std::move(gateway_options)),
      parts(std::move(gateway_parts)),
      allowed_origins(options.allowed_origins, options.own_origin),
      replays(std::make_shared<Replays>(Replays::Options{.capacity = options.signatures_max,
                                                         .lifetime = options.signature_lifetime},
                                        parts.refusals)),
      pool_changes(std::make_shared<std::atomic<std::int64_t>>(0)),
      token_rates(std::make_shared<UserRates>(options.token_requests_per_second,
                                              options.token_requests_burst)),
      message_arn(execute_api_arn("POST/message")),
      messages_arn(execute_api_arn("POST/messages")),
      tokens_arn(execute_api_arn("POST/tokens")),
      stack_arn(stack_arn_of(options.stack.name) + "/" + uuid_of(options.pool_id)) {
  if (!parts.metrics) parts.metrics = make_route_metrics(parts.shards.size());
}

std::string Context::execute_api_arn(std::string_view method_and_path) const {
  std::string out = "arn:" + options.partition + ":execute-api:" + options.region + ":" +
                    options.account + ":" + options.api_id + "/" + options.stage + "/";
  out += method_and_path;
  return out;
}

std::string Context::stack_arn_of(std::string_view name) const {
  std::string out = "arn:" + options.partition + ":cloudformation:" + options.region + ":" +
                    options.account + ":stack/";
  out += name;
  return out;
}

std::string Context::user_pool_arn(std::string_view pool_id) const {
  std::string out = "arn:" + options.partition + ":cognito-idp:" + options.region + ":" +
                    options.account + ":userpool/";
  out += pool_id;
  return out;
}

}  // namespace holdfast::api
