#pragma once

#include <optional>
#include <string>

#include <holdfast/net/http.hpp>

namespace holdfast::api {

/// A fault of a body.
struct BodyFault {
  bool too_long = false;  ///< a message over its limit: 413 instead of 400
  std::string field;      ///< `userId`, `messages[3].ttlSeconds`; empty for the body as a whole
  std::string message;
  /// `Invalid request body: userId: is required`.
  [[nodiscard]] std::string to_text() const;
};

/// Refuses a body that must be JSON; nullopt if nothing is wrong. In this order: a body that says
/// nothing (400), a body of another type (415), a message that is too long (413).
[[nodiscard]] std::optional<net::Response> refuse_body(const net::RequestHead& head,
                                                       const BodyFault* fault);

}  // namespace holdfast::api
