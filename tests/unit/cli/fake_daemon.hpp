#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/base/temp_dir.hpp"
#include "support/client/fake_gateway.hpp"
#include "unit/cli/command_line.hpp"

namespace holdfast::cli {

/// A data directory whose control socket answers what a test tells it to.
struct FakeDaemon {
  explicit FakeDaemon(test::FakeGateway::Handler handler)
      : socket(std::move(handler), "unix:" + folder.file("control.sock")) {}

  /// Runs a command with this data directory.
  int operator()(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--data-dir", folder.path().string()});
    return holdfast(arguments);
  }
  [[nodiscard]] std::vector<std::string> asked() const {
    std::vector<std::string> out;
    for (const auto& request : socket.requests()) {
      out.push_back(request.head.method + " " + request.head.target);
    }
    return out;
  }

  test::TempDir folder;
  test::FakeGateway socket;
  CommandLine holdfast;
};

}  // namespace holdfast::cli
