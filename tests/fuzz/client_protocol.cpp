// A client's text, read by each client protocol.

#include <algorithm>
#include <cmath>
#include <optional>

#include <holdfast/base/json.hpp>
#include <holdfast/delivery/client_protocol.hpp>

#include "fuzz/oracle.hpp"

namespace {

using namespace holdfast;
using namespace holdfast::fuzz;

/// Some number of the text has this value.
bool stands_in(std::string_view text, Sequence sequence) {
  constexpr std::string_view number = "0123456789+-.eE";
  while (!text.empty()) {
    const std::size_t begin = text.find_first_of("0123456789");
    if (begin == std::string_view::npos) return false;
    text.remove_prefix(begin);
    const std::string token(text.substr(0, std::min(text.find_first_not_of(number), text.size())));
    if (std::strtold(token.c_str(), nullptr) == static_cast<long double>(sequence)) return true;
    text.remove_prefix(token.size());
  }
  return false;
}

/// What `text` acknowledges as a plain reader has it, where the form leaves no doubt.
void compare_with_json(std::string_view text, const std::optional<Sequence>& sequence) {
  const Json json = Json::parse(text, nullptr, false);
  const bool is_ack = json.is_object() && json.size() == 2 && json.contains("type") &&
                      json["type"] == "ack" && json.contains("sequence") &&
                      json["sequence"].is_number();
  if (sequence) {
    require(is_ack, "an acknowledgement is JSON of its form");
    require(json["sequence"].get<double>() == static_cast<double>(*sequence), "the number");
    require(*sequence >= 0 && *sequence <= (std::int64_t{1} << 53), "the number's range");
    return;
  }
  // Names and values may be spelled with escapes, which no client does, and a member may stand
  // twice.
  if (!is_ack || text.size() > 256 || text.contains('\\') ||
      text.find("type") != text.rfind("type") || text.find("sequence") != text.rfind("sequence") ||
      text.starts_with("\xef\xbb\xbf") || text.contains('\0')) {
    return;
  }
  const double number = json["sequence"].get<double>();
  const bool sound = number >= 1 && number <= std::ldexp(1.0, 53) && std::floor(number) == number;
  require(!sound, "an acknowledgement that is one is taken");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t answer_bytes_max = 1024;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const delivery::ProtocolPtr& protocol : delivery::client_protocols()) {
    delivery::Frames answer;
    const delivery::ClientText said =
        protocol->read(text, {.connection_id = "L0SM9cOFvHcCIhw", .now = {}}, answer);
    if (said.acknowledges) {
      require(!said.unrecognized && !said.violation, "an acknowledgement is nothing else");
      require(protocol->proof() == delivery::Proof::client, "a client's word where it counts");
      require(stands_in(text, *said.acknowledges), "what is acknowledged stands in the text");
    }
    require(answer.size() <= 1, "one answer at most");
    for (const std::string& frame : answer) {
      require(frame.size() <= answer_bytes_max && Json::accept(frame), "the answer is short JSON");
    }
    if (protocol->name() == "holdfast.v1") {
      require(said.unrecognized != said.acknowledges.has_value(),
              "an acknowledgement, or unrecognized");
      compare_with_json(text, said.acknowledges);
    }
  }
  return 0;
}
