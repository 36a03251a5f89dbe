#pragma once

#include <string>

namespace holdfast::app {

/// `us-east-1_` and nine random letters and digits, as Cognito's pool ids are.
[[nodiscard]] std::string make_user_pool_id(const std::string& region);
/// 26 random lower-case letters and digits, as Cognito's client ids are.
[[nodiscard]] std::string make_client_id();

/// The URL of a listener that is bound to `address` (`127.0.0.1:8080`), as a neighbour on this
/// machine reaches it.
[[nodiscard]] std::string url_of(const std::string& address, bool secure = false);
/// Scheme, host and port of a URL.
[[nodiscard]] std::string origin_of(const std::string& url);

}  // namespace holdfast::app
