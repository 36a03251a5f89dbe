// What happens to one user's mailbox: producers, clients, commits, failures, crashes, in any order.

#include <holdfast/base/log.hpp>

#include "fuzz/oracle.hpp"
#include "unit/delivery/mailbox_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  delivery::MailboxWorld world(test::Choices(std::span(data, size)), {});
  const std::optional<std::string> broken = world.run();
  fuzz::require(!broken, broken.value_or("").c_str());
  return 0;
}
