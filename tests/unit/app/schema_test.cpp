// Compares the JSON Schema with the reader of configurations.

#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <holdfast/app/config.hpp>

#include "app/commented_json.hpp"
#include "app/settings.hpp"
#include "support/base/temp_dir.hpp"

namespace holdfast::app {
namespace {

std::string shipped(const char* name) {
  std::ifstream in(std::string(HOLDFAST_SOURCE_DIR "/config/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class SchemaTest : public ::testing::Test {
 protected:
  SchemaTest() {
    const auto text = nlohmann::json::parse(config_schema_text());
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(text), schema_);
  }
  bool schema_takes(const Json& configuration) {
    const auto plain = nlohmann::json::parse(configuration.dump());
    valijson::Validator validator;
    return validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(plain), nullptr);
  }
  std::vector<ConfigProblem> problems(const Json& configuration) {
    const std::string path = dir_.file("holdfast.json");
    std::ofstream(path, std::ios::binary) << configuration.dump();
    return examine_config({.file = path}).problems;
  }

  test::TempDir dir_;
  valijson::Schema schema_;
};

Json configuration_of(const Setting& setting, Json value) {
  return {{std::string(setting.section()), {{std::string(setting.name()), std::move(value)}}}};
}

// A value that comes close to what configurations hold, right or wrong.
class Values {
 public:
  explicit Values(std::uint64_t seed) : random_(seed) {}

  Json any(const Setting& setting) {
    if (below(4) != 0) return fitting(setting);
    const Setting& other = setting_table()[below(setting_table().size())];
    if (below(2) == 0) return fitting(other);
    const Json odd[] = {nullptr,        0.5,        -1,   true, "", Json::array(),
                        Json::object(), {{"a", 1}}, 1e300};
    return odd[below(std::size(odd))];
  }

 private:
  Json fitting(const Setting& setting) {
    switch (setting.type) {
      case SettingType::boolean:
        return below(2) == 0;
      case SettingType::integer: {
        const std::int64_t near[] = {setting.min,     setting.min - 1, setting.min + 1,
                                     setting.max / 2, setting.max,     setting.max - 1};
        const auto value = near[below(std::size(near))];
        return setting.max < INT64_MAX && below(6) == 0 ? Json(setting.max + 1) : Json(value);
      }
      case SettingType::text:
        return text();
      case SettingType::choice:
        return choice(setting);
      case SettingType::texts: {
        Json out = Json::array();
        for (std::size_t i = below(3); i > 0; --i) {
          out.push_back(setting.choices.empty() ? Json(text()) : choice(setting));
        }
        return out;
      }
      case SettingType::objects: {
        Json out = Json::array();
        for (std::size_t i = below(3); i > 0; --i) out.push_back(object(setting.fields));
        return out;
      }
    }
    return nullptr;
  }
  Json choice(const Setting& setting) {
    if (below(5) == 0) return "none of them";
    return setting.choices[below(setting.choices.size())];
  }
  Json object(const std::vector<Setting>& fields) {
    Json out = Json::object();
    for (const Setting& field : fields) {
      if (below(5) > 1) out[std::string(field.key)] = fitting(field);
    }
    if (below(8) == 0) out["unknown"] = 1;
    return out;
  }
  std::string text() {
    constexpr const char* kWhole[] = {"127.0.0.1:8080",
                                      "[::1]:0",
                                      "[]:1",
                                      "::1:80",
                                      "unix:/run/a",
                                      "unix:80",
                                      "host:65535",
                                      "host:65536",
                                      "host:00080",
                                      "a b:1",
                                      "*",
                                      "0600",
                                      "0640",
                                      "0700",
                                      "06",
                                      "0607",
                                      "us-east-1",
                                      "000000000000",
                                      "10.0.0.0/8",
                                      "unix",
                                      "fd00::/8",
                                      "https://a",
                                      "https://a/b",
                                      "https://a/",
                                      "http://a?b",
                                      "https://a:1",
                                      "ftp://a",
                                      "http://",
                                      "",
                                      "Stack-1",
                                      "1stack",
                                      "a_b",
                                      "https:///",
                                      "http://a b",
                                      "http://ü",
                                      "ümlaut",
                                      "x y",
                                      "\x7f",
                                      "[x",
                                      "x]:1",
                                      "[a:1]:2",
                                      ":80",
                                      "host:123456",
                                      "unix:relative:80",
                                      "cert.pem",
                                      "[ ]:9",
                                      "a/b:1",
                                      "\n:1"};
    if (below(4) != 0) return kWhole[below(std::size(kWhole))];
    constexpr std::string_view kBytes = "abZ019-_:/[].*?# \t\n~!";
    std::string out(below(140), 'x');
    for (char& c : out) c = kBytes[below(kBytes.size())];
    const char* const starts[] = {"", "unix:/", "http://", "[", "06"};
    return starts[below(std::size(starts))] + out;
  }
  std::size_t below(std::size_t bound) { return random_() % bound; }

