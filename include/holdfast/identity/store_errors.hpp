#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include <holdfast/base/error.hpp>

/// The refusals of identity's ports, in one place for all that implement them.
namespace holdfast::identity {

/// Checks that what replaces a user's row was made from the row that is there: `not_found` when
/// there is none, `conflict` when it has another revision.
[[nodiscard]] Result<void> check_revision(std::optional<std::int64_t> stored,
                                          std::int64_t expected);
[[nodiscard]] std::unexpected<Error> username_taken();
[[nodiscard]] std::unexpected<Error> code_spent();
[[nodiscard]] std::unexpected<Error> too_many_tokens();

}  // namespace holdfast::identity
