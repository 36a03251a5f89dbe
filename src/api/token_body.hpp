#pragma once

#include <cstddef>
#include <expected>
#include <string_view>

#include <holdfast/base/ids.hpp>

#include "json_body.hpp"

namespace holdfast::api {

/// The limit of the body of `POST /tokens`.
inline constexpr std::size_t kTokenBodyBytes = 4 << 10;

/// Reads the user in the body of `POST /tokens`. Unknown members are ignored.
[[nodiscard]] std::expected<UserId, BodyFault> read_token_body(std::string_view body);

}  // namespace holdfast::api
