#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::net {

/// The name of a field that a service adds to its access lines. Of static storage.
struct LogKey {
  std::string_view name;
  std::uint8_t place = 0;  ///< fields stand in the line in the order of their places
};

/// Holds the fields that a service adds to the access line of one request, and nothing secret.
/// Allocates no memory for up to `kBytesInside`.
class LogFields {
 public:
  static constexpr std::size_t kFieldsMax = 6;
  static constexpr std::size_t kBytesInside = 160;

  /// Replaces an earlier value. An empty one is left out of the line.
  void set(const LogKey& key, std::string_view value);
  /// Returns the value under this name; empty where there is none.
  [[nodiscard]] std::string_view get(std::string_view name) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::string_view name(std::size_t i) const noexcept { return fields_[i].key->name; }
  [[nodiscard]] std::string_view value(std::size_t i) const noexcept;

 private:
  struct Field {
    const LogKey* key = nullptr;
    std::size_t end = 0;  ///< of its value in the text; it begins where the previous one ends
  };

  [[nodiscard]] std::size_t begin_of(std::size_t i) const noexcept {
    return i == 0 ? 0 : fields_[i - 1].end;
  }
  void replace(std::size_t begin, std::size_t end, std::string_view value);

  std::array<Field, kFieldsMax> fields_{};
  std::size_t size_ = 0;
  std::array<char, kBytesInside> inside_{};
  std::string outside_;  ///< all of the text, once it is longer
  bool is_outside_ = false;
};

}  // namespace holdfast::net
