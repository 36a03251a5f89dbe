// Keys of the user pool: logins, sign-ups, codes, passwords.

#include "setting_rows.hpp"

namespace holdfast::app {

void add_users(std::vector<Setting>& t) {
  t.push_back(integer("user_pool.id_token_lifetime_seconds",
                      HOLDFAST_FIELD(user_pool.id_token_lifetime), 300, kDaySeconds,
                      "Lifetime of ID and access tokens.", Live::yes));
  t.push_back(integer("user_pool.refresh_token_lifetime_seconds",
                      HOLDFAST_FIELD(user_pool.refresh_token_lifetime), 3'600, 3'650 * kDaySeconds,
                      "Lifetime of a refresh token.", Live::yes));
  t.push_back(integer("user_pool.refresh_tokens_per_user",
                      HOLDFAST_FIELD(user_pool.refresh_tokens_per_user), 1, 100'000,
                      "Maximum of logins of one user. A further one ends the oldest.", Live::yes));
  t.push_back(boolean("user_pool.refresh_token_rotation",
                      HOLDFAST_FIELD(user_pool.refresh_token_rotation),
                      "Each refresh replaces the refresh token. Reuse of a replaced one ends the "
                      "login. Clients must refresh with `GetTokensFromRefreshToken`.",
                      Live::yes));
  t.push_back(integer("user_pool.refresh_token_grace_seconds",
                      HOLDFAST_FIELD(user_pool.refresh_token_grace), 0, 60,
                      "Time for which a replaced refresh token still returns its successor, for "
                      "clients that lost the answer.",
                      Live::yes));
  t.push_back(integer("user_pool.session_lifetime_seconds",
                      HOLDFAST_FIELD(user_pool.session_lifetime), 60, 900,
                      "Time that a client has to respond to a login's challenge.", Live::yes));
  t.push_back(integer("user_pool.temporary_password_lifetime_seconds",
                      HOLDFAST_FIELD(user_pool.temporary_password_lifetime), 60, 365 * kDaySeconds,
                      "Lifetime of a temporary password.", Live::yes));
  t.push_back(boolean(
      "user_pool.srp_enabled", HOLDFAST_FIELD(user_pool.srp_enabled),
      "Allow SRP logins, and keep the verifiers that they need. Verifiers are sealed. If stolen "
      "together with the keys, they make guessing passwords faster than the passwords' hashes do.",
      Live::yes));
  t.push_back(boolean("user_pool.password_auth_enabled",
                      HOLDFAST_FIELD(user_pool.password_auth_enabled),
                      "Let clients log in with the password itself (`USER_PASSWORD_AUTH`), as "
                      "`holdfast auth` does. Off: clients need SRP or signed calls.",
                      Live::yes));
  t.push_back(boolean("user_pool.self_sign_up", HOLDFAST_FIELD(user_pool.self_sign_up),
                      "Let anybody sign up. This needs a way to send codes.", Live::yes));
  t.push_back(integer("user_pool.sign_ups_per_minute", HOLDFAST_FIELD(sign_ups.per_minute), 1,
                      60'000,
                      "Maximum of sign-ups per minute. One client's address may make an eighth of "
                      "them. Further ones get LimitExceededException.",
                      Live::yes));
  t.push_back(integer("user_pool.unconfirmed_lifetime_seconds",
                      HOLDFAST_FIELD(sign_ups.unconfirmed_lifetime), 3'600, 365 * kDaySeconds,
                      "Time that a sign-up may stay unconfirmed. Then the user is removed.",
                      Live::yes));
  Setting code_command =
      texts("user_pool.code_command", HOLDFAST_FIELD(codes.command), kWord,
            "Program and arguments that send a confirmation code. It runs without a shell, reads "
            "one JSON object (`purpose`, `code`, `username`, `userId`, `attributes`) and exits 0 "
            "after it has sent the code.");
  // Whoever sends mail or text messages may need a password there.
  code_command.secret = true;
  t.push_back(std::move(code_command));
  t.push_back(integer("user_pool.code_command_timeout_ms", HOLDFAST_FIELD(codes.command_timeout),
                      100, 60'000, "Time that the program may take. Then it is killed."));
  t.push_back(boolean("user_pool.code_to_log", HOLDFAST_FIELD(codes.to_log),
                      "Write confirmation codes to the log, for development only."));
  t.push_back(integer("user_pool.code_lifetime_seconds", HOLDFAST_FIELD(user_pool.code_lifetime),
                      60, kDaySeconds, "Lifetime of a confirmation code.", Live::yes));
  t.push_back(integer("user_pool.code_attempts", HOLDFAST_FIELD(user_pool.code_attempts), 1, 20,
                      "Number of wrong answers that invalidate a code.", Live::yes));
  t.push_back(boolean("user_pool.prevent_user_existence_errors",
                      HOLDFAST_FIELD(user_pool.prevent_user_existence_errors),
                      "Answer an unknown user like a wrong password.", Live::yes));
}

void add_passwords(std::vector<Setting>& t) {
  t.push_back(integer("user_pool.password_min_length",
                      HOLDFAST_FIELD(user_pool.password_min_length), 6, 99,
                      "Minimum length of a password, in characters.", Live::yes));
  t.push_back(boolean("user_pool.password_require_lowercase",
                      HOLDFAST_FIELD(user_pool.password_require_lowercase),
                      "Passwords need a lower-case letter.", Live::yes));
  t.push_back(boolean("user_pool.password_require_uppercase",
                      HOLDFAST_FIELD(user_pool.password_require_uppercase),
                      "Passwords need an upper-case letter.", Live::yes));
  t.push_back(boolean("user_pool.password_require_numbers",
                      HOLDFAST_FIELD(user_pool.password_require_numbers), "Passwords need a digit.",
                      Live::yes));
  t.push_back(boolean("user_pool.password_require_symbols",
                      HOLDFAST_FIELD(user_pool.password_require_symbols),
                      "Passwords need a symbol.", Live::yes));
  t.push_back(boolean("user_pool.password_refuse_common",
                      HOLDFAST_FIELD(user_pool.password_refuse_common),
                      "Refuse common passwords (a list of 3 000), and passwords made of the user's "
                      "name or a name of the service.",
                      Live::yes));
  t.push_back(integer("auth.hash_threads", HOLDFAST_FIELD(auth.passwords.threads), 1, 64,
                      "Threads that hash passwords (Argon2id) and sign tokens."));
  t.push_back(
      integer("auth.hash_queue", HOLDFAST_FIELD(auth.passwords.queue), 1, 10'000,
              "Maximum of passwords that wait for such a thread. One client's address may have an "
              "eighth of them, an access key half. Further ones get TooManyRequestsException. The "
              "operators' passwords have a separate queue of the same length."));
  t.push_back(integer("auth.hash_iterations", HOLDFAST_FIELD(auth.passwords.iterations), 1, 64,
                      "Passes of Argon2id over its memory, for new passwords. After you change it, "
                      "existing users keep the old cost until they change their password, so "
                      "response times can reveal which names exist."));
  t.push_back(integer("auth.hash_memory_kib", HOLDFAST_FIELD(auth.passwords.memory_kib), 1'024,
                      4 * kMiB,
                      "Memory of one Argon2id run in KiB, for new passwords. A change has the same "
                      "effect on response times as one of `hash_iterations`."));
  t.push_back(integer("auth.lockout_names", HOLDFAST_FIELD(auth.lockout_names), 100, 10'000'000,
                      "Maximum of usernames whose failed logins and codes are remembered. Unknown "
                      "names have a separate table of the same size."));
}

}  // namespace holdfast::app
