#include <algorithm>

#include "control/routes.hpp"

namespace holdfast::control {
namespace {

constexpr std::string_view kMaySend =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke",)"
    R"("Resource":"*"}]})";

struct NewKey {
  std::string name;
  std::string policy;
};

Result<NewKey> read_new_key(std::string_view body) {
  auto input = parse_json(body);
  if (!input) return std::unexpected(input.error());
  if (!input->is_object()) return fail(Errc::invalid_argument, "must be an object", "body");
  NewKey out{.name = {}, .policy = std::string(kMaySend)};
  for (const auto& [member, value] : input->items()) {
    if (member == "name" && value.is_string()) {
      out.name = value.get<std::string>();
    } else if (member == "policy" && value.is_object()) {
      out.policy = value.dump();
    } else if (member == "name" || member == "policy") {
      return fail(Errc::invalid_argument,
                  member == "name" ? "must be a string" : "must be an object", member);
    } else {
      return fail(Errc::invalid_argument, "unknown member", member);
    }
  }
  if (out.name.empty()) return fail(Errc::invalid_argument, "is required", "name");
  return out;
}

Json to_json(const iam::AccessKey& key) {
  // It was parsed when the key was made.
  const auto policy = parse_json(key.policy->document());
  return {{"id", key.id},
          {"name", key.name},
          {"arn", key.arn},
          {"enabled", key.enabled},
          {"createdAt", format_iso8601(key.created_at)},
          {"policy", policy ? *policy : Json()}};
}

// Answers on the shard that serves the request what came on the keys' executor.
template <class T>
Completion<Result<T>> answer_on(Executor& shard, net::Responder respond,
                                std::move_only_function<net::Response(const T&)> make) {
  return [&shard, respond = std::move(respond), make = std::move(make)](Result<T> result) mutable {
    net::Response response = result ? make(*result) : json_error(result.error());
    shard.post([respond = std::move(respond), response = std::move(response)]() mutable {
      respond(std::move(response));
    });
  };
}

Completion<Result<void>> answer_done_on(Executor& shard, net::Responder respond) {
  return [&shard, respond = std::move(respond)](Result<void> result) mutable {
    net::Response response = result ? json_answer(Json::object()) : json_error(result.error());
    shard.post([respond = std::move(respond), response = std::move(response)]() mutable {
      respond(std::move(response));
    });
  };
}

// `{"enabled": …}`, all that can be changed of a key.
Result<bool> read_enabled(std::string_view body) {
  const auto input = parse_json(body);
  if (!input) return std::unexpected(input.error());
  if (!input->is_object() || input->size() != 1 || !input->contains("enabled") ||
      !input->at("enabled").is_boolean()) {
    return fail(Errc::invalid_argument, "must be an object with true or false in `enabled`",
                "body");
  }
  return input->at("enabled").get<bool>();
}

}  // namespace

void list_access_keys(Call call) {
  std::vector<iam::AccessKeyPtr> keys = call.parts.access_keys->list();
  std::ranges::sort(keys, {}, [](const iam::AccessKeyPtr& key) {
    return std::pair(std::string_view(key->name), std::string_view(key->id));
  });
  Json list = Json::array();
  for (const iam::AccessKeyPtr& key : keys) list.push_back(to_json(*key));
  call.respond(json_answer({{"accessKeys", std::move(list)}}));
}

void create_access_key(Call call) {
  auto input = read_new_key(call.body);
  if (!input) return call.respond(json_error(input.error()));
  const LocalControlParts& parts = call.parts;
  auto done = answer_on<iam::AccessKeys::Created>(
      *parts.router.shard(call.shard).executor, std::move(call.respond),
      [name = input->name](const iam::AccessKeys::Created& created) {
        return json_answer({{"id", created.id}, {"secret", created.secret}, {"name", name}}, 201);
      });
  parts.keys_executor.post(
      [&keys = *parts.access_keys, input = std::move(*input), done = std::move(done)]() mutable {
        keys.create(std::move(input.name), std::move(input.policy), std::move(done));
      });
}

void change_access_key(Call call) {
  const auto enabled = read_enabled(call.body);
  if (!enabled) return call.respond(json_error(enabled.error()));
  const LocalControlParts& parts = call.parts;
  auto done = answer_done_on(*parts.router.shard(call.shard).executor, std::move(call.respond));
  parts.keys_executor.post(
      [&keys = *parts.access_keys, id = std::move(call.id), enabled = *enabled,
       done = std::move(done)]() mutable { keys.set_enabled(id, enabled, std::move(done)); });
}

void delete_access_key(Call call) {
  const LocalControlParts& parts = call.parts;
  auto done = answer_done_on(*parts.router.shard(call.shard).executor, std::move(call.respond));
  parts.keys_executor.post(
      [&keys = *parts.access_keys, id = std::move(call.id), done = std::move(done)]() mutable {
        keys.remove(id, std::move(done));
      });
}

void rotate_keys(Call call) {
  const LocalControlParts& parts = call.parts;
  auto done = answer_on<std::uint32_t>(
      *parts.router.shard(call.shard).executor, std::move(call.respond),
      [](const std::uint32_t& id) { return json_answer({{"keyId", id}}); });
  parts.keys_executor.post([&ring = *parts.key_ring, done = std::move(done)]() mutable {
    ring.rotate(std::move(done));
  });
}

}  // namespace holdfast::control
