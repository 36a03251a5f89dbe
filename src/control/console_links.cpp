// Makes and redeems the links that open the console.

#include <holdfast/control/console.hpp>

#include "routes.hpp"

namespace holdfast::control {

void create_console_link(Call call) {
  if (call.parts.console == nullptr) {
    return call.respond(
        json_error(Error(Errc::conflict, "the console is switched off", "console.enabled")));
  }
  const auto link = call.parts.console->make_link();
  if (!link) return call.respond(json_error(link.error()));
  call.respond(
      json_answer({{"url", link->url}, {"expiresInSeconds", link->lifetime.count()}}, 201));
}

}  // namespace holdfast::control
