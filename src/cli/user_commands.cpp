// Commands that create a user and log in over HTTP: create-user and auth.

#include <memory>
#include <utility>

#include "command.hpp"
#include "settings.hpp"

namespace holdfast::cli {
namespace {

struct UserFlags {
  std::string username = "testUser";
  std::string password;
};

void add_user_flags(CLI::App& command, UserFlags& flags) {
  command.add_option("-u,--username", flags.username, "the user's name")->capture_default_str();
  command
      .add_option("-p,--password", flags.password, "the password; `-` reads it from standard input")
      ->required();
}

int not_finished(const Context& context, const UserFlags& flags, const client::CallError& error) {
  const int code = call_failed(context, error);
  context.err << "The user " << flags.username
              << " exists, but the password is still temporary: run the same command again to "
                 "finish.\n";
  return code;
}

std::unexpected<client::CallError> unexpected_answer(std::string message) {
  return std::unexpected(client::CallError{400, {}, std::move(message), std::nullopt});
}

// Makes the temporary password permanent. Changes nothing if the user's password is another one.
client::CallResult<void> settle_password(client::GatewayClient& pool, const UserFlags& flags) {
  const auto first = pool.admin_initiate_auth(flags.username, flags.password);
  if (!first) return std::unexpected(first.error());
  const auto* challenge = std::get_if<client::Challenge>(&*first);
  if (challenge == nullptr || challenge->name != "NEW_PASSWORD_REQUIRED") {
    return unexpected_answer("the user pool does not ask for a new password");
  }
  return pool.admin_set_user_password(flags.username, flags.password);
}

client::CallResult<std::string> id_of(client::GatewayClient& pool, const UserFlags& flags) {
  const auto answer = pool.initiate_auth(flags.username, flags.password);
  if (!answer) return std::unexpected(answer.error());
  const auto* tokens = std::get_if<client::Tokens>(&*answer);
  const auto sub = client::id_token_subject(tokens == nullptr ? "" : tokens->id_token);
  if (!sub) return unexpected_answer(sub.error().message);
  return *sub;
}

int create_user(const Context& context, UserFlags flags) {
  auto password = password_from(flags.password);
  if (!password) return misused(context, password.error().message);
  flags.password = std::move(*password);
  auto gateway = gateway_from(context, {.access_key = true, .user_pool = true});
  if (!gateway) return misused(context, gateway.error().message);

  // The final password serves as the temporary one. So a refused password creates no user, and
  // running the command again finishes an interrupted one.
  const auto created = (*gateway)->admin_create_user(flags.username, flags.password);
  if (!created && created.error().type != "UsernameExistsException") {
    return call_failed(context, created.error());
  }
  if (const auto settled = settle_password(**gateway, flags); !settled) {
    return created ? not_finished(context, flags, settled.error())
                   : call_failed(context, created.error());
  }
  const auto sub = created ? created : id_of(**gateway, flags);
  if (!sub) return call_failed(context, sub.error());
  context.err << "Created the user " << flags.username << ". Its id:\n";
  context.out << *sub << "\n";
  return kSuccess;
}

int authenticate(const Context& context, const UserFlags& flags) {
  auto password = password_from(flags.password);
  if (!password) return misused(context, password.error().message);
  auto gateway = gateway_from(context, {.access_key = false, .user_pool = true});
  if (!gateway) return misused(context, gateway.error().message);
  const auto answer = (*gateway)->initiate_auth(flags.username, *password);
  if (!answer) return call_failed(context, answer.error());
  const auto* tokens = std::get_if<client::Tokens>(&*answer);
  if (tokens == nullptr) {
    return failed(context, "the user pool asks for " + std::get<client::Challenge>(*answer).name +
                               " first: the user's password is still temporary");
  }
  return print_exports(context, {{"ID_TOKEN", tokens->id_token, ShellForm::jwt}});
}

}  // namespace

void add_create_user(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("create-user", "Create a user and print the user's id");
  auto flags = std::make_shared<UserFlags>();
  add_user_flags(*command, *flags);
  command->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return create_user(context, *flags); };
  });
}

void add_auth(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("auth", "Log in and print `export ID_TOKEN=…`");
  auto flags = std::make_shared<UserFlags>();
  add_user_flags(*command, *flags);
  command->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return authenticate(context, *flags); };
  });
}

}  // namespace holdfast::cli
