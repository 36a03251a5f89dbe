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

/// What a command needs of the environment besides the gateway's URL.
struct Needs {
  bool access_key = false;
  bool user_pool = false;
};

/// The gateway as the environment describes it. `invalid_argument` names the variable that is
/// missing and how to get it.
[[nodiscard]] Result<client::GatewayOptions> gateway_options(const Context& context,
                                                             const Needs& needs);
/// A client of it.
[[nodiscard]] Result<std::unique_ptr<client::GatewayClient>> gateway_from(const Context& context,
                                                                          const Needs& needs);
/// Where the sample application is.
[[nodiscard]] std::string sample_app_url(const Context& context);
/// The CA file that the environment names; may be empty.
[[nodiscard]] std::string ca_file(const Context& context);
/// The ID token of `-t` or the environment; `invalid_argument` tells how to get one.
[[nodiscard]] Result<std::string> id_token_from(const Context& context, const std::string& flag);
/// The master key that the environment gives: the value of `HOLDFAST_MASTER_KEY`, or what is in
/// the file `HOLDFAST_MASTER_KEY_FILE`; nullopt: neither is set. `io` names a file that is none.
[[nodiscard]] Result<std::optional<std::string>> master_key_from(const Context& context);
/// A password as it was given; `-` reads a line of standard input.
[[nodiscard]] Result<std::string> password_from(const std::string& flag);

/// Prints lines that a shell evaluates; answers the exit code. Where a value does not look like
/// what it should be, it prints none, and fails.
[[nodiscard]] int print_exports(const Context& context,
                                const std::vector<ShellVariable>& variables);

/// Tells people why a call of the gateway failed, and what to do about it; answers the exit code.
int call_failed(const Context& context, const client::CallError& error);
/// What helps when no answer came, for the reason that the connection gave.
[[nodiscard]] std::string hint_for_connection(std::string_view reason);
/// What helps against it; may be empty.
[[nodiscard]] std::string hint_for(const client::CallError& error);

}  // namespace holdfast::cli
