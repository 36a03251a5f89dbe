#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/json.hpp>

namespace holdfast::api {

/// A fault in an operation's input, by Cognito's name.
struct InputFault {
  std::string_view type;  ///< `InvalidParameterException`, `SerializationException`
  std::string message;
};

/// Reads an operation's input member by member: types, and what may not be missing. What a value
/// must look like is the user pool's to say. Faults are gathered, so that one answer names all.
class InputReader {
 public:
  explicit InputReader(Json& input) : input_(input) {}

  /// A required string; empty when it is missing (and the fault is noted).
  [[nodiscard]] std::string required(std::string_view name);
  [[nodiscard]] std::optional<std::string> optional(std::string_view name);
  /// A map of strings; empty when there is none.
  [[nodiscard]] std::map<std::string, std::string> strings(std::string_view name);
  /// A list of `{"Name","Value"}`; empty when there is none.
  [[nodiscard]] std::map<std::string, std::string> attributes(std::string_view name);

  /// The same where there must be one.
  [[nodiscard]] std::map<std::string, std::string> required_attributes(std::string_view name);

  /// A list of strings; empty when there is none.
  [[nodiscard]] std::vector<std::string> names(std::string_view name);
  /// The same where there must be one.
  [[nodiscard]] std::vector<std::string> required_names(std::string_view name);
  /// False when there is none.
  [[nodiscard]] bool flag(std::string_view name);
  /// A number from 0 up.
  [[nodiscard]] std::optional<std::size_t> count(std::string_view name);

  /// What is wrong with what was read; nullopt when it is all right.
  [[nodiscard]] std::optional<InputFault> fault() const;

 private:
  Json* find(std::string_view name);
  void missing(std::string_view name);
  void mistyped(std::string_view name, std::string_view expected);

  Json& input_;
  std::vector<std::string> missing_;
  std::optional<InputFault> mistyped_;
};

}  // namespace holdfast::api
