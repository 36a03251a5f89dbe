#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <holdfast/control/console.hpp>
#include <holdfast/net/http.hpp>

/// Keeps other web pages out of the console.
namespace holdfast::control {

/// Returns whether the request's `Host` is one of the console's, with any port.
[[nodiscard]] bool is_own_host(const ConsoleOptions& options, const net::RequestHead& head);
/// Returns whether it is the host of `ConsoleOptions::public_origin`.
[[nodiscard]] bool names_public_host(const ConsoleOptions& options, const net::RequestHead& head);
/// Returns whether a page of the console made the request, by the browser's `Sec-Fetch-Site`, if
/// present, and by `Origin`, which only a GET may omit.
[[nodiscard]] bool is_own_page(const ConsoleOptions& options, const net::RequestHead& head);

/// Returns the policy that lets the page load and call only the listed sources
/// (https://www.w3.org/TR/CSP3/).
[[nodiscard]] std::string content_security_policy(const std::vector<std::string>& gateway_urls);
/// The headers of everything that the console answers.
void add_security_headers(net::Response& response, const std::string& policy);

/// The values of all cookies of this name that a request brings.
[[nodiscard]] std::vector<std::string_view> cookies(const net::RequestHead& head,
                                                    std::string_view name);

}  // namespace holdfast::control