  std::mt19937_64 random_;
};

// Returns whether the schema can see a problem: a wrong type, range, choice, member or pattern of
// one value. It cannot judge networks, issuers and listeners, nor rules between keys.
bool schema_can_tell(const Setting& setting, const Json& value, const ConfigProblem& problem) {
  if (problem.key != setting.key) return false;  // asked for by another key
  const auto refused = refuse_value(setting, value);
  if (!refused) return false;  // together with other keys
  if (setting.key == "server.trusted_proxies") return !refused->starts_with("must hold addresses");
  if (setting.type != SettingType::objects || !value.is_array()) return true;
  for (const Json& object : value) {
    Setting one = setting;
    one.refuse_object = [](const Json&) -> std::optional<std::string> { return std::nullopt; };
    if (refuse_value(one, Json::array({object}))) return true;
  }
  return false;
}

TEST_F(SchemaTest, ShipsTheSchemaOfTheTable) {
  EXPECT_EQ(shipped("holdfast.schema.json"), config_schema_text())
      << "regenerate it: holdfast check-config --schema > config/holdfast.schema.json";
}

TEST_F(SchemaTest, TakesTheShippedConfiguration) {
  const auto file = parse_json(strip_comments(shipped("holdfast.json")));
  ASSERT_TRUE(file);
  EXPECT_TRUE(schema_takes(*file));
  EXPECT_TRUE(schema_takes(Json::object()));
}

TEST_F(SchemaTest, RefusesWhatTheProgramRefuses) {
  for (const char* text :
       {R"({"sever": {}})", R"({"server": {"lisen": "a:1"}})", R"({"server": []})", "[]",
        R"({"server": {"workers": "4"}})", R"({"server": {"workers": 257}})",
        R"({"server": {"workers": 1.5}})", R"({"server": {"listen": "here"}})",
        R"({"delivery": {"policy": "some"}})", R"({"aws": {"account": "1"}})",
        R"({"server": {"listeners": [{"address": "a:1"}]}})", R"({"$schema": 1})",
        R"({"server": {"parts": ["control"]}})", R"({"websocket": {"allowed_origins": "*"}})"}) {
    const auto configuration = parse_json(text);
    ASSERT_TRUE(configuration) << text;
    EXPECT_FALSE(schema_takes(*configuration)) << text;
    EXPECT_FALSE(problems(*configuration).empty()) << text;
  }
}

TEST_F(SchemaTest, AllowsItsNameInTheFile) {
  const Json configuration = {{"$schema", "./holdfast.schema.json"}, {"server", {{"workers", 2}}}};
  EXPECT_TRUE(schema_takes(configuration));
  EXPECT_TRUE(problems(configuration).empty());
}

TEST_F(SchemaTest, AgreesWithTheProgramOnAnyValueOfAnyKey) {
  const std::uint64_t seed = std::random_device()();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  Values values(seed);
  int taken = 0;
  int refused = 0;
  for (int round = 0; round < 40; ++round) {
    for (const Setting& setting : setting_table()) {
      const Json value = values.any(setting);
      const Json configuration = configuration_of(setting, value);
      const auto found = problems(configuration);
      const bool takes = schema_takes(configuration);
      if (found.empty()) {
        ++taken;
        EXPECT_TRUE(takes) << "only the schema refuses " << configuration.dump();
      } else if (schema_can_tell(setting, value, found.front())) {
        ++refused;
        EXPECT_FALSE(takes) << "only the program refuses " << configuration.dump() << ": "
                            << found.front().text();
      }
    }
  }
  // Neither side of the property is empty.
  EXPECT_GT(taken, 100);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace holdfast::app
