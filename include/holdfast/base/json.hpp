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

/// The integer that a JSON number is, in whichever spelling (`60`, `60.0`, `6e1`: RFC 8259 has one
/// kind of number); nullopt for a fraction, beyond 2^53 either way, and for what is no JSON number.
[[nodiscard]] std::optional<std::int64_t> json_integer(std::string_view number) noexcept;

/// Parses one JSON text strictly (RFC 8259): UTF-8 without a BOM, no duplicate names in an object,
/// no NUL in strings, no lone surrogate, no number beyond a double, nothing behind the value.
/// A number that is an integer by `json_integer` is one, however it is spelled. The
/// error's `where` is the member at fault where there is one (`messages[3].userId`).
[[nodiscard]] Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Hears the parts of a JSON text in their order, without a tree being built. What it was told
/// counts only once `parse_json` has answered without an error.
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
