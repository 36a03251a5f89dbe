#pragma once

#include <string_view>

namespace holdfast::identity {

/// In lower case, each with a space before and behind it.
[[nodiscard]] std::string_view common_passwords() noexcept;

}  // namespace holdfast::identity
