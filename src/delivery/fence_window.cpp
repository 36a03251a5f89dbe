// The Pings in flight of one connection, each with what it proves.

#include "fence_window.hpp"

namespace holdfast::delivery {
namespace {

void write_hex(std::uint64_t value, int digits, char* out) noexcept {
  for (int i = digits - 1; i >= 0; --i) {
    out[i] = "0123456789abcdef"[value & 15];
    value >>= 4;
  }
}

}  // namespace

FenceBytes::FenceBytes(std::uint64_t nonce, Sequence sequence, std::uint32_t counter) noexcept {
  write_hex(static_cast<std::uint64_t>(sequence), 16, text_.data());
  write_hex(counter, 8, text_.data() + 16);
  write_hex(nonce, 16, text_.data() + 24);
}

FenceBytes FenceWindow::add(Sequence sequence, std::uint32_t now_us, std::uint64_t end) {
  fences_.push_back({.sequence = sequence, .counter = ++counter_, .sent_us = now_us, .end = end});
  return {nonce_, sequence, counter_};
}

std::optional<Sequence> FenceWindow::first_behind(Sequence sequence) const noexcept {
  for (std::size_t i = 0; i < fences_.size(); ++i) {
    if (fences_[i].sequence >= sequence) return fences_[i].sequence;
  }
  return std::nullopt;
}

std::optional<FenceWindow::Fence> FenceWindow::match(std::string_view pong) {
  for (std::size_t i = 0; i < fences_.size(); ++i) {
    const Fence fence = fences_[i];
    if (FenceBytes(nonce_, fence.sequence, fence.counter).view() != pong) continue;
    for (std::size_t done = 0; done <= i; ++done) fences_.pop_front();
    return fence;
  }
  return std::nullopt;
}

}  // namespace holdfast::delivery
