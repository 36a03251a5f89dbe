#include <memory>
#include <utility>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

#include "cli/command.hpp"
#include "cli/settings.hpp"

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

// Long and of every character class, so that any password policy takes it.
std::string temporary_password() { return base64url_encode(random_string(18)) + "aA1!"; }

int not_finished(const Context& context, const UserFlags& flags, const client::CallError& error) {
  const int code = call_failed(context, error);
  context.err << "The user " << flags.username
              << " exists now, without a password of its own: choose another name to try again.\n";
  return code;
}

int create_user(const Context& context, UserFlags flags) {
  auto password = password_from(flags.password);
  if (!password) return misused(context, password.error().message);
  auto gateway = gateway_from(context, {.access_key = true, .user_pool = true});
  if (!gateway) return misused(context, gateway.error().message);
  client::GatewayClient& pool = **gateway;

  const std::string temporary = temporary_password();
  const auto sub = pool.admin_create_user(flags.username, temporary);
  if (!sub) return call_failed(context, sub.error());
  const auto first = pool.admin_initiate_auth(flags.username, temporary);
  if (!first) return not_finished(context, flags, first.error());
  if (const auto* challenge = std::get_if<client::Challenge>(&*first)) {
    if (challenge->name != "NEW_PASSWORD_REQUIRED") {
      return failed(context, "the user pool asks for " + challenge->name +
                                 ", which this command does not know");
    }
    const auto second =
        pool.admin_respond_new_password(flags.username, *password, challenge->session);
    if (!second) return not_finished(context, flags, second.error());
  }
  context.err << "Created the user " << flags.username << ". Its id:\n";
  context.out << *sub << "\n";
  return kSuccess;
}

int authenticate(const Context& context, UserFlags flags) {
  auto password = password_from(flags.password);
  if (!password) return misused(context, password.error().message);
  auto gateway = gateway_from(context, {.access_key = false, .user_pool = true});
  if (!gateway) return misused(context, gateway.error().message);
  const auto answer = (*gateway)->initiate_auth(flags.username, *password);
  if (!answer) return call_failed(context, answer.error());
  const auto* tokens = std::get_if<client::Tokens>(&*answer);
  if (tokens == nullptr) {
    return failed(context, "the user pool asks for " + std::get<client::Challenge>(*answer).name +
                               " first: the user has no password of its own yet");
  }
  context.out << "export ID_TOKEN=\"" << tokens->id_token << "\"\n";
  return kSuccess;
}

}  // namespace

void add_create_user(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("create-user", "Create a user of the pool; prints its id");
  auto flags = std::make_shared<UserFlags>();
  add_user_flags(*command, *flags);
  command->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return create_user(context, *flags); };
  });
}

void add_auth(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("auth", "Log in; prints `export ID_TOKEN=\"…\"`");
  command->footer("\nExample: eval \"$(holdfast auth -u testUser -p 'a good password')\"");
  auto flags = std::make_shared<UserFlags>();
  add_user_flags(*command, *flags);
  command->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return authenticate(context, *flags); };
  });
}

}  // namespace holdfast::cli
