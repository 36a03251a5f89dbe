#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <holdfast/base/crypto.hpp>

namespace holdfast::identity {

/// A key or password that is overwritten when it goes, and when it is moved from: a moved short
/// std::string leaves its characters behind.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view bytes) : bytes_(bytes) {}
  Secret(Secret&& other) noexcept { *this = std::move(other); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe(bytes_);
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(bytes_); }

  /// Takes the characters out of `source`, which is wiped.
  [[nodiscard]] static Secret take(std::string& source) {
    Secret out{std::string_view(source)};
    wipe(source);
    return out;
  }
  [[nodiscard]] std::string_view view() const noexcept { return bytes_; }
  /// A plain copy, for an interface that takes and wipes one.
  [[nodiscard]] std::string copy() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace holdfast::identity
