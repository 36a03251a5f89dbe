// Tests parsing JSON into events.

#include <string>

#include <gtest/gtest.h>

#include <holdfast/base/json.hpp>

namespace holdfast {
namespace {

// Writes down what it hears.
class Recorder final : public JsonHandler {
 public:
  void on_null() override { heard += "null "; }
  void on_boolean(bool value) override { heard += value ? "true " : "false "; }
  void on_integer(std::int64_t value) override { heard += "i" + std::to_string(value) + " "; }
  void on_unsigned(std::uint64_t value) override { heard += "u" + std::to_string(value) + " "; }
  void on_number(double value) override { heard += "d" + std::to_string(value) + " "; }
  void on_string(std::string& value) override { heard += "'" + value + "' "; }
  void on_name(std::string_view name) override { heard += std::string(name) + "= "; }
  void on_object_begin() override { heard += "{ "; }
  void on_object_end() override { heard += "} "; }
  void on_array_begin() override { heard += "[ "; }
  void on_array_end() override { heard += "] "; }

  std::string heard;
};

TEST(JsonHandler, HearsEveryPartInItsOrder) {
  Recorder recorder;
  ASSERT_TRUE(parse_json(R"({"a":[1,-2,18446744073709551615,1.5,"x",null,true],"b":{"c":false}})",
                         recorder));
  EXPECT_EQ(recorder.heard,
            "{ a= [ i1 i-2 u18446744073709551615 d1.500000 'x' null true ] b= { c= false } } ");
}

TEST(JsonHandler, GivesTheSameErrorsAsTheTree) {
  const std::string many = [] {
    std::string out = "{";
    for (int i = 0; i < 40; ++i) out += "\"n" + std::to_string(i) + "\":1,";
    return out;
  }();
  for (const std::string& text :
       {std::string("{"), std::string(R"({"a":{"b":1,"b":2}})"), std::string(R"([{"a":"\ud800"}])"),
        std::string(R"(["\u0000"])"), std::string(R"({"a\u0000":1})"),
        std::string("\xef\xbb\xbf{}"), std::string("[1e999]"), std::string("{} {}"),
        std::string(100, '['), many + "\"n3\":1}", many + "\"n39\":1}"}) {
    Recorder recorder;
    const auto heard = parse_json(text, recorder);
    const auto tree = parse_json(text);
    ASSERT_FALSE(heard) << text;
    ASSERT_FALSE(tree) << text;
    EXPECT_EQ(heard.error().message, tree.error().message);
    EXPECT_EQ(heard.error().where, tree.error().where);
  }
}

TEST(JsonHandler, NamesThePlaceOfADuplicateAmongManyNames) {
  std::string text = R"({"list":[1,{)";
  for (int i = 0; i < 100; ++i) text += "\"n" + std::to_string(i) + "\":1,";
  Recorder recorder;
  const auto heard = parse_json(text + R"("n50":1}]})", recorder);
  ASSERT_FALSE(heard);
  EXPECT_EQ(heard.error().where, "list[1].n50");
  EXPECT_EQ(heard.error().message, "duplicate name");
}

}  // namespace
}  // namespace holdfast
