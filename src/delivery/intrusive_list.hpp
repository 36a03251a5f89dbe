#pragma once

#include <cstddef>

namespace holdfast::delivery {

/// Makes a T a member of a list: derive from it once for each list, with a tag.
template <class T, class Tag>
struct Link {
  T* previous = nullptr;
  T* next = nullptr;
  bool linked = false;
};

/// A list through its elements: no allocation, and removal from the middle at once.
template <class T, class Tag>
class IntrusiveList {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] T* first() const noexcept { return first_; }
  [[nodiscard]] T* last() const noexcept { return last_; }
  [[nodiscard]] static T* next(const T& element) noexcept { return link(element).next; }
  [[nodiscard]] static T* previous(const T& element) noexcept { return link(element).previous; }
  [[nodiscard]] static bool linked(const T& element) noexcept { return link(element).linked; }

  void push_back(T& element) noexcept {
    link(element) = {last_, nullptr, true};
    (last_ == nullptr ? first_ : link(*last_).next) = &element;
    last_ = &element;
  }
  void remove(T& element) noexcept {
    const Link<T, Tag> old = link(element);
    (old.previous == nullptr ? first_ : link(*old.previous).next) = old.next;
    (old.next == nullptr ? last_ : link(*old.next).previous) = old.previous;
    link(element) = {};
  }

 private:
  static Link<T, Tag>& link(T& element) noexcept { return element; }
  static const Link<T, Tag>& link(const T& element) noexcept { return element; }

  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace holdfast::delivery
