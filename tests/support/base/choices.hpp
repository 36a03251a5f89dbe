#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace holdfast::test {

/// Decides what a made-up run does next: a seeded generator, or bytes that a fuzzer chose.
/// A standard uniform random bit generator.
class Choices {
 public:
  using result_type = std::uint64_t;

  explicit Choices(std::uint64_t seed) : random_(seed) {}
  /// Takes two bytes for each choice. A generator goes on where they end.
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes), random_(bytes.size()) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }

  result_type operator()() {
    if (bytes_.size() < 2) return random_();
    const result_type low = bytes_[0] | bytes_[1] << 8U;
    bytes_ = bytes_.subspan(2);
    // Repeats them, since a distribution looks at the upper bits and a remainder at the lower.
    return low * 0x0001'0001'0001'0001U;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::mt19937_64 random_;
};

}  // namespace holdfast::test
