// docs/openapi.yaml has every route and operation of the code, and no other.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/context.hpp"
#include "api/paths.hpp"
#include "api/user_pool.hpp"
#include "unit/api/gateway_fixture.hpp"

namespace holdfast::test {
namespace {

using api::Route;

/// One `METHOD /path` of the document.
struct DocumentedOperation {
  std::string path;
  std::string method;
  bool is_control = false;  ///< on another server than the gateway
  bool is_signed = false;
};

// The document's paths stand two spaces in, their members four, an operation's six.
std::vector<DocumentedOperation> documented_operations() {
  std::ifstream file(HOLDFAST_SOURCE_DIR "/docs/openapi.yaml");
  std::vector<DocumentedOperation> out;
  std::string path;
  bool in_paths = false;
  bool is_control = false;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    if (!line.starts_with(' ')) {
      in_paths = line == "paths:";
    } else if (!in_paths) {
      continue;
    } else if (line.starts_with("  /")) {
      path = line.substr(2, line.size() - 3);
      is_control = false;
    } else if (line == "    servers:") {
      is_control = true;
    } else if (line.starts_with("    ") && line[4] != ' ' && line != "    parameters:") {
      std::string method = line.substr(4, line.size() - 5);
      for (char& c : method) c = static_cast<char>(std::toupper(c));
      out.push_back({path, std::move(method), is_control, false});
    } else if (line.starts_with("        - sigv4:")) {
      out.back().is_signed = true;
    }
  }
  return out;
}

constexpr std::string_view kOperationPath = "/user-pool/";

// The compiler names whoever adds a route and not its successor.
Route after(Route route) {
  switch (route) {
    case Route::none:
      return Route::message;
    case Route::message:
      return Route::messages;
    case Route::messages:
      return Route::tokens;
    case Route::tokens:
      return Route::websocket;
    case Route::websocket:
      return Route::websocket_root;
    case Route::websocket_root:
      return Route::user_pool;
    case Route::user_pool:
      return Route::cloud_formation;
    case Route::cloud_formation:
      return Route::jwks;
    case Route::jwks:
      return Route::openid_configuration;
    case Route::openid_configuration:
      return Route::connection;
    case Route::connection:
      break;
  }
  return Route::none;
}

class OpenApi : public GatewayFixture {
 protected:
  /// The routes that a documented operation comes to: `POST /` has two.
  std::vector<Route> routes_of(const DocumentedOperation& operation) {
    std::string target = operation.path;
    for (const auto& [name, value] : {std::pair<std::string, std::string>("{userPoolId}", kPoolId),
                                      {"{connectionId}", "k3YhT0mQ5s2xWbN7"}}) {
      if (const auto at = target.find(name); at != std::string::npos) {
        target.replace(at, name.size(), value);
      }
    }
    net::RequestHead head = make_request(operation.method, target).head;
    const bool root = operation.path == "/" && operation.method == "POST";
    if (!root && !target.starts_with(kOperationPath)) return {api::find_route(context_, head)};
    const std::string name = root ? "GetUser" : target.substr(kOperationPath.size());
    net::RequestHead form = head;
    head.headers.emplace_back("X-Amz-Target", std::string(api::kUserPoolTarget) + name);
    if (!root) return {api::find_route(context_, head)};
    form.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    return {api::find_route(context_, head), api::find_route(context_, form)};
  }

