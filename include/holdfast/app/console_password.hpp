#pragma once

#include <string>

#include <holdfast/base/error.hpp>

namespace holdfast::app {

/// Hashes a password for `console.password_hash`: Argon2id in the PHC form. Takes a tenth of a
/// second. Error `unavailable`: no memory.
[[nodiscard]] Result<std::string> hash_console_password(std::string password);

}  // namespace holdfast::app
