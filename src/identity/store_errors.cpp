// The refusals of identity's ports.
#include <holdfast/identity/store_errors.hpp>

namespace holdfast::identity {

Result<void> check_revision(std::optional<std::int64_t> stored, std::int64_t expected) {
  if (!stored) return fail(Errc::not_found, "the user does not exist");
  if (*stored != expected) return fail(Errc::conflict, "the user was changed meanwhile");
  return {};
}

std::unexpected<Error> username_taken() {
  return fail(Errc::already_exists, "the username is taken", "username");
}

std::unexpected<Error> code_spent() { return fail(Errc::expired, "the code is spent or replaced"); }

std::unexpected<Error> too_many_tokens() {
  return fail(Errc::too_many_requests, "too many tokens of this user are outstanding");
}

}  // namespace holdfast::identity
