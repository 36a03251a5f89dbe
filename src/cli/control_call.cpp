// Calls to the control socket, shared by the administration commands.

#include "control_call.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "table.hpp"

namespace holdfast::cli {
namespace {

std::string unreachable(const std::string& socket, const std::string& reason) {
  const bool no_right = reason.contains(std::strerror(EACCES));
  return "cannot reach the gateway's control socket " + socket + " (" + reason + "): " +
         (no_right ? "run this as root or as the gateway's user"
                   : "is `holdfast serve` running with this --data-dir?");
}

// Returns why the socket must not be used, empty if it may be. Passwords and keys go over it, and
// the current folder may belong to anybody.
std::string distrust(const AdminFlags& flags, const std::string& socket) {
  struct stat folder{};
  struct stat status{};
  if (stat(flags.data_dir.c_str(), &folder) != 0 || lstat(socket.c_str(), &status) != 0) {
    return unreachable(socket, std::strerror(errno));
  }
  const bool named = flags.data_dir != AdminFlags{}.data_dir;
  const auto trusted = [&folder, named](uid_t owner) {
    return owner == 0 || owner == geteuid() || (named && owner == folder.st_uid);
  };
  if (!trusted(folder.st_uid)) {
    return "the folder " + flags.data_dir +
           " belongs to another user: if you mean it, pass its full path with --data-dir";
  }
  if ((folder.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return "other users may write to the folder " + flags.data_dir +
           ", so its socket may be theirs";
  }
  if (!S_ISSOCK(status.st_mode) || !trusted(status.st_uid)) {
    return socket + " does not belong to the gateway's user, to root or to you";
  }
  return {};
}

}  // namespace

std::string cell(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->dump();
}

const Json& member(const Json& object, const char* name) {
  static const Json kEmpty = Json::array();
  const auto found = object.find(name);
  return found == object.end() ? kEmpty : *found;
}

void print_list(const Context& context, const Json& list, const Columns& columns) {
  std::vector<std::string> headings;
  for (const auto& [heading, name] : columns) headings.emplace_back(heading);
  std::vector<std::vector<std::string>> rows;
  for (const Json& entry : list) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const auto& [heading, name] : columns) row.push_back(cell(entry, name));
  }
  print_table(context.out, headings, rows);
}

std::unique_ptr<client::ControlClient> control_of(const Context& context, const AdminFlags& flags) {
  const std::string socket = flags.data_dir + "/control.sock";
  if (const std::string reason = distrust(flags, socket); !reason.empty()) {
    (void)failed(context, reason);
    return nullptr;
  }
  return std::make_unique<client::ControlClient>(socket);
}

std::optional<Json> ask(const Context& context, const AdminFlags& flags, const std::string& method,
                        const std::string& target, const Json& body) {
  const auto control = control_of(context, flags);
  if (control == nullptr) return std::nullopt;
  auto answer = control->call(method, target, body);
  if (answer) return std::move(*answer);
  const client::CallError& error = answer.error();
  (void)failed(context, error.status != 0
                            ? error.message
                            : unreachable(flags.data_dir + "/control.sock", error.message));
  return std::nullopt;
}

int call(const Context& context, const AdminFlags& flags, const std::string& method,
         const std::string& target, const Json& body, const Show& show) {
  const auto answer = ask(context, flags, method, target, body);
  if (!answer) return kFailure;
  if (flags.json) {
    context.out << answer->dump() << "\n";
  } else {
    show(context, *answer);
  }
  return kSuccess;
}

void add_admin_flags(CLI::App& command, AdminFlags& flags) {
  command.add_option("--data-dir", flags.data_dir, "the gateway's data directory")
      ->capture_default_str();
  command.add_flag("--json", flags.json, "print the gateway's answer as JSON");
}

}  // namespace holdfast::cli
