// ListUsers: users by name, page by page, with one condition.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/base/encoding.hpp>

#include "pool_context.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kListLimit = 60;
constexpr std::size_t kFilterLimit = 256;
constexpr std::size_t kPaginationTokenLimit = 1024;
// One read of the store, and all that one call reads: others' commits wait for either.
constexpr std::size_t kPageUsers = 250;
constexpr std::size_t kPagesPerCall = 8;

constexpr std::array<std::string_view, 10> kSearchable{
    "username",    "email", "phone_number",       "name",   "given_name",
    "family_name", "sub",   "preferred_username", "status", "cognito:user_status"};

struct Filter {
  std::string attribute;
  std::string value;
  bool prefix = false;
};

std::unexpected<PoolError> bad_filter(const std::string& why) {
  return refuse(PoolErrc::invalid_parameter, "Error while parsing filter: " + why);
}

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

// `"` and `\` inside the quotes are escaped by `\`.
std::optional<std::string> read_quoted(std::string_view& text) {
  if (text.empty() || text.front() != '"') return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return out;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return std::nullopt;
}

PoolResult<Filter> parse_filter(std::string_view text) {
  Filter filter;
  text = skip_blanks(text);
  const std::size_t end = std::min(text.find_first_of(" =^"), text.size());
  filter.attribute = text.substr(0, end);
  // Quotes around the attribute's name are allowed.
  if (filter.attribute.size() > 2 && filter.attribute.front() == '"' &&
      filter.attribute.back() == '"') {
    filter.attribute = filter.attribute.substr(1, filter.attribute.size() - 2);
  }
  if (std::ranges::find(kSearchable, filter.attribute) == kSearchable.end()) {
    return bad_filter("the attribute cannot be searched.");
  }
  text = skip_blanks(text.substr(end));
  filter.prefix = text.starts_with("^=");
  if (!filter.prefix && !text.starts_with("=")) return bad_filter("expected = or ^=.");
  text = skip_blanks(text.substr(filter.prefix ? 2 : 1));
  auto value = read_quoted(text);
  if (!value || !skip_blanks(text).empty()) return bad_filter("expected a value in quotes.");
  filter.value = std::move(*value);
  if (filter.attribute == "username") filter.value = fold_username(filter.value);
  return filter;
}

std::string value_of(const User& user, const std::string& attribute) {
  if (attribute == "username") return fold_username(user.username);
  if (attribute == "sub") return user.sub.str();
  if (attribute == "status") return user.enabled ? "Enabled" : "Disabled";
  if (attribute == "cognito:user_status") return to_string(user.status);
  const auto found = user.attributes.find(attribute);
  return found == user.attributes.end() ? std::string() : found->second;
}

bool matches(const User& user, const std::optional<Filter>& filter) {
  if (!filter) return true;
  const std::string value = value_of(user, filter->attribute);
  return filter->prefix ? value.starts_with(filter->value) : value == filter->value;
}

PoolResult<std::string> read_pagination_token(const std::string& token) {
  if (token.empty()) return std::string();
  const auto after = token.size() > kPaginationTokenLimit ? std::nullopt : base64url_decode(token);
  if (!after || after->empty()) {
    return refuse(PoolErrc::invalid_parameter, "Invalid pagination token.");
  }
  return *after;
}

/// Reads pages until enough users match, or enough were read.
class Listing : public std::enable_shared_from_this<Listing> {
 public:
  Listing(PoolContextPtr pool, std::optional<Filter> filter, std::string after, std::size_t limit,
          Completion<PoolResult<UserList>> done)
      : pool_(std::move(pool)),
        filter_(std::move(filter)),
        after_(std::move(after)),
        limit_(limit),
        done_(std::move(done)) {}

  void read() {
    // Reads one more than wanted, to know whether more follow.
    const std::size_t count = filter_ ? kPageUsers : limit_ + 1;
    pool_->parts.users.list(after_, count,
                            [self = shared_from_this(), count](Result<std::vector<User>> users) {
                              self->on_page(count, std::move(users));
                            });
  }

 private:
  void on_page(std::size_t count, Result<std::vector<User>> users) {
    if (!users) {
      done_(refuse(users.error()));
      return;
    }
    for (User& user : *users) {
      const bool fits = matches(user, filter_);
      if (fits && found_.users.size() == limit_) return finish(Rest::more);
      after_ = fold_username(user.username);
      if (fits) found_.users.push_back(std::move(user));
    }
    if (users->size() < count) return finish(Rest::none);
    if (++pages_ == kPagesPerCall) return finish(Rest::more);
    read();
  }
  enum class Rest : std::uint8_t { none, more };
  void finish(Rest rest) {
    if (rest == Rest::more) found_.pagination_token = base64url_encode(after_);
    done_(std::move(found_));
  }

  PoolContextPtr pool_;
  std::optional<Filter> filter_;
  std::string after_;
  std::size_t limit_;
  Completion<PoolResult<UserList>> done_;
  UserList found_;
  std::size_t pages_ = 0;
};

// Looks up the single user that a condition names.
void find_one(const PoolContextPtr& pool, const Filter& filter,
              Completion<PoolResult<UserList>> done) {
  UserKey who = filter.value;
  if (filter.attribute == "sub") who = UserId(filter.value);
  find_user(pool, who, [done = std::move(done)](PoolResult<User> user) mutable {
    UserList out;
    if (user) {
      out.users.push_back(std::move(*user));
    } else if (user.error().code != PoolErrc::user_not_found) {
      done(std::unexpected(std::move(user.error())));
      return;
    }
    done(std::move(out));
  });
}

}  // namespace

void UserPool::list_users(ListUsersRequest input, Completion<PoolResult<UserList>> done) {
  PoolResult<void> good = check_pool(input.pool_id, pool_->options);
  if (good && input.limit > kListLimit) {
    good = refuse(PoolErrc::invalid_parameter,
                  "1 validation error detected: Value '" + std::to_string(input.limit) +
                      "' at 'limit' failed to satisfy constraint: Member must have value less "
                      "than or equal to 60");
  }
  if (good && input.filter.size() > kFilterLimit) good = bad_filter("longer than 256 characters.");
  std::optional<Filter> filter;
  if (good && !input.filter.empty()) {
    PoolResult<Filter> parsed = parse_filter(input.filter);
    if (parsed) {
      filter = std::move(*parsed);
    } else {
      good = std::unexpected(std::move(parsed.error()));
    }
  }
  PoolResult<std::string> after = read_pagination_token(input.pagination_token);
  if (good && !after) good = std::unexpected(std::move(after.error()));
  if (!good) {
    pool_->answer<UserList>(std::move(done), std::unexpected(std::move(good.error())));
    return;
  }
  if (filter && !filter->prefix &&
      (filter->attribute == "username" || filter->attribute == "sub")) {
    find_one(pool_, *filter, std::move(done));
    return;
  }
  const std::size_t limit = input.limit == 0 ? kListLimit : input.limit;
  std::make_shared<Listing>(pool_, std::move(filter), std::move(*after), limit, std::move(done))
      ->read();
}

}  // namespace holdfast::identity
