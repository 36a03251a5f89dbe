// Builds the canonical request of Signature Version 4.

#include "canonical.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>

namespace holdfast::iam {
namespace {

constexpr std::string_view kSpaces = " \t\r\n\v\f";

// RFC 3986 section 5.2.4, and empty segments go too: what AWS's clients do before they sign.
std::string normalize(std::string_view path) {
  std::vector<std::string_view> kept;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    begin = end + 1;
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string out = "/";
  for (const std::string_view segment : kept) {
    if (out.size() > 1) out += '/';
    out += segment;
  }
  if (!kept.empty() && path.ends_with('/')) out += '/';
  return out;
}

void append_trimmed(std::string& out, std::string_view value) {
  bool in_space = false;
  for (const char c : ascii::trim(value, kSpaces)) {
    const bool space = kSpaces.contains(c);
    if (!space) {
      out += c;
    } else if (!in_space) {
      out += ' ';
    }
    in_space = space;
  }
}

std::optional<std::string> encode_again(std::string_view text, Plus plus) {
  std::optional<std::string> decoded;
  if (plus == Plus::space && text.contains('+')) {
    std::string spaced(text);
    std::ranges::replace(spaced, '+', ' ');
    decoded = percent_decode(spaced);
  } else {
    decoded = percent_decode(text);
  }
  if (!decoded) return std::nullopt;
  return percent_encode(*decoded);
}

}  // namespace

TargetParts split_target(std::string_view target) {
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme != std::string_view::npos && scheme < target.find_first_of("/?")) {
      target.remove_prefix(std::min(target.find_first_of("/?", scheme + 3), target.size()));
    }
  }
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

void append_canonical_path(std::string& out, std::string_view path) {
  if (path.empty()) {
    out += '/';
  } else if (path.starts_with('/') && !path.contains("//") && !path.contains("/.")) {
    append_percent_encoded(out, path, true);
  } else {
    append_percent_encoded(out, normalize(path), true);
  }
}

bool append_canonical_query(std::string& out, std::string_view query, Plus plus) {
  if (query.empty()) return true;
  std::vector<std::pair<std::string, std::string>> parameters;
  for (std::size_t begin = 0; begin <= query.size();) {
    const std::size_t end = std::min(query.find('&', begin), query.size());
    const std::string_view piece = query.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = std::min(piece.find('='), piece.size());
    auto name = encode_again(piece.substr(0, equals), plus);
    auto value =
        encode_again(equals < piece.size() ? piece.substr(equals + 1) : std::string_view(), plus);
    if (!name || !value) return false;
    if (*name == kSignatureParameter) continue;
    parameters.emplace_back(std::move(*name), std::move(*value));
  }
  std::ranges::sort(parameters);
  bool first = true;
  for (const auto& [name, value] : parameters) {
    if (!std::exchange(first, false)) out += '&';
    out += name;
    out += '=';
    out += value;
  }
  return true;
}

bool append_canonical_header(std::string& out, std::span<const Header> headers,
                             std::string_view lower_case_name) {
  bool found = false;
  for (const auto& [name, value] : headers) {
    if (!ascii::iequals(name, lower_case_name)) continue;
    if (found) {
      out += ',';
    } else {
      out += lower_case_name;
      out += ':';
    }
    append_trimmed(out, value);
    found = true;
  }
  if (found) out += '\n';
  return found;
}

void append_string_to_sign(std::string& out, std::string_view date, std::string_view scope,
                           const Digest& canonical_request_hash) {
  out += kAlgorithm;
  out += '\n';
  out += date;
  out += '\n';
  out += scope;
  out += '\n';
  append_hex(out, view(canonical_request_hash));
}

Digest derive_signing_key(std::string_view secret, std::string_view day, std::string_view region,
                          std::string_view service) {
  std::string first;
  first.reserve(4 + secret.size());
  first += "AWS4";
  first += secret;
  Digest key = hmac_sha256(first, day);
  wipe(first);
  key = hmac_sha256(view(key), region);
  key = hmac_sha256(view(key), service);
  return hmac_sha256(view(key), kTerminator);
}

std::string canonical_request(const SignedRequest& request,
                              const std::vector<std::string>& signed_headers,
                              std::string_view payload_hash) {
  const TargetParts target = split_target(request.target);
  std::string out(request.method);
  out += '\n';
  append_canonical_path(out, target.path);
  out += '\n';
  if (!append_canonical_query(out, target.query)) out += target.query;
  out += '\n';
  std::string names;
  for (const std::string& name : signed_headers) {
    if (!append_canonical_header(out, request.headers, name)) out += name + ":\n";
    if (!names.empty()) names += ';';
    names += name;
  }
  out += '\n';
  out += names;
  out += '\n';
  out += payload_hash;
  return out;
}

}  // namespace holdfast::iam
