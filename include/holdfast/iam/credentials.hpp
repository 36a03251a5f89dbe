#pragma once

#include <string>

namespace holdfast::iam {

/// The credentials that a client signs with.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< may be empty
};

}  // namespace holdfast::iam
