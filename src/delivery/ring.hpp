#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace holdfast::delivery {

/// A queue in one block that grows by doubling and owns nothing while it is released: an empty
/// std::deque holds half a kilobyte, and there is one for every idle user.
template <class T>
class Ring {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return slots_[index(i)]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return slots_[index(i)]; }
  [[nodiscard]] T& front() noexcept { return (*this)[0]; }
  [[nodiscard]] const T& front() const noexcept { return (*this)[0]; }
  [[nodiscard]] T& back() noexcept { return (*this)[size_ - 1]; }
  [[nodiscard]] const T& back() const noexcept { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == capacity_) grow();
    slots_[index(size_)] = std::move(value);
    ++size_;
  }
  void pop_front() {
    slots_[head_] = T();
    head_ = (head_ + 1) & (capacity_ - 1);
    --size_;
  }
  /// Closes the gap from behind.
  void erase(std::size_t i) {
    for (; i + 1 < size_; ++i) (*this)[i] = std::move((*this)[i + 1]);
    back() = T();
    --size_;
  }
  /// Gives the memory back if there is nothing in it.
  void release() noexcept {
    if (size_ != 0) return;
    slots_.reset();
    capacity_ = head_ = 0;
  }

 private:
  [[nodiscard]] std::size_t index(std::size_t i) const noexcept {
    return (head_ + i) & (capacity_ - 1);
  }
  void grow() {
    const std::uint32_t capacity = capacity_ == 0 ? 4 : 2 * capacity_;
    auto slots = std::make_unique<T[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i) slots[i] = std::move((*this)[i]);
    slots_ = std::move(slots);
    capacity_ = capacity;
    head_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  std::uint32_t capacity_ = 0;
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
};

/// The first element of a Ring that rises by `sequence`, whose sequence is above `sequence`; its
/// size when there is none.
template <class T>
[[nodiscard]] std::size_t first_above(const Ring<T>& ring, std::int64_t sequence) noexcept {
  std::size_t low = 0;
  std::size_t high = ring.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (ring[middle].sequence > sequence) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace holdfast::delivery
