#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/json.hpp>
#include <holdfast/client/control_client.hpp>

#include "command.hpp"

/// What the administration commands share: a question over the control socket, and its answer as
/// JSON or for people.
namespace holdfast::cli {

/// What every administration command takes.
struct AdminFlags {
  std::string data_dir = "./data";
  bool json = false;
};
void add_admin_flags(CLI::App& command, AdminFlags& flags);

/// Prints an answer for people.
using Show = std::function<void(const Context&, const Json&)>;

/// The control socket as it may be asked: it belongs to this user, to root or to the owner of the
/// data directory, which must be named for the latter to be trusted. Null when there is none, which
/// people were told.
[[nodiscard]] std::unique_ptr<client::ControlClient> control_of(const Context& context,
                                                                const AdminFlags& flags);
/// Asks the control socket. nullopt when there is no good answer, which people were told.
[[nodiscard]] std::optional<Json> ask(const Context& context, const AdminFlags& flags,
                                      const std::string& method, const std::string& target,
                                      const Json& body = nullptr);
/// Asks it, and prints the answer; answers the exit code.
[[nodiscard]] int call(const Context& context, const AdminFlags& flags, const std::string& method,
                       const std::string& target, const Json& body, const Show& show);

/// The members of an answer, as cells. What is missing shows as nothing.
[[nodiscard]] std::string cell(const Json& object, const char* name);
[[nodiscard]] const Json& member(const Json& object, const char* name);

using Columns = std::vector<std::pair<const char*, const char*>>;  // heading, member
void print_list(const Context& context, const Json& list, const Columns& columns);

/// A command that asks for `target`.
template <class Flags, class Target>
void add_question(CLI::App& command, Selection& selection, const std::shared_ptr<Flags>& flags,
                  const std::string& method, Target target, Show show) {
  add_admin_flags(command, *flags);
  command.callback([=, &selection] {
    selection.run = [=](const Context& context) {
      return call(context, *flags, method, target(*flags), nullptr, show);
    };
  });
}

}  // namespace holdfast::cli
