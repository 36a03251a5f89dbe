// URLs that the programs call, and origins that an operator allows.

#include <holdfast/api/origins.hpp>
#include <holdfast/net/client.hpp>

#include "fuzz/oracle.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  using namespace holdfast::fuzz;
  Input input(data, size);
  const std::string text(input.line());
  const std::string host(input.line());
  if (const auto url = net::parse_url(text); url && url->scheme != "unix") {
    require(url->target.starts_with('/'), "a target is a path");
    require(url->host.find_first_of("/?#@ ") == std::string::npos, "a host is a host");
    const auto again = net::parse_url(url->scheme + "://" + url->authority() + url->target);
    require(again.has_value(), "what is written is a URL");
    require(again->host == url->host && again->port == url->port && again->target == url->target,
            "it is the same URL");
  }
  const api::AllowedOrigins none(std::vector<std::string>{});
  if (api::parse_origin(text)) {
    const api::AllowedOrigins allowed({text});
    require(allowed.allow_page(text, "other.example"), "an entry matches itself");
    const bool is_other = api::parse_origin(text) != api::parse_origin("https://other.example");
    require(!is_other || !allowed.allow_page("https://other.example", "h.example"),
            "an entry allows no other");
  }
  require(!none.allow_page("null", host) && !none.allow_client("null", host), "null is nobody's");
  (void)none.allow_client(text, host);
  return 0;
}
