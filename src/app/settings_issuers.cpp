// Keys of external issuers.

#include <holdfast/identity/issuers.hpp>

#include "setting_rows.hpp"

namespace holdfast::app {
namespace {

constexpr std::pair<std::string_view, identity::SigningAlgorithm> kAlgorithms[] = {
    {"RS256", identity::SigningAlgorithm::rs256},
    {"ES256", identity::SigningAlgorithm::es256},
    {"EdDSA", identity::SigningAlgorithm::eddsa},
};

identity::IssuerOptions issuer_of(const Json& object) {
  const auto text = [&object](const char* name) { return object.value(name, std::string()); };
  identity::IssuerOptions out;
  out.issuer = text("issuer");
  out.audiences = object["audience"].get<std::vector<std::string>>();
  if (object.contains("algorithms")) {
    out.algorithms.clear();
    for (const auto& [name, algorithm] : kAlgorithms) {
      const Json& named = object["algorithms"];
      if (std::ranges::find(named, Json(name)) != named.end()) out.algorithms.push_back(algorithm);
    }
  }
  out.user_id_claim = object.value("user_id_claim", out.user_id_claim);
  out.user_id_prefix = text("user_id_prefix");
  out.token_use = text("token_use");
  out.jwks_url = text("jwks_url");
  out.jwks_file = text("jwks_file");
  out.ca_file = text("ca_file");
  return out;
}

Json issuer_json(const identity::IssuerOptions& issuer) {
  Json algorithms = Json::array();
  for (const auto& [name, algorithm] : kAlgorithms) {
    if (std::ranges::find(issuer.algorithms, algorithm) != issuer.algorithms.end()) {
      algorithms.push_back(name);
    }
  }
  Json out = {{"issuer", issuer.issuer},
              {"audience", issuer.audiences},
              {"algorithms", std::move(algorithms)},
              {"user_id_claim", issuer.user_id_claim},
              {"user_id_prefix", issuer.user_id_prefix}};
  const auto put = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  put("token_use", issuer.token_use);
  put("jwks_url", issuer.jwks_url);
  put("jwks_file", issuer.jwks_file);
  put("ca_file", issuer.ca_file);
  return out;
}

Setting issuers_setting() {
  Setting s = member("identity.issuers", SettingType::objects);
  s.doc =
      "Other OpenID Connect issuers whose ID tokens `GET /tokens` accepts. Each is an object with "
      "`issuer`, `audience` (a list of client ids) and `user_id_prefix`. Optional members: "
      "`algorithms` (default [\"RS256\"]; also ES256, EdDSA), `user_id_claim` (default sub), "
      "`token_use`, `jwks_url` or `jwks_file` (default: by discovery), `ca_file`.";
  Setting algorithms = member("algorithms", SettingType::texts);
  for (const auto& [name, algorithm] : kAlgorithms) algorithms.choices.push_back(name);
  s.fields = {member("issuer", SettingType::text),         member("audience", SettingType::texts),
              member("user_id_prefix", SettingType::text), std::move(algorithms),
              member("user_id_claim", SettingType::text),  member("token_use", SettingType::text),
              member("jwks_url", SettingType::text),       member("jwks_file", SettingType::text),
              member("ca_file", SettingType::text)};
  s.fields[0].required = s.fields[1].required = s.fields[2].required = true;
  s.refuse_object = [](const Json& issuer) {
    return identity::refuse_issuers({issuer_of(issuer)});
  };
  s.read = [](const Config& config) {
    Json out = Json::array();
    for (const auto& issuer : config.identity.issuers) out.push_back(issuer_json(issuer));
    return out;
  };
  s.write = [](Config& config, const Json& value) {
    config.identity.issuers.clear();
    for (const Json& object : value) config.identity.issuers.push_back(issuer_of(object));
  };
  return s;
}

}  // namespace

void add_issuers(std::vector<Setting>& t) {
  t.push_back(issuers_setting());
  t.push_back(integer("identity.jwks_refresh_seconds", HOLDFAST_FIELD(identity.keys.refresh), 60,
                      kDaySeconds,
                      "Interval at which the issuers' keys are read again. An unknown key id reads "
                      "them too, at most once a minute."));
  t.push_back(integer(
      "identity.jwks_timeout_ms", HOLDFAST_FIELD(identity.jwks_timeout), 100, 30'000,
      "Time that reading keys may take. A token that needs them waits up to a second longer."));
}

}  // namespace holdfast::app
