#pragma once

#include <string_view>
#include <vector>

#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// A POST with `X-Amz-Target: AWSCognitoIdentityProviderService.{operation}`: Cognito's user pool
/// API in AWS JSON 1.1
/// (https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/). The Admin
/// operations are signed and need a policy.
void handle_user_pool(const Context& context, net::Request request, net::Responder respond);

struct UserPoolOperation {
  std::string_view name;
  bool is_signed = false;
};
/// Every operation that there is, by name.
[[nodiscard]] std::vector<UserPoolOperation> user_pool_operations();

}  // namespace holdfast::api
