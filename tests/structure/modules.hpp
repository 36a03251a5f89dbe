#pragma once

#include <map>
#include <set>
#include <string>

namespace holdfast::structure {

using Modules = std::set<std::string>;

/// The modules that each one may see, in its own text and through the headers that it includes.
/// docs/design.md has the same table with the reasons.
inline const std::map<std::string, Modules>& allowed() {
  static const std::map<std::string, Modules> table = {
      {"base", {}},
      {"delivery", {"base"}},
      {"identity", {"base"}},
      {"iam", {"base"}},
      {"storage", {"base", "delivery", "identity", "iam"}},
      {"sqlite", {"base", "delivery", "identity", "iam", "storage"}},
      {"net", {"base", "delivery"}},
      {"api", {"base", "delivery", "identity", "iam", "net"}},
      {"control", {"base", "delivery", "identity", "iam", "net", "api"}},
      {"client", {"base", "iam", "net"}},
      {"sample_app", {"base", "identity", "iam", "net", "client"}},
      {"app",
       {"base", "delivery", "identity", "iam", "storage", "sqlite", "net", "api", "control"}},
      {"cli", {"base", "iam", "net", "client", "sample_app", "app"}},
  };
  return table;
}

/// Libraries that one module hides from all others, and that no public header shows.
inline const std::map<std::string, Modules>& owners() {
  static const std::map<std::string, Modules> table = {
      {"boost/", {"net"}},
      {"sqlite3.h", {"sqlite"}},
      {"openssl/", {"base", "identity", "net"}},
      {"argon2.h", {"identity"}},
      {"utf8proc.h", {"identity"}},
      {"CLI/", {"cli"}},
      {"systemd/", {"app"}},
  };
  return table;
}

}  // namespace holdfast::structure
