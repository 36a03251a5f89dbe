// The routes for access keys, temporary credentials and key rotation.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/log.hpp>

#include "routes.hpp"

namespace holdfast::control {
namespace {

constexpr std::string_view kMaySend =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke",)"
    R"("Resource":"*"}]})";

Result<Json> read_object(std::string_view body) {
  auto input = parse_json(body);
  if (!input) return std::unexpected(input.error());
  if (!input->is_object()) return refuse("must be an object", "body");
  return input;
}

Result<std::string> read_policy(const Json& value) {
  if (!value.is_object()) return refuse("must be an object", "policy");
  return value.dump();
}

// Reads a rate; null means the configured default.
Result<iam::KeyRate> read_rate(const Json& value) {
  if (value.is_null()) return iam::KeyRate();
  const auto number = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  const bool good = number >= 0 && number <= std::int64_t{iam::kKeyRateMax};
  if (!good) return refuse("must be null or 0 to 1000000", "requestsPerSecond");
  return iam::KeyRate(value.get<std::uint32_t>());
}

// null: never.
Result<std::optional<Seconds>> read_lifetime(const Json& value) {
  if (value.is_null()) return std::optional<Seconds>();
  if (!value.is_number_integer()) return refuse("must be null or an integer", "expiresInSeconds");
  return std::optional(Seconds(value.get<std::int64_t>()));
}

Result<std::string> read_text(const Json& value, const std::string& member) {
  if (!value.is_string()) return refuse("must be a string", member);
  return value.get<std::string>();
}

// Stores a value that was read in `place`, or returns its error.
template <class Value, class Place>
Result<void> keep(Result<Value> value, Place& place) {
  if (!value) return std::unexpected(std::move(value.error()));
  place = std::move(*value);
  return {};
}

Result<iam::AccessKeys::NewKey> read_new_key(std::string_view body) {
  const auto input = read_object(body);
  if (!input) return std::unexpected(input.error());
  iam::AccessKeys::NewKey out{.name = {}, .policy = std::string(kMaySend)};
  for (const auto& [member, value] : input->items()) {
    if (is_absent(member, value, {"policy"})) continue;
    const Result<void> kept = member == "name"     ? keep(read_text(value, member), out.name)
                              : member == "policy" ? keep(read_policy(value), out.policy)
                              : member == "requestsPerSecond" ? keep(read_rate(value), out.rate)
                              : member == "expiresInSeconds"
                                  ? keep(read_lifetime(value), out.lifetime)
                                  : refuse("unknown member", member);
    if (!kept) return std::unexpected(kept.error());
  }
  if (out.name.empty()) return refuse("is required", "name");
  return out;
}

// Reads the changes of a key; at least one is required.
Result<iam::AccessKeyChange> read_change(std::string_view body) {
  const auto input = read_object(body);
  if (!input) return std::unexpected(input.error());
  iam::AccessKeyChange out;
  bool any = false;
  for (const auto& [member, value] : input->items()) {
    if (is_absent(member, value, {"enabled", "policy"})) continue;
    any = true;
    Result<void> kept;
    if (member == "enabled" && value.is_boolean()) {
      out.enabled = value.get<bool>();
    } else if (member == "enabled") {
      kept = refuse("must be true or false", member);
    } else if (member == "policy") {
      kept = keep(read_policy(value), out.policy);
    } else if (member == "requestsPerSecond") {
      kept = keep(read_rate(value), out.rate);
    } else {
      kept = refuse("unknown member", member);
    }
    if (!kept) return std::unexpected(kept.error());
  }
  if (!any) return refuse("changes nothing", "body");
  return out;
}

struct SessionInput {
  std::string key_id;
  Seconds lifetime = iam::kSessionLifetimeDefault;
  std::optional<std::string> policy;
};

Result<SessionInput> read_session(std::string_view body) {
  const auto input = read_object(body);
  if (!input) return std::unexpected(input.error());
  SessionInput out;
  for (const auto& [member, value] : input->items()) {
    if (is_absent(member, value, {"policy", "durationSeconds"})) continue;
    Result<void> kept;
    if (member == "accessKeyId") {
      kept = keep(read_text(value, member), out.key_id);
    } else if (member == "policy") {
      kept = keep(read_policy(value), out.policy);
    } else if (member == "durationSeconds" && value.is_number_integer()) {
      out.lifetime = Seconds(value.get<std::int64_t>());
    } else if (member == "durationSeconds") {
      kept = refuse("must be an integer", member);
    } else {
      kept = refuse("unknown member", member);
    }
    if (!kept) return std::unexpected(kept.error());
  }
  if (out.key_id.empty()) return refuse("is required", "accessKeyId");
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
          {"expiresAt", key.expires_at ? Json(format_iso8601(*key.expires_at)) : Json()},
          {"requestsPerSecond", key.rate ? Json(*key.rate) : Json()},
          {"policy", policy ? *policy : Json()}};
}

// Passes an answer from the keys' executor to the shard that serves the request.
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

void show_access_key(Call call) {
  const iam::AccessKeyPtr key = call.parts.access_keys->find(call.id);
  if (!key) {
    return call.respond(json_error(Error(Errc::not_found, "there is no access key of this id")));
  }
  call.respond(json_answer(to_json(*key)));
}

void create_access_key(Call call) {
  auto input = read_new_key(call.body);
  if (!input) return call.respond(json_error(input.error()));
  const LocalControlParts& parts = call.parts;
  auto done = answer_on<iam::AccessKeys::Created>(
      *parts.router.shard(call.shard).executor, std::move(call.respond),
      [name = input->name, audit = call.audit](const iam::AccessKeys::Created& created) {
        if (audit) audit->target = "access_key:" + created.id;
        const auto& expiry = created.expires_at;
        return json_answer({{"id", created.id},
                            {"secret", created.secret},
                            {"name", name},
                            {"expiresAt", expiry ? Json(format_iso8601(*expiry)) : Json()}},
                           201);
      });
  parts.keys_executor.post(
      [&keys = *parts.access_keys, input = std::move(*input), done = std::move(done)]() mutable {
        keys.create(std::move(input), std::move(done));
      });
}

void change_access_key(Call call) {
  auto change = read_change(call.body);
  if (!change) return call.respond(json_error(change.error()));
  const LocalControlParts& parts = call.parts;
  auto done = answer_done_on(*parts.router.shard(call.shard).executor, std::move(call.respond));
  parts.keys_executor.post(
      [&keys = *parts.access_keys, id = std::move(call.id), change = std::move(*change),
       done = std::move(done)]() mutable { keys.change(id, std::move(change), std::move(done)); });
}

void delete_access_key(Call call) {
  const LocalControlParts& parts = call.parts;
  auto done = answer_done_on(*parts.router.shard(call.shard).executor, std::move(call.respond));
  parts.keys_executor.post(
      [&keys = *parts.access_keys, id = std::move(call.id), done = std::move(done)]() mutable {
        keys.remove(id, std::move(done));
      });
}

void create_session(Call call) {
  const auto input = read_session(call.body);
  if (!input) return call.respond(json_error(input.error()));
  if (call.audit) call.audit->target = "access_key:" + input->key_id;
  const auto session = call.parts.access_keys->make_temporary_credentials(
      input->key_id, input->lifetime, input->policy);
  if (!session) return call.respond(json_error(session.error()));
  // Nothing else will tell whose it is.
  log::info("session_made", {{"id", session->id},
                             {"access_key_id", input->key_id},
                             {"expires_at", format_iso8601(session->expires_at)}});
  call.respond(json_answer({{"Version", 1},
                            {"AccessKeyId", session->id},
                            {"SecretAccessKey", session->secret},
                            {"SessionToken", session->token},
                            {"Expiration", format_iso8601(session->expires_at)}},
                           201));
}

void rotate_keys(Call call) {
  const LocalControlParts& parts = call.parts;
  struct Made {
    std::uint32_t data_key;
    std::uint32_t signing_key;
  };
  auto done = answer_on<Made>(
      *parts.router.shard(call.shard).executor, std::move(call.respond), [](const Made& made) {
        return json_answer({{"keyId", made.data_key}, {"signingKeyId", made.signing_key}});
      });
  parts.keys_executor.post([&ring = *parts.key_ring, &signer = *parts.signer,
                            done = std::move(done)]() mutable {
    // The one that can refuse goes first.
    signer.rotate([&ring, done = std::move(done)](Result<std::uint32_t> signing_key) mutable {
      if (!signing_key) return done(std::unexpected(std::move(signing_key.error())));
      ring.rotate([id = *signing_key, done = std::move(done)](Result<std::uint32_t> key) mutable {
        if (!key) return done(std::unexpected(std::move(key.error())));
        done(Made{.data_key = *key, .signing_key = id});
      });
    });
  });
}

}  // namespace holdfast::control
