#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/json.hpp>

namespace holdfast::api {

/// What the service model demands of a string.
struct StringRule {
  std::size_t min_chars = 0;
  std::size_t max_chars = 0;      ///< 0: no bound
  std::string_view pattern = {};  ///< as the message quotes it
  bool (*matches)(std::string_view) = nullptr;
  std::span<const std::string_view> values = {};  ///< of an enumeration
  bool sensitive = false;                         ///< never quoted in a message
};
extern const StringRule kPoolIdRule;
extern const StringRule kClientIdRule;
extern const StringRule kUsernameRule;
extern const StringRule kPasswordRule;
extern const StringRule kSessionRule;
extern const StringRule kAuthFlowRule;
extern const StringRule kChallengeNameRule;
extern const StringRule kMessageActionRule;

/// A fault in an operation's input, by Cognito's name.
struct InputFault {
  std::string_view type;  ///< `InvalidParameterException`, `SerializationException`
  std::string message;
};

/// Reads an operation's input member by member and gathers what breaks its rules, so that one
/// answer names all: `2 validation errors detected: …`.
class InputReader {
 public:
  explicit InputReader(Json& input) : input_(input) {}

  /// A required string; empty when it is missing (and the fault is noted).
  [[nodiscard]] std::string required(std::string_view name, const StringRule& rule);
  [[nodiscard]] std::optional<std::string> optional(std::string_view name, const StringRule& rule);
  /// A map of strings; empty when there is none.
  [[nodiscard]] std::map<std::string, std::string> strings(std::string_view name);
  /// A list of `{"Name","Value"}`; empty when there is none.
  [[nodiscard]] std::map<std::string, std::string> attributes(std::string_view name);

  /// What is wrong with what was read; nullopt when it is all right.
  [[nodiscard]] std::optional<InputFault> fault() const;

 private:
  Json* find(std::string_view name);
  void check(std::string_view name, const std::string& value, const StringRule& rule);
  void add(std::string_view name, const std::string* value, std::string_view constraint);
  void mistyped(std::string_view name, std::string_view expected);
  void add_attribute(std::string_view name, Json& entry, std::map<std::string, std::string>& out);

  Json& input_;
  std::vector<std::string> errors_;
  std::optional<InputFault> unreadable_;
};

}  // namespace holdfast::api
