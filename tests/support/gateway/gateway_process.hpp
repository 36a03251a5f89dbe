#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/client/gateway_client.hpp>

#include "support/gateway/child_process.hpp"

namespace holdfast::test {

/// Limits each wait for a process on a busy machine.
inline constexpr std::chrono::milliseconds kPatience{90'000};

/// The built `holdfast`: the environment's `HOLDFAST_BINARY`, or the one of this build.
[[nodiscard]] std::string holdfast_binary();

/// The variables of a `credentials` file. Throws when there is none.
[[nodiscard]] std::map<std::string, std::string> read_credentials(const std::string& path);

/// `holdfast serve` as a process of its own, on free ports, in a data directory of the test's.
class GatewayProcess {
 public:
  struct Options {
    std::string data_dir;
    std::vector<std::string> arguments{};  ///< behind `serve --data-dir … --listen … `
    /// `HOLDFAST_SECTION__KEY` and others.
    std::vector<std::pair<std::string, std::string>> environment{};
    std::string listen = "127.0.0.1:0";  ///< an address of an earlier run keeps clients' URLs good
    std::chrono::milliseconds start_timeout{30'000};
  };
  /// Starts it and waits until it listens. Throws with its output when it does not.
  explicit GatewayProcess(Options options);

  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  [[nodiscard]] const std::string& control_address() const noexcept { return control_address_; }
  [[nodiscard]] std::string url() const { return "http://" + address_; }
  /// Returns the variables that its `credentials` file sets.
  [[nodiscard]] const std::map<std::string, std::string>& credentials() const noexcept {
    return credentials_;
  }
  /// Returns these variables for a child's environment.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment() const;
  /// A client with the root key.
  [[nodiscard]] std::unique_ptr<client::GatewayClient> client() const;

  [[nodiscard]] ChildProcess& process() noexcept { return *process_; }
  /// As `kill -9` does.
  void kill() { process_->kill(); }
  /// SIGTERM, and its exit status; nullopt when it does not end in time.
  [[nodiscard]] std::optional<int> terminate(
      std::chrono::milliseconds timeout = std::chrono::milliseconds(15'000));

 private:
  std::unique_ptr<ChildProcess> process_;
  std::string address_;
  std::string control_address_;
  std::map<std::string, std::string> credentials_;
};

}  // namespace holdfast::test
