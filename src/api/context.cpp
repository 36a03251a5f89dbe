#include "api/context.hpp"

namespace holdfast::api {

Context::Context(GatewayOptions gateway_options, GatewayParts gateway_parts)
    : options(std::move(gateway_options)),
      parts(std::move(gateway_parts)),
      message_arn(execute_api_arn("POST/message")),
      messages_arn(execute_api_arn("POST/messages")) {}

std::string Context::execute_api_arn(std::string_view method_and_path) const {
  std::string out = "arn:" + options.partition + ":execute-api:" + options.region + ":" +
                    options.account + ":" + options.api_id + "/" + options.stage + "/";
  out += method_and_path;
  return out;
}

std::string Context::user_pool_arn(std::string_view pool_id) const {
  std::string out = "arn:" + options.partition + ":cognito-idp:" + options.region + ":" +
                    options.account + ":userpool/";
  out += pool_id;
  return out;
}

}  // namespace holdfast::api
