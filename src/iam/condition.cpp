// Evaluates the conditions of policies.

#include "condition.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include <arpa/inet.h>

#include <holdfast/base/ascii.hpp>

#include "pattern.hpp"

namespace holdfast::iam {
namespace {

enum class Kind : std::uint8_t { string, address, boolean, date, null };
enum class Order : std::uint8_t { equal, less, less_equal, greater, greater_equal };

struct Operator {
  std::string_view name;
  Kind kind;
  bool negated = false;
  Pattern::Syntax syntax{};
  Order order = Order::equal;
  bool if_exists = false;
};

constexpr Pattern::Syntax kExact{.wildcards = false, .ignore_case = false};
constexpr Pattern::Syntax kExactIgnoringCase{.wildcards = false, .ignore_case = true};
constexpr Pattern::Syntax kLike{.wildcards = true, .ignore_case = false};

constexpr std::array kOperators = {
    Operator{"StringEquals", Kind::string, false, kExact},
    Operator{"StringNotEquals", Kind::string, true, kExact},
    Operator{"StringEqualsIgnoreCase", Kind::string, false, kExactIgnoringCase},
    Operator{"StringNotEqualsIgnoreCase", Kind::string, true, kExactIgnoringCase},
    Operator{"StringLike", Kind::string, false, kLike},
    Operator{"StringNotLike", Kind::string, true, kLike},
    Operator{"IpAddress", Kind::address},
    Operator{"NotIpAddress", Kind::address, true},
    Operator{"Bool", Kind::boolean},
    Operator{"DateEquals", Kind::date},
    Operator{"DateNotEquals", Kind::date, true},
    Operator{"DateLessThan", Kind::date, false, {}, Order::less},
    Operator{"DateLessThanEquals", Kind::date, false, {}, Order::less_equal},
    Operator{"DateGreaterThan", Kind::date, false, {}, Order::greater},
    Operator{"DateGreaterThanEquals", Kind::date, false, {}, Order::greater_equal},
    Operator{"Null", Kind::null},
};
constexpr std::string_view kIfExists = "IfExists";

enum class KeyId : std::uint8_t { username, user_id, source_ip, secure_transport, current_time };

struct Key {
  std::string_view name;
  KeyId id;
  Kind kind;
};
constexpr std::string_view kUserKey = "holdfast:UserId";
constexpr std::array kKeys = {
    Key{"aws:username", KeyId::username, Kind::string},
    Key{kUserKey, KeyId::user_id, Kind::string},
    Key{"aws:SourceIp", KeyId::source_ip, Kind::address},
    Key{"aws:SecureTransport", KeyId::secure_transport, Kind::boolean},
    Key{"aws:CurrentTime", KeyId::current_time, Kind::date},
};

// "StringLikeIfExists" is "StringLike" that also holds without the key. Null has no such form.
std::optional<Operator> find_operator(std::string_view name) {
  const bool if_exists = name.ends_with(kIfExists);
  if (if_exists) name.remove_suffix(kIfExists.size());
  const auto* const found = std::ranges::find(kOperators, name, &Operator::name);
  if (found == kOperators.end() || (if_exists && found->kind == Kind::null)) return std::nullopt;
  Operator out = *found;
  out.if_exists = if_exists;
  return out;
}

bool is_unread(KeyId key, const PolicyRequest& request) {
  return key == KeyId::user_id && request.user_unread;
}

std::optional<std::string_view> text_of(KeyId key, const PolicyRequest& request) {
  return key == KeyId::user_id ? request.user_id : request.username;
}

// IPv4 addresses as IPv6 has them: one comparison for both.
using Address = std::array<std::uint8_t, 16>;
constexpr Address kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr int kMappedBits = 96;

struct Network {
  Address address{};
  int bits = 0;

