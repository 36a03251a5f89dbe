#pragma once

#include <holdfast/net/http.hpp>

#include "context.hpp"

namespace holdfast::api {

/// CloudFormation's DescribeStacks (AWS query protocol, version 2010-05-15): a form in, XML out.
/// The one stack is the gateway itself. A form without an `Action` is no call of it.
void handle_cloud_formation(const Context& context, const net::Request& request,
                            net::Responder respond);

}  // namespace holdfast::api
