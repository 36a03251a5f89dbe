#pragma once

#include <optional>
#include <string_view>
#include <vector>

/// JSON texts of others, of which some parts are needed and the rest may be odd: a part is cut out,
/// for `parse_json` to read by itself. What stands between the brackets and quotation marks of
/// other parts is not looked at.
namespace holdfast::identity {

/// Returns the text of the member's value. nullopt if the text is not an object, or does not have
/// exactly one such member.
[[nodiscard]] std::optional<std::string_view> cut_member(std::string_view object,
                                                         std::string_view name);
/// The texts of an array's elements; nullopt when the text is no array.
[[nodiscard]] std::optional<std::vector<std::string_view>> cut_elements(std::string_view array);

}  // namespace holdfast::identity
