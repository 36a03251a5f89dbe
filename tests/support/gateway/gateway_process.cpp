// Runs a gateway as a process of its own.

#include "support/gateway/gateway_process.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/json.hpp>

namespace holdfast::test {
namespace {

// The address in `{"event":"listening","part":PART,…}`; nullopt for any other line.
std::optional<std::string> listening_address(const std::string& line, const std::string& part) {
  const auto event = parse_json(line);
  if (!event || !event->is_object() || event->value("event", "") != "listening" ||
      event->value("part", "") != part) {
    return std::nullopt;
  }
  return event->value("address", "");
}

std::string transcript(const ChildProcess& process) {
  std::string out;
  for (const std::string& line : process.output()) out += line + "\n";
  for (const std::string& line : process.errors()) out += line + "\n";
  return out;
}

}  // namespace

std::string holdfast_binary() {
  if (const char* const path = std::getenv("HOLDFAST_BINARY")) return path;
  return HOLDFAST_BINARY;
}

std::map<std::string, std::string> read_credentials(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("no credentials at " + path);
  std::map<std::string, std::string> out;
  for (std::string line; std::getline(in, line);) {
    constexpr std::string_view kExport = "export ";
    const auto equals = line.find('=');
    if (!line.starts_with(kExport) || equals == std::string::npos) continue;
    std::string value = line.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'') {
      value = value.substr(1, value.size() - 2);
    }
    out[line.substr(kExport.size(), equals - kExport.size())] = value;
  }
  return out;
}

GatewayProcess::GatewayProcess(Options options) {
  std::vector<std::string> command = {holdfast_binary(),  "serve",      "--data-dir",
                                      options.data_dir,   "--listen",   options.listen,
                                      "--control-listen", "127.0.0.1:0"};
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  process_ = std::make_unique<ChildProcess>(ChildProcess::Options{
      .command = std::move(command), .environment = std::move(options.environment)});
  const auto wait_for = [&](const std::string& part) {
    const auto line = process_->wait_for_output(
        [&part](const std::string& text) { return listening_address(text, part).has_value(); },
        options.start_timeout);
    if (!line) throw std::runtime_error("holdfast does not listen:\n" + transcript(*process_));
    return *listening_address(*line, part);
  };
  control_address_ = wait_for("control");
  address_ = wait_for("gateway");
  credentials_ = read_credentials(options.data_dir + "/credentials");
}

std::vector<std::pair<std::string, std::string>> GatewayProcess::environment() const {
  return {credentials_.begin(), credentials_.end()};
}

std::unique_ptr<client::GatewayClient> GatewayProcess::client() const {
  client::GatewayOptions options;
  options.url = url();
  options.region = credentials_.at("AWS_REGION");
  options.user_pool_id = credentials_.at("HOLDFAST_USER_POOL_ID");
  options.client_id = credentials_.at("HOLDFAST_CLIENT_ID");
  options.credentials = {.access_key_id = credentials_.at("AWS_ACCESS_KEY_ID"),
                         .secret_access_key = credentials_.at("AWS_SECRET_ACCESS_KEY"),
                         .session_token = {}};
  auto made = client::make_gateway_client(std::move(options), system_clock());
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

std::optional<int> GatewayProcess::terminate(std::chrono::milliseconds timeout) {
  process_->signal(SIGTERM);
  return process_->wait(timeout);
}

}  // namespace holdfast::test
