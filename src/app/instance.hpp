#pragma once

#include <string>

namespace holdfast::app {

/// Makes a pool id like Cognito's: the region, `_`, and nine random letters and digits.
[[nodiscard]] std::string make_user_pool_id(const std::string& region);
/// Makes a client id like Cognito's: 26 random lower-case letters and digits.
[[nodiscard]] std::string make_client_id();

/// Returns the URL of a listener that is bound to `address` (`127.0.0.1:8080`), for clients on this
/// machine.
[[nodiscard]] std::string url_of(const std::string& address, bool secure = false);
/// Returns the scheme, host and port of a URL.
[[nodiscard]] std::string origin_of(const std::string& url);

}  // namespace holdfast::app