  bool contains(const Address& other) const {
    for (int bit = 0; bit < bits; bit += 8) {
      const auto at = static_cast<std::size_t>(bit / 8);
      const int compared = std::min(8, bits - bit);
      const auto mask = static_cast<std::uint8_t>(0xff00 >> compared);
      if (((address.at(at) ^ other.at(at)) & mask) != 0) return false;
    }
    return true;
  }
};

struct ParsedAddress {
  Address bytes{};
  bool v4 = false;
};

std::optional<ParsedAddress> parse_address(std::string_view text) {
  const std::string terminated(text.substr(0, text.find('%')));
  ParsedAddress out;
  in_addr v4{};
  // Only IPv6 addresses have zones.
  if (terminated.size() == text.size() && inet_pton(AF_INET, terminated.c_str(), &v4) == 1) {
    out.bytes = kMappedPrefix;
    std::memcpy(out.bytes.data() + 12, &v4, sizeof v4);
    out.v4 = true;
    return out;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

std::optional<Network> parse_network(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto address = parse_address(text.substr(0, slash));
  if (!address || text.substr(0, slash).contains('%')) return std::nullopt;
  const int width = address->v4 ? 32 : 128;
  int bits = width;
  if (slash < text.size()) {
    const std::string_view length = text.substr(slash + 1);
    const auto [rest, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (error != std::errc() || rest != length.data() + length.size() || bits < 0 || bits > width)
      return std::nullopt;
  }
  return Network{address->bytes, address->v4 ? kMappedBits + bits : bits};
}

std::optional<bool> parse_boolean(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value == "true") return true;
  if (value == "false") return false;
  return std::nullopt;
}

bool holds(Order order, WallTime now, WallTime limit) {
  switch (order) {
    case Order::equal:
      return now == limit;
    case Order::less:
      return now < limit;
    case Order::less_equal:
      return now <= limit;
    case Order::greater:
      return now > limit;
    case Order::greater_equal:
      return now >= limit;
  }
  return false;
}

// Each maker reads one value; the values of a key are alternatives.
template <class Value>
using Reader = std::function<Result<Value>(const Json& value, const std::string& place)>;

template <class Value>
Result<std::vector<Value>> read_values(const Json& values, const std::string& place,
                                       const Reader<Value>& read) {
  std::vector<Value> out;
  if (!values.is_array()) {
    auto value = read(values, place);
    if (!value) return std::unexpected(value.error());
    out.push_back(std::move(*value));
    return out;
  }
  if (values.empty()) return fail(Errc::invalid_argument, "must not be empty", place);
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto value = read(values[i], place + '[' + std::to_string(i) + ']');
    if (!value) return std::unexpected(value.error());
    out.push_back(std::move(*value));
  }
  return out;
}

// Without the key a negated operator holds, and another one does not
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
Result<Condition> string_condition(const Operator& op, KeyId key, const Json& values, bool denies,
                                   const std::string& place) {
  const Pattern::Syntax syntax = op.syntax;
  auto patterns = read_values<Pattern>(
      values, place, [syntax](const Json& value, const std::string& at) -> Result<Pattern> {
        if (!value.is_string()) return fail(Errc::invalid_argument, "must be a string", at);
        return Pattern::parse(value.get_ref<const std::string&>(), syntax, at);
      });
  if (!patterns) return std::unexpected(patterns.error());
  return [key, denies, negated = op.negated, without = op.negated || op.if_exists,
          all = std::move(*patterns)](const PolicyRequest& request) {
    if (is_unread(key, request)) return !denies;
    const auto text = text_of(key, request);
    if (!text) return without;
    const bool any = std::ranges::any_of(
        all, [&](const Pattern& pattern) { return pattern.matches(*text, request.username); });
    return any != negated;
  };
}

Result<Condition> address_condition(const Operator& op, const Json& values, bool denies,
                                    const std::string& place) {
  auto networks = read_values<Network>(
      values, place, [](const Json& value, const std::string& at) -> Result<Network> {
        const auto network =
            value.is_string() ? parse_network(value.get_ref<const std::string&>()) : std::nullopt;
        if (!network) return fail(Errc::invalid_argument, "must be an IP address or range", at);
        return *network;
      });
  if (!networks) return std::unexpected(networks.error());
  return [negated = op.negated, denies, all = std::move(*networks)](const PolicyRequest& request) {
    const auto address = parse_address(request.source_ip);
    if (!address) return denies;
    const bool any = std::ranges::any_of(
        all, [&](const Network& network) { return network.contains(address->bytes); });
    return any != negated;
  };
}

Result<std::vector<bool>> read_booleans(const Json& values, const std::string& place) {
  return read_values<bool>(values, place,
                           [](const Json& value, const std::string& at) -> Result<bool> {
                             const auto parsed = parse_boolean(value);
                             if (!parsed)
                               return fail(Errc::invalid_argument, "must be true or false", at);
                             return *parsed;
                           });
}

Result<Condition> boolean_condition(const Json& values, const std::string& place) {
  auto wanted = read_booleans(values, place);
  if (!wanted) return std::unexpected(wanted.error());
  return [all = std::move(*wanted)](const PolicyRequest& request) {
    return std::ranges::find(all, request.secure_transport) != all.end();
  };
}

// Only the user of a call may be absent. An address may be unknown, which is neither.
Result<Condition> null_condition(KeyId key, const Json& values, bool denies,
                                 const std::string& place) {
  auto wanted = read_booleans(values, place);
  if (!wanted) return std::unexpected(wanted.error());
  return [key, denies, all = std::move(*wanted)](const PolicyRequest& request) {
    if (is_unread(key, request)) return !denies;
    if (key == KeyId::source_ip && !parse_address(request.source_ip)) return denies;
    const bool absent = key == KeyId::user_id && !request.user_id;
    return std::ranges::find(all, absent) != all.end();
  };
}

Result<Condition> date_condition(const Operator& op, const Json& values, const std::string& place) {
  auto limits = read_values<WallTime>(
      values, place, [](const Json& value, const std::string& at) -> Result<WallTime> {
        const auto parsed =
            value.is_string() ? parse_iso8601(value.get_ref<const std::string&>()) : std::nullopt;
        if (!parsed) {
          return fail(Errc::invalid_argument, "must be a date such as 2026-01-22T10:00:00Z", at);
        }
        return *parsed;
      });
  if (!limits) return std::unexpected(limits.error());
  return [negated = op.negated, order = op.order,
          all = std::move(*limits)](const PolicyRequest& request) {
    const bool any =
        std::ranges::any_of(all, [&](WallTime limit) { return holds(order, request.now, limit); });
    return any != negated;
  };
}

}  // namespace

Result<Condition> parse_condition(const std::string& operator_name, const std::string& key,
                                  const Json& values, bool denies, const std::string& place) {
  const auto op = find_operator(operator_name);
  if (!op) return fail(Errc::invalid_argument, "unknown condition operator", place);
  const auto* const known = std::ranges::find_if(
      kKeys, [&](const Key& candidate) { return ascii::iequals(candidate.name, key); });
  if (known == kKeys.end()) return fail(Errc::invalid_argument, "unknown condition key", place);
  if (op->kind == Kind::null) return null_condition(known->id, values, denies, place);
  if (known->kind != op->kind) {
    return fail(Errc::invalid_argument, "the operator does not fit the key", place);
  }
  switch (op->kind) {
    case Kind::string:
      return string_condition(*op, known->id, values, denies, place);
    case Kind::address:
      return address_condition(*op, values, denies, place);
    case Kind::boolean:
      return boolean_condition(values, place);
    case Kind::date:
      return date_condition(*op, values, place);
    case Kind::null:
      break;
  }
  return fail(Errc::internal, "unknown kind", place);
}

bool is_user_key(std::string_view key) noexcept { return ascii::iequals(key, kUserKey); }

}  // namespace holdfast::iam
