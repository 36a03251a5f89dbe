// Builds what all routes share from the options.

#include "context.hpp"

#include <string>
#include <utility>
#include <vector>

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

std::vector<std::string> origins_of(const GatewayOptions& options) {
  std::vector<std::string> out = options.websocket.allowed_origins;
  out.insert(out.end(), options.instance.console_origins.begin(),
             options.instance.console_origins.end());
  return out;
}

}  // namespace

Context::Context(GatewayOptions gateway_options, GatewayParts gateway_parts)
    : options(std::move(gateway_options)),
      parts(std::move(gateway_parts)),
      allowed_origins(origins_of(options), options.instance.origin),
      replays(std::make_shared<Replays>(Replays::Options{.capacity = options.limits.signatures,
                                                         .lifetime = options.signature_lifetime},
                                        parts.refusals)),
      pool_changes(std::make_shared<std::atomic<std::int64_t>>(0)),
      token_rates(std::make_shared<UserRates>(options.limits.token_requests_per_second,
                                              options.limits.token_requests_burst)),
      message_arn(execute_api_arn("POST/message")),
      messages_arn(execute_api_arn("POST/messages")),
      tokens_arn(execute_api_arn("POST/tokens")),
      stack_arn(stack_arn_of(options.aws.stack_name) + "/" + uuid_of(options.instance.pool_id)) {
  if (!parts.metrics) parts.metrics = make_route_metrics(parts.shards.size());
}

std::string Context::execute_api_arn(std::string_view method_and_path) const {
  std::string out = "arn:" + options.aws.partition + ":execute-api:" + options.aws.region + ":" +
                    options.aws.account + ":" + options.aws.api_id + "/" + options.aws.stage + "/";
  out += method_and_path;
  return out;
}

std::string Context::stack_arn_of(std::string_view name) const {
  std::string out = "arn:" + options.aws.partition + ":cloudformation:" + options.aws.region + ":" +
                    options.aws.account + ":stack/";
  out += name;
  return out;
}

std::string Context::user_pool_arn(std::string_view pool_id) const {
  std::string out = "arn:" + options.aws.partition + ":cognito-idp:" + options.aws.region + ":" +
                    options.aws.account + ":userpool/";
  out += pool_id;
  return out;
}

}  // namespace holdfast::api
