#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/base/files.hpp"
#include "support/gateway/gateway_process.hpp"

namespace holdfast::test {

/// A user of a gateway that runs as a process, logged in.
struct OutsideUser {
  std::string id;
  std::string id_token;
  std::string password;
};
/// Makes one with a password of its own. Throws when the pool refuses.
[[nodiscard]] OutsideUser make_user(const GatewayProcess& gateway, const std::string& name);
/// Where a WebSocket of this user connects, once.
[[nodiscard]] std::string websocket_url(const GatewayProcess& gateway, const OutsideUser& user);
/// `POST /message`: `DELIVERED` or `STORED`, or what went wrong.
[[nodiscard]] std::string publish(const GatewayProcess& gateway, const std::string& user_id,
                                  const std::string& text);

/// The id of a user's one connection, as the control socket tells. Throws when there is none.
[[nodiscard]] std::string connection_of(const std::string& data_dir, const std::string& user_id);

/// The gateway's environment with an access key of its own, made by `holdfast access-key create`
/// with these arguments. Throws when the command fails.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> environment_of_key(
    const GatewayProcess& gateway, const std::vector<std::string>& arguments,
    const std::string& data_dir);

/// Messages on disk for a user, as the control socket tells.
[[nodiscard]] std::size_t pending(const std::string& data_dir, const std::string& user_id);
/// Waits until nothing is pending. Returns false at the deadline.
[[nodiscard]] bool wait_until_nothing_pending(const std::string& data_dir,
                                              const std::string& user_id);

/// A file of this project's sources. Throws when it cannot be read.
[[nodiscard]] std::string source_file(const std::string& path);
/// The lines between ```LANGUAGE and ``` behind the first occurrence of `mark` in a page.
[[nodiscard]] std::string code_block(const std::string& page, const std::string& mark,
                                     const std::string& language);

/// Programs that no one here wrote. They throw, and say what installs them, when one is missing.
[[nodiscard]] std::string installed(const std::string& program);
[[nodiscard]] std::string wscat();
[[nodiscard]] std::string promtool();
[[nodiscard]] std::string clients_python();
/// Node.js of the release that the clients were locked with; where npm had none, the system's.
[[nodiscard]] std::string clients_node();
[[nodiscard]] std::string node_modules();
/// The folder of this project's own packages, with what builds them.
[[nodiscard]] std::string javascript_packages();
/// `tests/e2e/clients/NAME` as a child that can find the installed modules, and knows of no AWS
/// account but what `environment` says.
[[nodiscard]] std::unique_ptr<ChildProcess> start_client_script(
    const std::string& name, std::vector<std::string> arguments,
    const std::vector<std::pair<std::string, std::string>>& environment = {});

/// Chromium or Google Chrome. Not every system has a package of either.
[[nodiscard]] std::optional<std::string> find_browser();
/// It, headless on one page, with a profile of its own in `profile_dir`.
[[nodiscard]] std::unique_ptr<ChildProcess> start_browser(const std::string& browser,
                                                          const std::string& profile_dir,
                                                          const std::string& url);
/// Lets it end its own processes.
void end_browser(ChildProcess& browser);

/// Waits for the end of a script that prints `passed` when all was as it expects.
void expect_passed(ChildProcess& script);

/// All that a child has said, for the message of a failed test.
[[nodiscard]] std::string transcript(const ChildProcess& child);
/// The lines of its output that start so, without that start.
[[nodiscard]] std::vector<std::string> lines_after(const ChildProcess& child,
                                                   const std::string& start);
/// Waits for `count` such lines; returns what is there at the end of the wait.
[[nodiscard]] std::vector<std::string> wait_for_lines(const ChildProcess& child,
                                                      const std::string& start, std::size_t count);

}  // namespace holdfast::test
