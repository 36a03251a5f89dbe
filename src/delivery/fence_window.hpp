#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include <holdfast/base/ids.hpp>

#include "ring.hpp"

namespace holdfast::delivery {

/// The bytes of a fence: printable, since not every client's stack keeps other bytes intact.
class FenceBytes {
 public:
  FenceBytes(std::uint64_t nonce, Sequence sequence, std::uint32_t counter) noexcept;
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), text_.size()}; }

 private:
  std::array<char, 40> text_;
};

/// The Pings of one connection that wait for their Pongs.
class FenceWindow {
 public:
  explicit FenceWindow(std::uint64_t nonce) noexcept : nonce_(nonce) {}

  [[nodiscard]] std::size_t outstanding() const noexcept { return fences_.size(); }
  struct Fence {
    Sequence sequence = 0;      ///< behind everything up to this
    std::uint32_t counter = 0;  ///< of this connection's
    std::uint32_t sent_us = 0;  ///< when, of any clock; wraps after 71 minutes
    std::uint64_t end = 0;      ///< of the last text before it, in bytes written
  };

  /// A new one behind everything up to `sequence`.
  [[nodiscard]] FenceBytes add(Sequence sequence, std::uint32_t now_us = 0, std::uint64_t end = 0);
  /// The oldest outstanding one behind `sequence`, if there is one.
  [[nodiscard]] std::optional<Sequence> first_behind(Sequence sequence) const noexcept;
  /// Returns what a Pong proves to have arrived, if it equals an outstanding fence byte for byte.
  /// That fence and all before it are done: a peer may answer only the latest Ping.
  [[nodiscard]] std::optional<Fence> match(std::string_view pong);

 private:
  std::uint64_t nonce_;
  std::uint32_t counter_ = 0;
  Ring<Fence> fences_;
};

}  // namespace holdfast::delivery
