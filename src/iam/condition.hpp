#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <holdfast/base/error.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/iam/policy.hpp>

namespace holdfast::iam {

/// One key of one operator of a statement's Condition: whether the request fulfils it.
using Condition = std::move_only_function<bool(const PolicyRequest&) const>;

/// `invalid_argument` for an operator, a key or a pair of both that is not known, and for values
/// that are not of the operator's kind. `denies`: of a statement with the effect Deny. What is not
/// known must not widen anything. So an address that is not known fulfils a condition of a Deny,
/// and none of an Allow.
[[nodiscard]] Result<Condition> parse_condition(const std::string& operator_name,
                                                const std::string& key, const Json& values,
                                                bool denies, const std::string& place);

/// Returns whether a condition key is `holdfast:UserId`, compared without regard to case.
[[nodiscard]] bool is_user_key(std::string_view key) noexcept;

}  // namespace holdfast::iam
