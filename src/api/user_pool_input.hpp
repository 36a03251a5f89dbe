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

  /// Returns a required string. If it is missing, notes a fault and returns an empty one.
  [[nodiscard]] std::string required(std::string_view name);
  [[nodiscard]] std::optional<std::string> optional(std::string_view name);
  /// Returns a map of strings; empty if it is missing.
  [[nodiscard]] std::map<std::string, std::string> strings(std::string_view name);
  /// Returns a list of `{"Name","Value"}` as a map; empty if it is missing.
  [[nodiscard]] std::map<std::string, std::string> attributes(std::string_view name);

  /// Returns a required list of `{"Name","Value"}`. If it is missing, notes a fault.
  [[nodiscard]] std::map<std::string, std::string> required_attributes(std::string_view name);

  /// Returns a list of strings; empty if it is missing.
  [[nodiscard]] std::vector<std::string> names(std::string_view name);
  /// Returns a required list of strings. If it is missing, notes a fault.
  [[nodiscard]] std::vector<std::string> required_names(std::string_view name);
  /// Returns a boolean; false if it is missing.
  [[nodiscard]] bool flag(std::string_view name);
  /// Returns a number of at least 0.
  [[nodiscard]] std::optional<std::size_t> count(std::string_view name);

  /// Returns the first fault of the members that were read; nullopt if there is none.
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
