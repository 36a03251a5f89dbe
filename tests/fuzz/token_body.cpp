// The body of POST /tokens.

#include "api/token_body.hpp"

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>

#include "fuzz/oracle.hpp"

namespace holdfast::fuzz {
namespace {

// A body that a client writes for this user: it is taken if the id is short enough.
void check_written(std::string_view id) {
  if (!is_utf8(id) || id.contains('\0')) return;
  const auto user = api::read_token_body(Json{{"userId", id}}.dump());
  require(user.has_value() == (!id.empty() && id.size() <= 128), "which ids are taken");
  require(!user || user->str() == id, "the id that was written");
}

void check_read(std::string_view body) {
  const auto user = api::read_token_body(body);
  if (!user) return require(!user.error().message.empty(), "a refusal says why");
  const Json json = Json::parse(body, nullptr, false);
  require(json.is_object() && json.contains("userId"), "what is accepted has a user");
  require(json["userId"] == user->str(), "the user");
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  holdfast::fuzz::check_read(input);
  holdfast::fuzz::check_written(input);
  return 0;
}
