// An acknowledgement of holdfast.v1.

#include <cmath>

#include <holdfast/base/json.hpp>

#include "delivery/frame.hpp"
#include "fuzz/oracle.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::fuzz;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto sequence = delivery::parse_ack(text);
  const Json json = Json::parse(text, nullptr, false);
  const bool is_ack = json.is_object() && json.size() == 2 && json.contains("type") &&
                      json["type"] == "ack" && json.contains("sequence") &&
                      json["sequence"].is_number();
  if (sequence) {
    require(is_ack, "an acknowledgement is JSON of its form");
    require(json["sequence"].get<double>() == static_cast<double>(*sequence), "the number");
    require(*sequence >= 0 && *sequence <= (std::int64_t{1} << 53), "the number's range");
    return 0;
  }
  // Names and values may be spelled with escapes, which no client does, and a member may stand
  // twice.
  if (!is_ack || text.size() > 256 || text.contains('\\') ||
      text.find("type") != text.rfind("type") || text.find("sequence") != text.rfind("sequence") ||
      text.starts_with("\xef\xbb\xbf") || text.contains('\0')) {
    return 0;
  }
  const double number = json["sequence"].get<double>();
  const bool sound = number >= 1 && number <= std::ldexp(1.0, 53) && std::floor(number) == number;
  require(!sound, "an acknowledgement that is one is taken");
  return 0;
}
