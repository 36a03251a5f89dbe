// The fields that a service adds to an access line.

#include <algorithm>
#include <cstring>

#include <holdfast/base/assert.hpp>
#include <holdfast/net/log_fields.hpp>

namespace holdfast::net {

void LogFields::set(const LogKey& key, std::string_view value) {
  std::size_t i = 0;
  while (i < size_ && fields_[i].key->place < key.place) ++i;
  const std::size_t begin = begin_of(i);
  const bool is_new = i == size_ || fields_[i].key->place != key.place;
  if (is_new) {
    if (value.empty()) return;
    HOLDFAST_ASSERT(size_ < kFieldsMax, "log_fields.has_room");
    std::copy_backward(fields_.begin() + i, fields_.begin() + size_, fields_.begin() + size_ + 1);
    fields_[i] = {.key = &key, .end = begin};
    ++size_;
  }
  const std::size_t end = fields_[i].end;
  replace(begin, end, value);
  for (; i < size_; ++i) fields_[i].end = fields_[i].end - (end - begin) + value.size();
}

std::string_view LogFields::get(std::string_view name_wanted) const noexcept {
  for (std::size_t i = 0; i < size_; ++i) {
    if (name(i) == name_wanted) return value(i);
  }
  return {};
}

std::string_view LogFields::value(std::size_t i) const noexcept {
  const std::string_view text =
      is_outside_ ? std::string_view(outside_) : std::string_view(inside_.data(), kBytesInside);
  return text.substr(begin_of(i), fields_[i].end - begin_of(i));
}

void LogFields::replace(std::size_t begin, std::size_t end, std::string_view value) {
  const std::size_t size = fields_[size_ - 1].end;
  if (!is_outside_ && size - (end - begin) + value.size() > kBytesInside) {
    outside_.assign(inside_.data(), size);
    is_outside_ = true;
  }
  if (is_outside_) {
    outside_.replace(begin, end - begin, value);
    return;
  }
  char* const text = inside_.data();
  std::memmove(text + begin + value.size(), text + end, size - end);
  std::ranges::copy(value, text + begin);
}

}  // namespace holdfast::net
