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

/// Shared by the administration commands: calls over the control socket, and their answers as JSON
/// or as text.
namespace holdfast::cli {

/// The flags of every administration command.
struct AdminFlags {
  std::string data_dir = "./data";
  bool json = false;
};
void add_admin_flags(CLI::App& command, AdminFlags& flags);

/// Prints an answer as text.
using Show = std::function<void(const Context&, const Json&)>;

/// Makes a client of the control socket. The socket must belong to this user, to root, or to the
/// owner of a data directory that was named. Returns null, and has printed why, otherwise.
[[nodiscard]] std::unique_ptr<client::ControlClient> control_of(const Context& context,
                                                                const AdminFlags& flags);
/// Calls the control socket. Returns nullopt, and has printed why, if the call fails.
[[nodiscard]] std::optional<Json> ask(const Context& context, const AdminFlags& flags,
                                      const std::string& method, const std::string& target,
                                      const Json& body = nullptr);
/// Calls the control socket and prints the answer. Returns the exit code.
[[nodiscard]] int call(const Context& context, const AdminFlags& flags, const std::string& method,
                       const std::string& target, const Json& body, const Show& show);

/// Returns a member as the text of a cell; empty if it is missing.
[[nodiscard]] std::string cell(const Json& object, const char* name);
/// Returns a member; an empty array if it is missing.
[[nodiscard]] const Json& member(const Json& object, const char* name);

using Columns = std::vector<std::pair<const char*, const char*>>;  // heading, member
void print_list(const Context& context, const Json& list, const Columns& columns);

/// Makes `command` call `target` and print the answer with `show`.
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
