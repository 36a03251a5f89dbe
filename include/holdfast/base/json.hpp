#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <holdfast/base/error.hpp>

namespace holdfast {

using Json = nlohmann::ordered_json;

/// The limits of untrusted JSON.
struct JsonLimits {
  std::size_t depth = 32;
  std::size_t bytes = 1 << 20;
};

/// Returns the integer that a JSON number stands for, in any form (`60`, `60.0`, `6e1`; RFC 8259
/// has one kind of number). nullopt for a fraction, beyond ±2^53, and for text that is not a
/// number.
[[nodiscard]] std::optional<std::int64_t> json_integer(std::string_view number) noexcept;

/// Parses one JSON text strictly (RFC 8259): UTF-8 without a BOM, no duplicate names in an object,
/// no NUL in strings, no lone surrogate, no number beyond a double, nothing after the value. A
/// number that `json_integer` takes becomes an integer, in any form. The error's `where` is the
/// member with the fault, if there is one (`messages[3].userId`).
[[nodiscard]] Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Receives parse events in document order. Builds no tree. The events are valid only if
/// `parse_json` returns without an error.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;
  virtual void on_null() {}
  virtual void on_boolean(bool /*value*/) {}
  virtual void on_integer(std::int64_t /*value*/) {}
  /// Above what an `std::int64_t` holds.
  virtual void on_unsigned(std::uint64_t /*value*/) {}
  virtual void on_number(double /*value*/) {}
  /// May be moved from.
  virtual void on_string(std::string& /*value*/) {}
  /// A member's name, unique in its object; its value is next.
  virtual void on_name(std::string_view /*name*/) {}
  virtual void on_object_begin() {}
  virtual void on_object_end() {}
  virtual void on_array_begin() {}
  virtual void on_array_end() {}
};

/// Parses with the same checks and errors, and calls `handler` in place of building a value.
[[nodiscard]] Result<void> parse_json(std::string_view text, JsonHandler& handler,
                                      const JsonLimits& limits = {});

}  // namespace holdfast
