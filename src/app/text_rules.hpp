#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::app {

/// What a string must be: for the program, and as far as a regular expression (ECMA-262) can say it
/// for the schema. A test checks them against each other.
struct TextRule {
  /// What is wrong with a string; nullopt: nothing.
  std::optional<std::string> (*refuse)(std::string_view) = nullptr;
  std::string_view pattern;
};

extern const TextRule kAnyText;
extern const TextRule kCiphers;
extern const TextRule kAddress;
extern const TextRule kUrl;
extern const TextRule kPublicUrl;
extern const TextRule kOrigin;
extern const TextRule kPublicOrigin;
extern const TextRule kHost;
extern const TextRule kPasswordHash;
extern const TextRule kAccount;
extern const TextRule kName;
extern const TextRule kStage;
extern const TextRule kStackName;
extern const TextRule kServiceName;
extern const TextRule kWord;
extern const TextRule kNetwork;
extern const TextRule kMode;

/// Lets every string through.
[[nodiscard]] std::optional<std::string> accept_any(std::string_view value);

}  // namespace holdfast::app