  static api::GatewayOptions options() {
    api::GatewayOptions out;
    out.instance.pool_id = kPoolId;
    return out;
  }
  const api::Context context_{options(), {clock_, router_, id_tokens_, signer_, {}, &draining_}};
};

TEST_F(OpenApi, HasEveryRouteWithItsMethodsAndNoOther) {
  std::map<Route, std::set<std::string>> documented;
  for (const DocumentedOperation& operation : documented_operations()) {
    // Preflights are answered for others' methods.
    if (operation.is_control || operation.method == "OPTIONS") continue;
    for (const Route route : routes_of(operation)) {
      EXPECT_NE(route, Route::none) << operation.method << " " << operation.path;
      documented[route].insert(operation.method);
    }
  }
  for (Route route = after(Route::none); route != Route::none; route = after(route)) {
    std::string methods;
    for (const std::string& method : documented[route]) {
      methods += (methods.empty() ? "" : ", ") + method;
    }
    EXPECT_EQ(methods, api::methods_of(route)) << "route " << static_cast<int>(route);
  }
}

TEST_F(OpenApi, HasEveryOperationOfTheUserPoolAndSaysWhichAreSigned) {
  std::map<std::string, bool> documented;
  for (const DocumentedOperation& operation : documented_operations()) {
    if (!operation.path.starts_with(kOperationPath)) continue;
    documented[operation.path.substr(kOperationPath.size())] = operation.is_signed;
  }
  std::map<std::string, bool> coded;
  for (const api::UserPoolOperation& operation : api::user_pool_operations()) {
    coded[std::string(operation.name)] = operation.is_signed;
  }
  EXPECT_EQ(documented, coded);
}

// The page's lists of supported and missing operations agree with the code.
TEST_F(OpenApi, AgreesWithTheUserPoolPageOnOperations) {
  std::ifstream file(HOLDFAST_SOURCE_DIR "/docs/users-and-keys.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto names_after = [&](const std::string& words) {
    const std::size_t begin = text.find(words);
    EXPECT_NE(begin, std::string::npos) << words;
    const std::string paragraph = text.substr(begin, text.find("\n\n", begin) - begin);
    const std::regex name("`([A-Z][A-Za-z]+)`");
    std::set<std::string> out;
    for (std::sregex_iterator it(paragraph.begin(), paragraph.end(), name), end; it != end; ++it) {
      out.insert((*it)[1]);
    }
    return out;
  };
  std::set<std::string> coded;
  for (const api::UserPoolOperation& operation : api::user_pool_operations()) {
    coded.emplace(operation.name);
  }
  EXPECT_EQ(names_after("Its operations are "), coded);
  for (const std::string& name : names_after("Client libraries know more operations, ")) {
    EXPECT_FALSE(coded.contains(name)) << name;
  }
}

// The control listener's routes are rows here and there, but each is written down as a path.
std::set<std::string> paths_in_the_code_of_control() {
  const std::regex literal("\"(/[a-z][^\"]*)\"");
  std::set<std::string> out;
  for (const auto& entry :
       std::filesystem::directory_iterator(HOLDFAST_SOURCE_DIR "/src/control")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator it(text.begin(), text.end(), literal), end; it != end; ++it) {
      const std::string path = (*it)[1];
      // Those of control.sock have a test of their own, others are the machine's files.
      if (path.starts_with("/v1/") || path.starts_with("/proc/")) continue;
      if (!path.starts_with("/console/api/v1/")) out.insert(path);
    }
  }
  return out;
}

TEST(OpenApiOfTheControlListener, HasEveryPathAndNoOther) {
  const std::set<std::string> coded = paths_in_the_code_of_control();
  std::set<std::string> documented;
  for (const DocumentedOperation& operation : documented_operations()) {
    if (operation.is_control && !operation.path.starts_with("/v1/")) {
      documented.insert(operation.path);
    }
  }
  for (const std::string& path : coded) {
    EXPECT_TRUE(std::ranges::any_of(documented,
                                    [&](const std::string& one) { return one.starts_with(path); }))
        << path << " is in the code alone";
  }
  for (const std::string& path : documented) {
    EXPECT_TRUE(
        std::ranges::any_of(coded, [&](const std::string& one) { return path.starts_with(one); }))
        << path << " is in the document alone";
  }
}

TEST(OpenApiOfTheControlSocket, HasEveryRouteAndNoOther) {
  std::ifstream file(HOLDFAST_SOURCE_DIR "/src/control/local_service.cpp");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::regex row(R"re(\{"([A-Z]+)", "(/v1/[^"]*)", \w+[,}])re");
  std::set<std::string> coded;
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it) {
    coded.insert((*it)[1].str() + " " + (*it)[2].str());
  }
  EXPECT_GT(coded.size(), 20U);
  std::set<std::string> documented;
  for (const DocumentedOperation& operation : documented_operations()) {
    if (!operation.path.starts_with("/v1/")) continue;
    // A path that takes an id ends in a slash in the code.
    documented.insert(operation.method + " " + operation.path.substr(0, operation.path.find('{')));
  }
  EXPECT_EQ(documented, coded);
}

}  // namespace
}  // namespace holdfast::test
