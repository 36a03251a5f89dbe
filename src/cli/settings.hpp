#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/error.hpp>
#include <holdfast/base/shell.hpp>
#include <holdfast/client/gateway_client.hpp>

#include "context.hpp"

namespace holdfast::cli {

/// The variables that a command needs besides the gateway's URL.
struct Needs {
  bool access_key = false;
  bool user_pool = false;
};

/// Reads the gateway's URL and credentials from the environment. `invalid_argument` names a missing
/// variable and how to set it.
[[nodiscard]] Result<client::GatewayOptions> gateway_options(const Context& context,
                                                             const Needs& needs);
/// Makes a client for that gateway.
[[nodiscard]] Result<std::unique_ptr<client::GatewayClient>> gateway_from(const Context& context,
                                                                          const Needs& needs);
/// Returns the sample application's URL.
[[nodiscard]] std::string sample_app_url(const Context& context);
/// Returns the CA file that the environment names; may be empty.
[[nodiscard]] std::string ca_file(const Context& context);
/// Returns the ID token of `-t` or the environment. `invalid_argument` says how to get one.
[[nodiscard]] Result<std::string> id_token_from(const Context& context, const std::string& flag);
/// Reads the master key from `HOLDFAST_MASTER_KEY` or the file `HOLDFAST_MASTER_KEY_FILE`. Returns
/// nullopt if neither is set; `io` names a file that cannot be read.
[[nodiscard]] Result<std::optional<std::string>> master_key_from(const Context& context);
/// Returns the given password; for `-`, a line of standard input.
[[nodiscard]] Result<std::string> password_from(const std::string& flag);

/// Prints `export` lines for a shell to evaluate. Prints nothing and fails if a value does not have
/// its form. Returns the exit code.
[[nodiscard]] int print_exports(const Context& context,
                                const std::vector<ShellVariable>& variables);

/// Prints why a call of the gateway failed, and a hint. Returns the exit code.
int call_failed(const Context& context, const client::CallError& error);
/// Returns a hint for a connection that failed for `reason`.
[[nodiscard]] std::string hint_for_connection(std::string_view reason);
/// Returns a hint for a refused call; may be empty.
[[nodiscard]] std::string hint_for(const client::CallError& error);

}  // namespace holdfast::cli
