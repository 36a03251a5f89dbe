// Looks up headers, and splits request targets.

#include <holdfast/base/ascii.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::net {

const std::string* RequestHead::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (ascii::iequals(key, name)) return &value;
  }
  return nullptr;
}

std::string_view RequestHead::path() const noexcept {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view RequestHead::query() const noexcept {
  const std::size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

}  // namespace holdfast::net
