#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include <holdfast/base/error.hpp>

namespace holdfast {

using Json = nlohmann::ordered_json;

/// What untrusted JSON may be.
struct JsonLimits {
  std::size_t depth = 32;
  std::size_t bytes = 1 << 20;
};

/// Parses one JSON text strictly (RFC 8259): UTF-8 without a BOM, no duplicate names in an object,
/// no NUL in strings, no lone surrogate, no number beyond a double, nothing behind the value. The
/// error's `where` is the member at fault where there is one (`messages[3].userId`).
[[nodiscard]] Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace holdfast
