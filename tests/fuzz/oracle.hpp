#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::fuzz {

/// Ends the run with what does not hold; libFuzzer keeps the input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// Takes an input apart, from its front.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  /// 0 at the end.
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const char out = rest_.front();
    rest_.remove_prefix(1);
    return static_cast<std::uint8_t>(out);
  }
  /// Up to the next line feed, which is taken and left out.
  std::string_view line() {
    const std::string_view out = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(out.size() < rest_.size() ? out.size() + 1 : out.size());
    return out;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Sizes of pieces, for a reader that takes its bytes as they come.
class Cuts {
 public:
  explicit Cuts(std::uint32_t seed) : state_(seed | 1U) {}
  /// 1 to `most`.
  std::size_t next(std::size_t most) {
    state_ = state_ * 1'664'525U + 1'013'904'223U;
    const std::size_t wide = (state_ >> 28U) == 0 ? most : 1 + (state_ >> 16U) % 9;
    return wide < most ? wide : most;
  }

 private:
  std::uint32_t state_;
};

}  // namespace holdfast::fuzz
