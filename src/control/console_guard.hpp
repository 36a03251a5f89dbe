#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <holdfast/control/console.hpp>
#include <holdfast/net/http.hpp>

/// What keeps other web pages out of the console.
namespace holdfast::control {

/// Whether the `Host` that a request names is one of the console's, whatever its port.
[[nodiscard]] bool is_own_host(const ConsoleOptions& options, const net::RequestHead& head);
/// Whether it is the host of `ConsoleOptions::public_origin`.
[[nodiscard]] bool names_public_host(const ConsoleOptions& options, const net::RequestHead& head);
/// Whether a page of the console made the request, as far as the browser tells: `Sec-Fetch-Site`,
/// where there is one, and `Origin`, which only a GET may do without.
[[nodiscard]] bool is_own_page(const ConsoleOptions& options, const net::RequestHead& head);

/// The page may load and connect to what is named here, and nothing else
/// (https://www.w3.org/TR/CSP3/).
[[nodiscard]] std::string content_security_policy(const std::vector<std::string>& gateway_urls);
/// The headers of everything that the console answers.
void add_security_headers(net::Response& response, const std::string& policy);

/// The values of all cookies of this name that a request brings.
[[nodiscard]] std::vector<std::string_view> cookies(const net::RequestHead& head,
                                                    std::string_view name);

}  // namespace holdfast::control
