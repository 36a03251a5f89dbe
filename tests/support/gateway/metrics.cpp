// Reads `/metrics`.

#include "support/gateway/metrics.hpp"

#include <cstdlib>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "support/net/raw_client.hpp"

namespace holdfast::test {
namespace {

std::optional<RawResponse> ask(const std::string& address, const std::string& path) {
  RawClient socket(address);
  socket.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return socket.read_response();
}

}  // namespace

std::string metrics_text(const std::string& control_address) {
  const auto answer = ask(control_address, "/metrics");
  if (!answer || answer->status != 200) throw std::runtime_error("no metrics");
  return answer->body;
}

Samples parse_samples(const std::string& text) {
  Samples out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const auto space = line.rfind(' ');
    if (line.starts_with("#") || space == std::string::npos) continue;
    out[line.substr(0, space)] = std::strtod(line.c_str() + space + 1, nullptr);
  }
  return out;
}

std::string ask_control(const std::string& control_address, const std::string& path) {
  const auto answer = ask(control_address, path);
  if (!answer) return {};
  return std::to_string(answer->status) + " " +
         answer->body.substr(0, answer->body.find_last_not_of('\n') + 1);
}

}  // namespace holdfast::test
