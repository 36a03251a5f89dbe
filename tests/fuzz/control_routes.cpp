// A request to the control socket: method and target in the first line, its body behind it.

#include <algorithm>
#include <array>

#include <holdfast/base/json.hpp>

#include "fuzz/oracle.hpp"
#include "support/control/control_socket_parts.hpp"

namespace {

using namespace holdfast;
using namespace holdfast::fuzz;

constexpr std::size_t kListMax = 1000;

/// What a request may change.
struct Changeable {
  std::map<std::string, iam::AccessKeyPtr> keys;
  std::size_t messages = 0;
  std::size_t dead_letters = 0;
  std::uint32_t data_key = 0;
  std::uint32_t signing_key = 0;
  std::size_t recorded = 0;

  bool operator==(const Changeable&) const = default;
};

class World : public test::ControlSocketParts {
 public:
  World() {
    for (const char* user : {"anna", "ben"}) {
      for (Sequence sequence = 1; sequence <= 3; ++sequence) hold(user, sequence, "text");
    }
    keys_->create({.name = "orders", .policy = "", .rate = {}}, [](auto) {});
  }

  [[nodiscard]] Changeable now() const {
    Changeable out{.keys = keys_->keys,
                   .dead_letters = database_->tables.dead_letters.size(),
                   .data_key = ring_->id,
                   .signing_key = signer_->id,
                   .recorded = audit_->events.size()};
    for (const auto& [user, rows] : database_->tables.messages) out.messages += rows.size();
    return out;
  }
};

void check_list(const Json& body) {
  for (const auto& [name, value] : body.items()) {
    require(!value.is_array() || value.size() <= kListMax, "a list has a limit");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::string_view line = input.line();
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string method(line.substr(0, space));
  const std::string target(line.substr(std::min(space + 1, line.size())));

  World world;
  const Changeable before = world.now();
  const std::optional<net::Response> answer =
      world.try_ask(method, target, std::string(input.rest()));
  require(answer.has_value(), "an answer");
  require(answer->status >= 200 && answer->status != 500, "a status that says what is wrong");
  const Json body = Json::parse(answer->body, nullptr, false);
  require(body.is_object(), "every answer is an object");
  const bool is_good = answer->status < 300;
  require(body.contains("error") != is_good, "who refuses says so");
  if (!is_good) {
    require(body["error"]["code"].is_string() && body["error"]["message"].is_string(), "why");
    require(!body["error"]["message"].get_ref<const std::string&>().empty(), "a reason");
  }
  check_list(body);
  const bool makes_secret = method == "POST";
  require(makes_secret || !answer->body.contains("the-secret"), "no secret is read back");
  if (method == "GET" || method == "HEAD" || !is_good) {
    Changeable after = world.now();
    if (method != "GET" && method != "HEAD") after.recorded = before.recorded;
    require(after == before, "what only asks, or is refused, changes nothing");
  }
  return 0;
}
