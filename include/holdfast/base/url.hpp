#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

/// The pieces of URLs. Nothing here decodes or rewrites: what was signed stays as it was sent.
namespace holdfast {

/// Returns the port of `http`, `https`, `ws` or `wss`, in small letters; 0 for any other scheme.
[[nodiscard]] constexpr std::uint16_t default_port(std::string_view scheme) noexcept {
  if (scheme == "http" || scheme == "ws") return 80;
  return scheme == "https" || scheme == "wss" ? 443 : 0;
}

/// Removes `:80` or `:443` from the end of `text`, an authority or an origin, if that is the port
/// of `scheme`.
[[nodiscard]] constexpr std::string_view without_default_port(std::string_view text,
                                                              std::string_view scheme) noexcept {
  const std::string_view port = default_port(scheme) == 443 ? ":443" : ":80";
  if (default_port(scheme) != 0 && text.ends_with(port)) text.remove_suffix(port.size());
  return text;
}

/// `scheme://authority` and what follows it, each as it was written.
struct UrlParts {
  std::string_view scheme;
  std::string_view authority;  ///< up to the first `/`, `?` or `#`
  std::string_view rest;       ///< from there on
};
/// Splits at the first `://`; nullopt where there is none.
[[nodiscard]] constexpr std::optional<UrlParts> split_url(std::string_view text) noexcept {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view behind = text.substr(colon + 3);
  const std::size_t end = std::min(behind.find_first_of("/?#"), behind.size());
  return UrlParts{text.substr(0, colon), behind.substr(0, end), behind.substr(end)};
}

/// Finds the colon before the port of an authority: the last one, outside of brackets; npos: none.
[[nodiscard]] constexpr std::size_t port_colon(std::string_view authority) noexcept {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return colon;
  return authority.find(']', colon) == std::string_view::npos ? colon : std::string_view::npos;
}

/// One `name=value` of a query or a form, encoded as it was.
struct QueryParameter {
  std::string_view name;
  std::string_view value;
  bool has_equals = false;
};
/// Takes the first parameter off `query`; nullopt at its end. `a&&b` has an empty one between.
[[nodiscard]] constexpr std::optional<QueryParameter> take_parameter(
    std::string_view& query) noexcept {
  if (query.empty()) return std::nullopt;
  const std::string_view piece = query.substr(0, query.find('&'));
  query.remove_prefix(std::min(piece.size() + 1, query.size()));
  const std::size_t equals = piece.find('=');
  if (equals == std::string_view::npos) return QueryParameter{.name = piece, .value = {}};
  return QueryParameter{piece.substr(0, equals), piece.substr(equals + 1), true};
}

}  // namespace holdfast
