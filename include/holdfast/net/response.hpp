#pragma once

#include <string>
#include <utility>
#include <vector>

#include <holdfast/net/log_fields.hpp>

namespace holdfast::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Response {
  int status = 200;
  Headers headers{};  ///< without Content-Length, Date, Connection
  std::string body{};
  bool close = false;  ///< end the connection after it
  /// Says why it refuses, for the access line alone. Holds no secret.
  std::string refused{};
  LogFields log_fields{};  ///< for the access line, too
  bool by_user = false;    ///< for a service's audit log: the user of its fields has called
};

}  // namespace holdfast::net
