// The bodies of POST /message and POST /messages.

#include "api/ingest_body.hpp"

#include <holdfast/base/json.hpp>

#include "fuzz/oracle.hpp"

namespace holdfast::fuzz {
namespace {

void check(const delivery::SendRequest& request, const Json& json) {
  require(json.is_object(), "an entry is an object");
  require(json.contains("userId") && json["userId"] == request.user.str(), "userId");
  require(json.contains("message") && json["message"] == request.payload, "message");
  require(!request.payload.empty() && request.payload.size() <= 1'000, "a message's size");
  const bool has_key = json.contains("deduplicationId") && !json["deduplicationId"].is_null();
  require(has_key == request.deduplication_id.has_value(), "deduplicationId is there");
  if (has_key) require(json["deduplicationId"] == *request.deduplication_id, "deduplicationId");
  const bool has_ttl = json.contains("ttlSeconds") && !json["ttlSeconds"].is_null();
  require(has_ttl == request.ttl.has_value(), "ttlSeconds is there");
  if (has_ttl) {
    require(json["ttlSeconds"].get<double>() == static_cast<double>(request.ttl->count()),
            "ttlSeconds");
  }
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::fuzz;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const api::Limits limits{.message = {.message_bytes = 1'000, .ttl = Seconds(1'000)},
                           .body_bytes = 8'000,
                           .batch_messages = 5};
  const auto caller = std::make_shared<SenderQuota>("fuzz");
  const auto one = api::read_message(body, limits, caller);
  const auto many = api::read_messages(body, limits, caller);
  if (!one && !many) return 0;
  const Json json = Json::parse(body, nullptr, false);
  require(!json.is_discarded(), "what is accepted is JSON");
  if (one) check(*one, json);
  if (many) {
    require(json.contains("messages") && json["messages"].size() == many->size(),
            "all entries are there");
    require(!many->empty() && many->size() <= limits.batch_messages,
            "as many entries as there may be");
    for (std::size_t i = 0; i < many->size(); ++i) check((*many)[i], json["messages"][i]);
  }
  return 0;
}
