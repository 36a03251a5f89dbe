// The routes that manage the users of the pool.

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/identity/user_pool.hpp>

#include "routes.hpp"

namespace holdfast::control {
namespace {

using identity::PoolErrc;
using identity::PoolError;
using identity::PoolResult;
using identity::User;
using identity::UserPool;

constexpr std::size_t kUsersPerPage = 60;  // what the pool lists at most

Errc code_of(PoolErrc code) noexcept {
  switch (code) {
    case PoolErrc::user_not_found:
    case PoolErrc::resource_not_found:
      return Errc::not_found;
    case PoolErrc::username_exists:
      return Errc::already_exists;
    case PoolErrc::invalid_parameter:
    case PoolErrc::invalid_password:
    case PoolErrc::unsupported_token_type:
      return Errc::invalid_argument;
    case PoolErrc::limit_exceeded:
    case PoolErrc::too_many_requests:
      return Errc::too_many_requests;
    case PoolErrc::not_authorized:
    case PoolErrc::locked:
    case PoolErrc::unauthorized:
    case PoolErrc::refresh_token_reuse:
      return Errc::forbidden;
    case PoolErrc::user_not_confirmed:
    case PoolErrc::password_reset_required:
    case PoolErrc::code_mismatch:
    case PoolErrc::expired_code:
      return Errc::conflict;
    case PoolErrc::code_delivery_failure:
    case PoolErrc::unavailable:
      break;
  }
  return Errc::unavailable;
}

net::Response pool_error(const PoolError& error) {
  return json_error(Error(code_of(error.code), error.message));
}

Json to_json(const User& user) {
  const bool has_password = !user.password_hash.empty();
  return {{"username", user.username},
          {"userId", user.sub.str()},
          {"status", identity::to_string(user.status)},
          {"enabled", user.enabled},
          {"createdAt", format_iso8601(user.created_at)},
          {"modifiedAt", format_iso8601(user.modified_at)},
          {"passwordSetAt", has_password ? Json(format_iso8601(user.password_set_at)) : Json()},
          {"attributes", user.attributes}};
}

/// The bodies of the group's requests; each request takes some of it.
struct UserInput {
  std::optional<std::string> username;
  std::optional<std::string> password;
  std::optional<bool> permanent;
  std::optional<bool> enabled;
  std::optional<std::map<std::string, std::string>> attributes;
};

Result<void> read_attributes(const Json& value, UserInput& into) {
  if (!value.is_object()) return refuse("must be an object of strings", "attributes");
  auto& attributes = into.attributes.emplace();
  for (const auto& [name, text] : value.items()) {
    if (text.is_null()) continue;
    if (!text.is_string()) return refuse("must be an object of strings", "attributes");
    attributes[name] = text.get<std::string>();
  }
  return {};
}

Result<void> read_member(const std::string& member, const Json& value, UserInput& into) {
  if (member == "attributes") return read_attributes(value, into);
  for (auto [name, place] : {std::pair("username", &into.username), {"password", &into.password}}) {
    if (member != name) continue;
    if (!value.is_string()) return refuse("must be a string", member);
    *place = value.get<std::string>();
    return {};
  }
  for (auto [name, place] : {std::pair("permanent", &into.permanent), {"enabled", &into.enabled}}) {
    if (member != name) continue;
    if (!value.is_boolean()) return refuse("must be true or false", member);
    *place = value.get<bool>();
    return {};
  }
  return refuse("unknown member", member);
}

Result<UserInput> read_input(std::string_view body) {
  const auto input = parse_json(body);
  if (!input) return std::unexpected(input.error());
  if (!input->is_object()) return refuse("must be an object", "body");
  UserInput out;
  for (const auto& [member, value] : input->items()) {
    if (is_absent(member, value, {"attributes", "password", "permanent", "enabled"})) continue;
    if (auto read = read_member(member, value, out); !read) return std::unexpected(read.error());
  }
  return out;
}

Result<UserInput> read_new_user(std::string_view body) {
  auto input = read_input(body);
  if (!input) return input;
  if (input->enabled) return refuse("unknown member", "enabled");
  if (!input->username) return refuse("is required", "username");
  if (input->permanent.value_or(false) && !input->password)
    return refuse("is required", "password");
  return input;
}

// One change at a time, so that none is made without the other.
Result<UserInput> read_user_change(std::string_view body) {
  auto input = read_input(body);
  if (!input) return input;
  if (input->username) return refuse("cannot be changed", "username");
  if (input->attributes) return refuse("cannot be changed here", "attributes");
  if (input->enabled.has_value() == input->password.has_value()) {
    return refuse("must have either `enabled` or `password`", "body");
  }
  if (input->permanent && !input->password) return refuse("goes with `password`", "permanent");
  return input;
}

UserPool& pool_of(const Call& call) { return *call.parts.user_pools[call.shard]; }

/// Answers a call with the pool's result.
template <class T, class Make>
Completion<PoolResult<T>> answer(net::Responder respond, Make make) {
  return [respond = std::move(respond), make = std::move(make)](PoolResult<T> result) mutable {
    if (!result) return respond(pool_error(result.error()));
    if constexpr (std::is_void_v<T>) {
      respond(make());
    } else {
      respond(make(*result));
    }
  };
}

Completion<PoolResult<void>> answer_done(net::Responder respond) {
  return answer<void>(std::move(respond), [] { return json_answer(Json::object()); });
}

/// Finds a user by id or, if no user has the id, by name. The id comes first, because users cannot
/// choose their id.
using WithName = std::move_only_function<void(Call, identity::UserName)>;
void resolve(Call call, WithName next) {
  const std::string pool_id = call.parts.user_pool_id;
  if (!parse_message_id(call.id)) {
    identity::UserName name{.pool_id = pool_id, .username = call.id};
    return next(std::move(call), std::move(name));
  }
  identity::ListUsersRequest by_id;
  by_id.pool_id = pool_id;
  by_id.filter = "sub = \"" + call.id + "\"";
  UserPool& pool = pool_of(call);
  pool.list_users(std::move(by_id), [call = std::move(call), next = std::move(next)](
                                        PoolResult<identity::UserList> found) mutable {
    if (!found) return call.respond(pool_error(found.error()));
    identity::UserName name{.pool_id = call.parts.user_pool_id, .username = call.id};
    if (!found->users.empty()) name.username = found->users.front().username;
    next(std::move(call), std::move(name));
  });
}

void set_password(Call call, identity::UserName user, UserInput input) {
  identity::SetPasswordRequest change{.user = std::move(user),
                                      .password = std::move(*input.password),
                                      .permanent = input.permanent.value_or(false),
                                      .source = identity::Source::of_operator()};
  pool_of(call).admin_set_user_password(std::move(change), answer_done(std::move(call.respond)));
}

}  // namespace

void list_users(Call call) {
  const auto limit = call.limit();
  if (!limit) return call.respond(json_error(limit.error()));
  identity::ListUsersRequest input;
  input.pool_id = call.parts.user_pool_id;
  input.limit = std::min(*limit, kUsersPerPage);
  if (const std::string* const filter = call.parameter("filter")) input.filter = *filter;
  if (const std::string* const after = call.parameter("after")) input.pagination_token = *after;
  pool_of(call).list_users(
      std::move(input),
      answer<identity::UserList>(std::move(call.respond), [](const identity::UserList& list) {
        Json users = Json::array();
        for (const User& user : list.users) users.push_back(to_json(user));
        return json_answer(
            {{"users", std::move(users)},
             {"next", list.pagination_token.empty() ? Json() : Json(list.pagination_token)}});
      }));
}

void create_user(Call call) {
  auto input = read_new_user(call.body);
  if (!input) return call.respond(json_error(input.error()));
  identity::CreateUserRequest create;
  create.pool_id = call.parts.user_pool_id;
  create.username = std::move(*input->username);
  create.temporary_password = std::move(input->password);
  create.permanent = input->permanent.value_or(false);
  create.source = identity::Source::of_operator();
  if (input->attributes) create.attributes = std::move(*input->attributes);
  if (call.audit) call.audit->target = "username:" + create.username;
  pool_of(call).admin_create_user(std::move(create),
                                  answer<User>(std::move(call.respond), [](const User& user) {
                                    return json_answer(to_json(user), 201);
                                  }));
}

void show_user(Call call) {
  resolve(std::move(call), [](Call found, identity::UserName name) {
    pool_of(found).admin_get_user(
        std::move(name), answer<User>(std::move(found.respond),
                                      [](const User& user) { return json_answer(to_json(user)); }));
  });
}

void change_user(Call call) {
  auto input = read_user_change(call.body);
  if (!input) return call.respond(json_error(input.error()));
  if (call.audit) {
    call.audit->action = input->password   ? "user.set_password"
                         : *input->enabled ? "user.enable"
                                           : "user.disable";
  }
  resolve(std::move(call),
          [input = std::move(*input)](Call found, identity::UserName name) mutable {
            if (input.password) {
              return set_password(std::move(found), std::move(name), std::move(input));
            }
            UserPool& pool = pool_of(found);
            auto done = answer_done(std::move(found.respond));
            if (*input.enabled) {
              pool.admin_enable_user(std::move(name), std::move(done));
            } else {
              pool.admin_disable_user(std::move(name), std::move(done));
            }
          });
}

void delete_user(Call call) {
  resolve(std::move(call), [](Call found, identity::UserName name) {
    pool_of(found).admin_delete_user(std::move(name), answer_done(std::move(found.respond)));
  });
}

void sign_user_out(Call call) {
  resolve(std::move(call), [](Call found, identity::UserName name) {
    pool_of(found).admin_user_global_sign_out(std::move(name),
                                              answer_done(std::move(found.respond)));
  });
}

}  // namespace holdfast::control
