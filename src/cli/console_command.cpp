// The command that opens the web console or hashes its password: `holdfast console`.

#include <memory>
#include <string>
#include <utility>

#include <holdfast/app/console_password.hpp>
#include <holdfast/base/crypto.hpp>

#include "command.hpp"
#include "control_call.hpp"
#include "new_password.hpp"
#include "settings.hpp"

namespace holdfast::cli {
namespace {

constexpr std::size_t kPasswordBytesMin = 12;
constexpr std::size_t kPasswordBytesMax = 256;

struct ConsoleFlags : AdminFlags {
  bool hash_password = false;
  std::string password;
};

void show_link(const Context& context, const Json& answer) {
  context.out << cell(answer, "url") << "\n";
  context.err << "Open this link in a browser within " << cell(answer, "expiresInSeconds")
              << " seconds. It signs in one browser, once.\n";
}

GivenPassword given_password(const Context& context, const ConsoleFlags& flags) {
  if (flags.password.empty()) return ask_for_password(context, "use -p -");
  auto password = password_from(flags.password);
  if (!password) return {{}, misused(context, password.error().message)};
  return {std::move(*password)};
}

int hash_password(const Context& context, const ConsoleFlags& flags) {
  GivenPassword password = given_password(context, flags);
  if (password.exit) return *password.exit;
  if (password.text.size() < kPasswordBytesMin || password.text.size() > kPasswordBytesMax) {
    wipe(password.text);
    return misused(context, "the console's password must have 12 to 256 bytes");
  }
  const auto hash = app::hash_console_password(std::move(password.text));
  if (!hash) return failed(context, hash.error().message);
  context.out << *hash << "\n";
  context.err << "Put this into the configuration as `console.password_hash`.\n";
  return kSuccess;
}

}  // namespace

void add_console(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("console", "Print a link that opens the web console once");
  auto flags = std::make_shared<ConsoleFlags>();
  add_admin_flags(*command, *flags);
  auto* hash = command->add_flag("--hash-password", flags->hash_password,
                                 "hash a password for `console.password_hash` instead");
  command
      ->add_option("-p,--password", flags->password,
                   "the password to hash; `-` reads a line of standard input")
      ->needs(hash);
  command->callback([flags, &selection] {
    selection.run = [flags](const Context& context) {
      if (flags->hash_password) return hash_password(context, *flags);
      return call(context, *flags, "POST", "/v1/console-links", nullptr, show_link);
    };
  });
}

}  // namespace holdfast::cli
